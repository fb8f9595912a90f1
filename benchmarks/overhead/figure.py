"""The picture: passes of a step against p, m and q."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.overhead.rows import Row
from benchmarks.overhead.tables import NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that the colour-blind tell apart (Okabe and Ito, 2008); after the last the lines are dashed."""
MARKERS, LINES = "os^DvPX", ("-", "--", "-.", ":")


def draw(rows: Sequence[Row], file: Path) -> None:
    """Three curves: all methods against the number of parameters, ours against slots and against pairs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.4), layout="constrained")
    by_size, by_slots, by_pairs = figure.subplots(1, 3)
    few = min(row.threads for row in rows)
    measured = [row for row in rows if row.passes is not None and row.threads == few]
    _against_size(by_size, [row for row in measured if row.section == "passes"])
    _against_count(by_slots, [row for row in measured if row.section == "history"], "slots of the history m")
    _against_count(by_pairs, [row for row in measured if row.section == "probes"], "pairs a step q")
    by_size.set_ylabel("passes of a step")
    figure.legend(*by_size.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    figure.savefig(file, dpi=130)


def _against_size(axes: Axes, rows: Sequence[Row]) -> None:
    for index, method in enumerate(dict.fromkeys(row.method for row in rows)):
        own = sorted((row.p, row.passes or 0.0) for row in rows if row.method == method)
        cycle, place = divmod(index, len(COLOURS))
        style = {"color": COLOURS[place], "marker": MARKERS[place], "ls": LINES[cycle]}
        axes.loglog(*zip(*own, strict=True), label=_plain(method), **style)
    axes.set_xlabel("parameters p")


def _against_count(axes: Axes, rows: Sequence[Row], label: str) -> None:
    own = sorted((row.count or 0, row.passes or 0.0) for row in rows)
    axes.plot(*zip(*own, strict=True), marker="o", color=COLOURS[1])
    axes.set_xlabel(f"{label}, at p = {rows[0].p:,}")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)


def _plain(method: str) -> str:
    return NAMES[method].replace("`", "")
