"""The picture: a row a landscape, each protocol's trajectories and distances beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ablations import Row
from benchmarks.trajectories import plane, world
from benchmarks.trajectories.measures import MARKS, Vector
from benchmarks.trajectories.tables import Factors, of_protocol, protocols, step_of
from zoopt_mo.plotting import plot_curves, plot_trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESOLUTION = 61
"""Evaluations of the loss along each side of a landscape."""


def draw(rows: Sequence[Row], chosen: Factors, file: Path) -> None:
    """Trajectories over the landscape, and distance to the target against queries.

    Args:
        rows: The runs.
        chosen: Steps that tuning chose.
        file: The picture.
    """
    from matplotlib.figure import Figure

    settings = list(dict.fromkeys(row.job.setting for row in rows))
    figure = Figure(figsize=(19, 4.8 * len(settings)), layout="constrained")
    axes = figure.subplots(len(settings), 4, squeeze=False)
    for line, setting in zip(axes, settings, strict=True):
        for pair, (title, factors) in zip((line[:2], line[2:]), protocols(chosen).items(), strict=True):
            runs = of_protocol(rows, setting, factors)
            labels = {name: f"{name}, step {step_of(setting, name, factors[setting, name]):.2g}" for name in runs}
            (_draw_world if setting == world.WORLD else _draw_plane)(pair[0], setting, runs, labels)
            _draw_distances(pair[1], runs, labels)
            pair[0].set_title(f"{setting}. {title}", fontsize=11)
    figure.savefig(file, dpi=90)


def _draw_plane(ax: Axes, setting: str, runs: Mapping[str, Sequence[Row]], labels: Mapping[str, str]) -> None:
    """The first seed of each method."""
    land = plane.LANDSCAPES[setting]
    paths = {labels[name]: _path(mine[0]) for name, mine in runs.items() if mine[0].found["late_distance"] is not None}
    plot_trajectories(land.loss, paths, land.problem.minimizer, limits=land.limits, resolution=RESOLUTION, ax=ax)
    ax.legend(fontsize=7)


def _path(row: Row) -> Vector:
    return plane.walk(row.job).points


def _draw_world(ax: Axes, _setting: str, runs: Mapping[str, Sequence[Row]], labels: Mapping[str, str]) -> None:
    """Medians over seeds."""
    paths = {labels[name]: np.median([_means(row) for row in mine], axis=0) for name, mine in runs.items()}
    plot_trajectories(world.scalarized, paths, world.IDEAL, resolution=RESOLUTION, ax=ax)
    ax.set(xlabel="utility loss of the black box", ylabel="privacy loss by the reviewer")
    ax.legend(fontsize=7)


def _means(row: Row) -> Vector:
    """Running means of both losses at the marks ``[s, 2]``."""
    return np.array([[row.number(f"{name}@{mark}") for name in ("utility", "privacy")] for mark in range(MARKS + 1)])


def _draw_distances(ax: Axes, runs: Mapping[str, Sequence[Row]], labels: Mapping[str, str]) -> None:
    known = {name: [row for row in mine if "distance@0" in row.found] for name, mine in runs.items()}
    curves = {
        labels[name]: np.array([[row.number(f"distance@{mark}") for mark in range(MARKS + 1)] for row in mine])
        for name, mine in known.items()
        if mine
    }
    job = next(iter(runs.values()))[0].job
    in_world = job.setting == world.WORLD
    queries = float(job["calls"]) * float(job["pool"]) if in_world else float(job["queries"])
    label = "scalarized loss" if in_world else "distance to the target"
    plot_curves(np.linspace(0, queries, MARKS + 1), curves, label=label, ax=ax)
    ax.set_ylim(bottom=None if in_world else 0)
    ax.legend(fontsize=7, title="median and middle half of the seeds", title_fontsize=7)
