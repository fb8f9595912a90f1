"""The picture: where each run ended, and each method's medians over the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ablations import Row
from benchmarks.reach.runs import NO_QUERY
from benchmarks.reach.tables import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = ("-", "--")
"""Of the kinds of anonymizers."""


def draw(kinds: Mapping[str, Kind], heuristics: Sequence[Row], file: Path) -> None:
    """Right answers against the attacker's cMAP; small dots are runs, large ones medians over seeds.

    Args:
        kinds: What was run, by the anonymizer's name.
        heuristics: What stands beside.
        file: The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.4, 6), layout="constrained")
    axes = figure.subplots()
    colours: dict[str, str] = {}
    for (name, kind), line in zip(kinds.items(), LINES, strict=False):
        for method in kind.extent.fronts:
            colour = colours.setdefault(method, f"C{len(colours)}")
            ends = _ends(kind.of(method))
            for _, points in ends:
                axes.plot(*points.T, ".", color=colour, alpha=0.3)
            medians = np.array([np.median(points, axis=0) for _, points in ends])
            axes.plot(*medians.T, f"o{line}", color=colour, label=f"{name}: {method}")
        others = {"start": [kind.start], **{method: kind.of(method) for method in (NO_QUERY, *kind.extent.controls)}}
        for (method, rows), mark in zip(others.items(), "DPv", strict=False):
            _mark(axes, f"{name}: {method}", rows, mark, "0.45" if line == "-" else "0.7")
    for row, mark in zip(heuristics, "^d*", strict=True):
        _mark(axes, row.job.method, [row], mark, "black")
    axes.set_xlabel("cMAP of the fine-tuned attacker (%)")
    axes.set_ylabel("right answers (%)")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(file, dpi=130)


def _mark(axes: Axes, label: str, rows: Sequence[Row], mark: str, colour: str) -> None:
    points = [(row.number("attacker_cmap"), row.number("utility")) for row in rows]
    axes.plot(*np.median(points, axis=0), mark, color=colour, label=label)


def _ends(rows: Sequence[Row]) -> list[tuple[float, np.ndarray]]:
    """By weight, where the runs ended ``[seeds, 2]``."""
    found: dict[float, list[tuple[float, float]]] = {}
    for row in rows:
        found.setdefault(float(row.job["weight"]), []).append((row.number("attacker_cmap"), row.number("utility")))
    return [(weight, np.array(points)) for weight, points in sorted(found.items())]
