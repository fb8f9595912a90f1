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


def draw(kinds: Mapping[str, Kind], heuristics: Sequence[Row], file: Path) -> None:
    """Right answers against the attacker's cMAP, a panel for each kind; small dots are runs, large ones their medians.

    Args:
        kinds: What was run, by the anonymizer's name.
        heuristics: What stands beside, in the last panel.
        file: The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6 * max(1, len(kinds)), 6.4), layout="constrained")
    panels = figure.subplots(1, max(1, len(kinds)), squeeze=False)[0]
    methods = dict.fromkeys(method for kind in kinds.values() for method in kind.extent.fronts)
    colours = {method: f"C{number}" for number, method in enumerate(methods)}
    for axes, (name, kind) in zip(panels, kinds.items(), strict=False):
        axes.set_title(name)
        for method in kind.extent.fronts:
            ends = _ends(kind.of(method))
            for _, points in ends:
                axes.plot(*points.T, ".", color=colours[method], alpha=0.3)
            medians = np.array([np.median(points, axis=0) for _, points in ends])
            axes.plot(*medians.T, "o-", color=colours[method], label=method)
        others = {"start": [kind.start], **{method: kind.of(method) for method in (NO_QUERY, *kind.extent.controls)}}
        for (method, rows), mark in zip(others.items(), "DPv", strict=False):
            _mark(axes, method, rows, mark, "0.45")
    for row, mark in zip(heuristics, "^d*", strict=True):
        _mark(panels[-1], row.job.method, [row], mark, "black")
    panels[0].set_ylabel("right answers (%)")
    for axes in panels:
        axes.set_xlabel("cMAP of the fine-tuned attacker (%)")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False, fontsize=8)
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
