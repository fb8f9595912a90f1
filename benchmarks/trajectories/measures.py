"""What a trajectory is measured by: how near it comes and when, how straight it goes, how often it climbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.ablations import Fields

Vector = npt.NDArray[np.float64]

MARKS = 20
"""Times at which distances are kept, beside the start."""
NEAR = 0.2
"""Share of the first distance at which a trajectory has arrived."""


@dataclass(frozen=True)
class Walk:
    """Where a run was, before its first step and after each.

    Args:
        spent: Queries so far ``[s]``.
        points: Its points ``[s, 2]``.
        losses: Its losses without noise ``[s]``.
        distances: How far from the target it was ``[s]``.
    """

    spent: Vector
    points: Vector
    losses: Vector
    distances: Vector


def measures(walk: Walk, queries: float) -> Fields:
    """Distances at the marks, and the whole trajectory in four figures.

    Args:
        walk: The trajectory.
        queries: All queries of the run.
    """
    moved = float(np.linalg.norm(walk.points[-1] - walk.points[0]))
    path = float(np.linalg.norm(np.diff(walk.points, axis=0), axis=1).sum())
    near = walk.spent[walk.distances <= NEAR * walk.distances[0]]
    late = at(walk, walk.distances, np.linspace(queries / 2, queries, 101))
    return {
        "arrived": float(near[0]) if near.size else None,
        "late_distance": round(float(late.mean()), 4),
        "path_ratio": round(path / moved, 3) if moved > 0 else None,
        "uphill": round(100 * float((np.diff(walk.losses) > 0).mean()), 2),
        **marked("distance", at(walk, walk.distances, np.linspace(0, queries, MARKS + 1))),
    }


def at(walk: Walk, values: Vector, when: Vector) -> Vector:
    """The latest of some values of a walk ``[s]`` when so many queries were spent ``[k]``."""
    found: Vector = values[np.searchsorted(walk.spent, when, side="right").clip(1) - 1]
    return found


def marked(name: str, values: Vector) -> Fields:
    """Values at the marks as fields, ``NAME@0`` and so on."""
    return {f"{name}@{mark}": round(float(value), 4) for mark, value in enumerate(values)}
