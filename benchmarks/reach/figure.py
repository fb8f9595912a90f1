"""The picture: where each run ended, and each method's medians over the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.ablations import Row
from benchmarks.reach.runs import CONTROLS, FRONTS, HEURISTICS, NO_QUERY, START


def draw(rows: Sequence[Row], file: Path) -> None:
    """Right answers against the attacker's cMAP; small dots are runs, large ones medians over seeds.

    Args:
        rows: The runs on test clips.
        file: The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 5.2), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(FRONTS):
        ends = _ends([row for row in rows if row.job.method == name])
        colour = f"C{number}"
        for _, points in ends:
            axes.plot(*points.T, ".", color=colour, alpha=0.35)
        medians = np.array([np.median(points, axis=0) for _, points in ends])
        axes.plot(*medians.T, "o-", color=colour, label=name)
    for name, mark in zip((*CONTROLS, NO_QUERY, START, *HEURISTICS), "svD^Pxd*", strict=False):
        mine = [(row.number("attacker_cmap"), row.number("utility")) for row in rows if row.job.method == name]
        axes.plot(*np.median(mine, axis=0), mark, color="0.45", label=name)
    axes.set_xlabel("cMAP of the fine-tuned attacker (%)")
    axes.set_ylabel("right answers (%)")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(file, dpi=130)


def _ends(rows: Sequence[Row]) -> list[tuple[float, np.ndarray]]:
    """By weight, where the runs ended ``[seeds, 2]``."""
    found: dict[float, list[tuple[float, float]]] = {}
    for row in rows:
        found.setdefault(float(row.job["weight"]), []).append((row.number("attacker_cmap"), row.number("utility")))
    return [(weight, np.array(points)) for weight, points in sorted(found.items())]
