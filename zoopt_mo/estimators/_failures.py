"""What is left of a step in which queries failed: a failed query has the loss NaN."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zoopt_mo.directions import Combination, Direction, opposite_pairs
from zoopt_mo.estimators._base import Losses, NothingMeasured

Mask = npt.NDArray[np.bool_]


def complete_pairs(losses: Losses, directions: Sequence[Direction]) -> tuple[Losses, list[Direction]]:
    """The pairs of which both sides were measured, with their directions.

    Args:
        losses: Losses ``[2 q]``, both sides of a pair next to each other.
        directions: A direction a pair ``[q]``.

    Returns:
        Losses ``[k, 2]`` and directions ``[k]``.

    Raises:
        NothingMeasured: If there is no complete pair.
    """
    pairs = losses.reshape(-1, 2)
    kept: Mask = np.logical_not(np.isnan(pairs).any(axis=1))
    if kept.all():
        return pairs, list(directions)
    return pairs[kept], _kept(directions, kept, least=1)


def measured_probes(losses: Losses, directions: Sequence[Direction], *, least: int) -> tuple[Losses, list[Direction]]:
    """The probes that were measured, with their directions.

    Args:
        losses: Losses ``[q]``.
        directions: A direction a probe ``[q]``.
        least: Probes without which nothing can be said.

    Returns:
        Losses ``[k]`` and directions ``[k]``.

    Raises:
        NothingMeasured: If fewer than ``least`` probes were measured.
    """
    kept = ~np.isnan(losses)
    return losses[kept], _kept(directions, kept, least=least)


def usable(displacements: Sequence[Combination], losses: Losses) -> Mask:
    """Which losses ``[q]`` say something: those measured whose opposite, if it was asked, was measured too."""
    mask = ~np.isnan(losses)
    if not mask.all():
        for one, other in opposite_pairs(displacements):
            mask[one] = mask[other] = mask[one] and mask[other]
    return mask


def _kept(directions: Sequence[Direction], kept: Mask, *, least: int) -> list[Direction]:
    if kept.sum() < least:
        raise NothingMeasured(f"Too many queries of the step failed to tell a slope: {kept.sum()} left of {kept.size}.")
    return list(itertools.compress(directions, kept))
