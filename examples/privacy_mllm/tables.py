"""The tables that the commands print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.table import Table

from privacy_mllm.results import Generalisation, Results, Row, mean_answers

ANSWERS = ("action", "all", "frozen", "attacker", "calls")


def number(value: float) -> str:
    """A figure with one decimal, "-" for one that is not known."""
    return "-" if math.isnan(value) else f"{value:.1f}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, bold: str) -> Table:
    """A table whose first column is a method.

    Args:
        headings: Headings of the other columns.
        rows: The cells, the method first.
        bold: The method that is picked out.
    """
    shown = Table()
    shown.add_column("method", no_wrap=True)
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    for cells in rows:
        shown.add_row(*cells, style="bold" if cells[0] == bold else None)
    return shown


def answers_table(results: Results, *, ours: str) -> Table:
    """Answers that stay right, and leakage in one number."""
    rows = (
        [
            row.method,
            *map(number, (row.action, mean_answers(row), row.frozen_cmap, row.attacker_cmap, row.calls_per_sample)),
        ]
        for row in results.rows
    )
    return table(ANSWERS, rows, bold=ours)


def leakage_table(results: Results, *, ours: str) -> Table:
    """What the strongest attacker reads, beyond one number; columns of which nothing is known are left out."""
    columns = leakage_columns(results.rows)
    rows = ([row.method, worst_of(row.worst, row.worst_above), *_figures(row, columns)] for row in results.rows)
    return table(("worst attribute", *columns), rows, bold=ours)


def leakage_columns(rows: Iterable[Row]) -> dict[str, str]:
    """The columns of which a row knows something: heading, and the field of a row."""
    known = {"bits": "total_bits", "person": "reidentified", "weighted": "weighted"}
    found = list(rows)
    return {
        heading: name for heading, name in known.items() if any(not math.isnan(getattr(row, name)) for row in found)
    }


def worst_of(attribute: str, above: float) -> str:
    """An attribute and how far above guessing it is read."""
    return f"{attribute} {above:.0f}" if attribute else "-"


def notes_on_leakage(rows: Sequence[Row]) -> list[str]:
    """What the columns of :func:`leakage_table` mean, a line each.

    Args:
        rows: All rows that are shown, at least one.
    """
    columns = leakage_columns(rows)
    lines = ["worst     the attribute that the attacker reads best, and how far above guessing: 100 is everything"]
    if "bits" in columns:
        there = max(sum(row.prior_bits.values()) for row in rows)
        lines.append(f"bits      what the attacker learns of all attributes from a clip; there are {there:.1f}")
    if "person" in columns:
        chance = max(row.reidentified_chance for row in rows if not math.isnan(row.reidentified_chance))
        lines.append(f"person    clips (%) whose nearest other clip shows the same person; by guessing {chance:.1f}")
    if "weighted" in columns:
        lines.append("weighted  leakage above guessing (%), weighted by severity; 100 is everything")
    absent = sorted({name for row in rows for name in row.absent})
    if absent:
        lines.append(f"No judged clip shows {', '.join(absent)}: not counted in any leakage.")
    return lines


def generalisation_table(found: Sequence[Generalisation], *, ours: str) -> Table:
    """What training saw beside what it was not shown."""
    rows = (
        [
            one.method,
            number(one.seen.answers),
            number(one.unseen.answers),
            _with_chance(one.seen.leakage, one.seen.chance),
            _with_chance(one.unseen.leakage, one.unseen.chance),
        ]
        for one in found
    )
    return table(("answers seen", "unseen", "attacker seen", "unseen"), rows, bold=ours)


def _figures(row: Row, columns: dict[str, str]) -> list[str]:
    return [number(getattr(row, name)) for name in columns.values()]


def _with_chance(value: float, chance: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f} ({chance:.1f})"
