"""What a method attains at a given leakage: its front over the weights, read at the same place as another's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import zoopt_mo as zo
from benchmarks.ablations import Row

Point = tuple[float, float]
"""The attacker's cMAP and right answers, in percent."""


def points_of(rows: Sequence[Row], start: Row) -> dict[int, list[Point]]:
    """By seed, where a method ended at each weight, and the start, which everybody has for nothing."""
    found: dict[int, list[Point]] = {}
    for row in rows:
        found.setdefault(row.job.seed, [_point(start)]).append(_point(row))
    return found


def _point(row: Row) -> Point:
    return row.number("attacker_cmap"), row.number("utility")


def utility_at(points: Sequence[Point], leakage: float) -> float:
    """Right answers where the attacker reads so much, between neighbours of the front in proportion.

    Between two anonymizers a coin can choose, which gives what lies between them. Above the front's end, what its end
    has; below its beginning, not a number.

    Args:
        points: Where a method ended.
        leakage: The attacker's cMAP, in percent.
    """
    front = sorted(_front(points))
    leaks, rights = zip(*front, strict=True)
    return float(np.interp(leakage, leaks, rights, left=np.nan))


def _front(points: Sequence[Point]) -> list[Point]:
    """Those than which none has both fewer leaks and more right answers."""
    losses = np.array([[leak, -right] for leak, right in points])
    return [point for point, kept in zip(points, zo.non_dominated(losses), strict=True) if kept]


def area(points: Sequence[Point]) -> float:
    """What a front dominates, in percent of all right answers without any leakage."""
    losses = np.array([[leak / 100, 1 - right / 100] for leak, right in points])
    return 100 * zo.hypervolume(losses, [1.0, 1.0])
