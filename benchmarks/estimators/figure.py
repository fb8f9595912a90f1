"""The picture: loss on validation clips against calls, and where each method ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.ablations import Row


def draw(rows: Sequence[Row], file: Path) -> None:
    """Medians over seeds, a line and a dot a method; dots without a name are the seeds.

    Args:
        rows: Runs that were judged.
        file: The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for method in dict.fromkeys(row.job.method for row in rows):
        mine = [row for row in rows if row.job.method == method]
        marks = int(mine[0].job["marks"])
        calls = np.linspace(0, float(mine[0].job["calls"]), marks + 1)
        losses = [[row.number(f"loss@{mark}") for mark in range(marks + 1)] for row in mine]
        (line,) = left.plot(calls, np.median(losses, axis=0), marker=".", label=method)
        ends = np.array([[row.number("attacker_cmap"), row.number("utility")] for row in mine])
        right.plot(*ends.T, ".", color=line.get_color(), alpha=0.5)
        right.plot(*np.median(ends, axis=0), "o", color=line.get_color())
    left.set_xlabel("calls per sample")
    left.set_ylabel("loss of the answers, validation clips")
    right.set_xlabel("cMAP of the attacker (%)")
    right.set_ylabel("right answers (%)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    figure.savefig(file, dpi=130)
