"""The compared scalarizers, each made from weights and an ideal point, and which objective leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

import zoopt_mo as zo

Family = Callable[[Sequence[float], Sequence[float], float], zo.Scalarizer]
"""From weights ``[n]``, an ideal point ``[n]`` and the margin to a scalarizer."""

FAMILIES: dict[str, Family] = {
    "weighted sum": lambda weights, _ideal, _margin: zo.WeightedSum(weights=weights),
    "Tchebycheff": lambda weights, ideal, margin: zo.Tchebycheff(weights=weights, ideal=ideal, margin=margin),
    "augmented Tchebycheff": lambda weights, ideal, margin: zo.AugmentedTchebycheff(
        weights=weights, ideal=ideal, margin=margin, augmentation=0.05
    ),
    "smooth Tchebycheff": lambda weights, ideal, margin: zo.SmoothTchebycheff(
        weights=weights, ideal=ideal, margin=margin, smoothing=0.03
    ),
    "p-norm, p = 8": lambda weights, ideal, margin: zo.PNorm(weights=weights, ideal=_beyond(ideal, margin), p=8.0),
    "boundary intersection": lambda weights, ideal, margin: zo.PBI(
        weights=zo.reciprocal_weights(weights), ideal=_beyond(ideal, margin)
    ),
}
"""All of the library but the achievement functions: with reciprocal weights they are the Tchebycheff functions."""
OF_THE_PAPER = ("weighted sum", "Tchebycheff", "augmented Tchebycheff")
IN_THE_WORLD = (*OF_THE_PAPER, "smooth Tchebycheff")


def _beyond(ideal: Sequence[float], margin: float) -> list[float]:
    """The point that distances are measured from."""
    return [value - margin for value in ideal]


def share_led(
    losses: npt.ArrayLike, weights: Sequence[float], ideal: Sequence[float], margin: float, objective: int = 0
) -> float:
    """Share of the steps in which an objective is the furthest from the ideal point, by the weights (``i_max``).

    It is that of the Tchebycheff function for every scalarizer, also for those that have no maximum.

    Args:
        losses: Losses at the steps ``[s, n]``.
        weights: Weights ``[n]``.
        ideal: Ideal point ``[n]``.
        margin: How far beyond it distances are measured.
        objective: Which one.
    """
    distances = np.asarray(weights) * (np.asarray(losses, dtype=float) - np.asarray(ideal) + margin)
    return float((distances.argmax(axis=-1) == objective).mean())
