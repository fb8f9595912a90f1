"""The picture: every figure of what was held out, a dot a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ablations import Row
from benchmarks.generalisation.runs import ANSWERS, LEAKAGE
from benchmarks.generalisation.tables import WITH, WITHOUT, columns, lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = {
    "raw": ("#888888", "x", 0.0),
    "start": ("#e69f00", "s", 0.0),
    WITHOUT: ("#d55e00", "o", -0.13),
    WITH: ("#0072b2", "D", 0.13),
}
"""Colours that the colour-blind tell apart, markers, and how far from the line they are."""


def draw(rows: Sequence[Row], file: Path) -> None:
    """A panel for each measure, a line for what is held out; large marks are medians, small ones seeds.

    Args:
        rows: Raw pictures, starts and trainings.
        file: The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, measure in zip(figure.subplots(1, 2), (ANSWERS, LEAKAGE), strict=True):
        _draw_measure(axes, measure, rows)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(file, dpi=130)


def _draw_measure(axes: Axes, measure: str, rows: Sequence[Row]) -> None:
    names = [held_out for held_out, one in lines() if one == measure]
    for place, held_out in enumerate(names):
        for label, seeds in columns(rows, held_out, measure).items():
            colour, marker, offset = LOOKS[label]
            height = place + offset
            axes.plot(seeds, [height] * len(seeds), marker, color=colour, markersize=4, alpha=0.4)
            axes.plot(np.median(seeds), height, marker, color=colour, markersize=8, label="" if place else label)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", color="#dddddd")
    axes.set_xlabel("right answers (%)" if measure == ANSWERS else "read by the attacker above chance (points)")
