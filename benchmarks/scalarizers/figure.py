"""The picture: what each scalarizer finds of each front, and its trade-offs in the privacy world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ablations import Row
from benchmarks.scalarizers.analytic import PROBLEMS, corner
from benchmarks.scalarizers.families import FAMILIES
from benchmarks.scalarizers.tables import pick
from benchmarks.scalarizers.world import WORLD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = dict(
    zip(
        FAMILIES,
        zip(("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"), "sovD^P", strict=True),
        strict=True,
    )
)
"""Colours that the colour-blind tell apart, and markers."""


def draw(rows: Sequence[Row], file: Path) -> None:
    """A panel for each analytic front, and one for the privacy world."""
    from matplotlib.figure import Figure

    settings = list(dict.fromkeys(row.job.setting for row in rows))
    panels = [setting for setting in settings if setting in PROBLEMS or setting == WORLD]
    figure = Figure(figsize=(3.6 * max(2, len(panels)), 4.2), layout="constrained")
    for axes, setting in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        axes.set_title(setting, fontsize=10)
        (_draw_world if setting == WORLD else _draw_front)(axes, setting, rows)
    handles = [
        figure.axes[0].plot([], [], marker, color=colour, label=family)[0] for family, (colour, marker) in LOOKS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    figure.savefig(file, dpi=130)


def _draw_front(axes: Axes, problem: str, rows: Sequence[Row]) -> None:
    """The true front, and the ends of all runs."""
    axes.plot(*PROBLEMS[problem].front(500).T, color="grey", linewidth=1)
    for family, (colour, marker) in LOOKS.items():
        mine = pick(rows, family, problem)
        ends = [[row.number("loss_1") for row in mine], [row.number("loss_2") for row in mine]]
        axes.plot(*ends, marker, color=colour, markersize=4, alpha=0.5, markeredgewidth=0)
    right, top = corner(problem)
    axes.set_xlim(-0.05 * right, 1.2 * right)
    axes.set_ylim(-0.05 * top, 1.2 * top)
    axes.set_xlabel("loss of the black box")
    axes.set_ylabel("loss of the white box")


def _draw_world(axes: Axes, setting: str, rows: Sequence[Row]) -> None:
    """Every run, and for each scalarizer a line through its medians, a dot a weight."""
    for family, (colour, marker) in LOOKS.items():
        mine = pick(rows, family, setting)
        x, y = ([row.number(name) for row in mine] for name in ("attacker_cmap", "utility"))
        axes.plot(x, y, marker, color=colour, markersize=4, alpha=0.4, markeredgewidth=0)
        weights = sorted({float(row.job["weight"]) for row in mine})
        middles = [
            [float(np.median([r.number(name) for r in mine if r.job["weight"] == weight])) for weight in weights]
            for name in ("attacker_cmap", "utility")
        ]
        axes.plot(*middles, marker + "-", color=colour, markersize=7, linewidth=1)
    axes.set_xlabel("cMAP of the attacker (%)")
    axes.set_ylabel("right answers (%)")
