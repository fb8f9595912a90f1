"""Tables in Markdown: what is lost where something was not shown, and what the starts are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.ablations import Row, spread, table
from benchmarks.generalisation.runs import HELD_OUT, MEASURES, NOTHING, RAW, START, TRAINED, column, start_of
from privacy_mllm.data.withholding import parse_hold_out

WITHOUT, WITH = "trained without", "trained with"


def lines() -> Iterator[tuple[str, str]]:
    """All pairs of what is held out and a measure of it."""
    for held_out in HELD_OUT:
        for measure in MEASURES[parse_hold_out(held_out)[0]]:
            yield held_out, measure


def values(rows: Sequence[Row], method: str, shown: str, name: str) -> list[float]:
    """What the seeds of one method found, in the order of the seeds.

    Args:
        rows: All rows.
        method: The method.
        shown: What it was not shown.
        name: Name of the figure.
    """
    return [row.number(name) for row in rows if (row.job.method, row.job.setting) == (method, shown)]


def columns(rows: Sequence[Row], held_out: str, measure: str) -> dict[str, list[float]]:
    """What was found of one thing, by column of the table.

    Args:
        rows: All rows.
        held_out: What was held out.
        measure: The measure.
    """
    name = column(held_out, measure)
    return {
        "raw": values(rows, RAW, NOTHING, name),
        "start": values(rows, START, start_of(held_out), name),
        WITHOUT: values(rows, TRAINED, held_out, name),
        WITH: values(rows, TRAINED, NOTHING, name),
    }


def differences(found: Mapping[str, Sequence[float]]) -> list[float]:
    """By seed, what the training found that was not shown the thing, less what the one found that was.

    Args:
        found: The columns.
    """
    return [without - shown for without, shown in zip(found[WITHOUT], found[WITH], strict=True)]


def tables(rows: Sequence[Row]) -> list[str]:
    """What is held out beside what is shown, and every start and training on the whole test."""
    return [
        (
            "On what is held out alone, in percent: right answers, the mean over questions, and what a fine-tuned "
            "attacker, who knows every label, reads above chance. The difference is without less with, seed by seed."
        ),
        table(["held out", "measure", "raw", "start", WITHOUT, WITH, "difference"], _unseen(rows)),
        "On the whole test: right answers, the mean over questions, and the attacker's cMAP.",
        table(
            ["held out", "start: answers", "start: cMAP", "trained: answers", "trained: cMAP"],
            [_whole(rows, held_out) for held_out in (NOTHING, *HELD_OUT)],
        ),
    ]


def _unseen(rows: Sequence[Row]) -> list[list[str]]:
    shown_lines = []
    for held_out, measure in lines():
        found = columns(rows, held_out, measure)
        (raw,) = found.pop("raw")
        shown = [spread(seeds).text() for seeds in (*found.values(), differences(found))]
        shown_lines.append([held_out, measure, f"{raw:.1f}", *shown])
    return shown_lines


def _whole(rows: Sequence[Row], held_out: str) -> list[str]:
    keys = ((START, start_of(held_out)), (TRAINED, held_out))
    return [
        held_out,
        *(spread(values(rows, *key, name)).text() for key in keys for name in ("utility", "attacker_cmap")),
    ]
