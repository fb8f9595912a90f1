"""The estimators to start with, chosen by measurement."""

from __future__ import annotations

from zoopt_mo.estimators import (
    SPSA,
    Acceleration,
    AdaptiveBlock,
    Clip,
    ControlVariate,
    Estimator,
    Momentum,
    TuningFree,
)
from zoopt_mo.estimators._base import Radius
from zoopt_mo.sampling import hadamard


def recommended(*, radius: Radius, mixed: bool = False, seed: int = 0) -> Estimator:
    r"""The estimator that needed the fewest queries in our benchmarks.

    For one black box: blocks of orthogonal probes, clipped, accelerated, with a step size of its own,
    ``TuningFree(Acceleration(Clip(AdaptiveBlock(radius=radius), factor=4)))``. Use it with a step size of 1.

    For a black box beside white boxes (``mixed``): pairs along orthogonal directions, clipped, averaged, and the white
    boxes' exact gradients as control variates, ``Clip(ControlVariate(Momentum(SPSA(radius=radius,
    directions=hadamard))), factor=4)``. Its step size is yours to set: it is shared with the white boxes.

    Args:
        radius: Radius of the probes in the units of theta, or a function from the step to it;
            :func:`zoopt_mo.calibrate` finds one.
        mixed: Whether white boxes are in the step too.
        seed: Seed of the directions.

    Returns:
        A new estimator.

    Example:
        >>> import numpy as np
        >>> import zoopt_mo as zo
        >>> estimator = zo.recommended(radius=1e-3)
        >>> result = zo.minimize(lambda x: float(x @ x), np.ones(100), lr=1.0, estimator=estimator, budget=1000)
        >>> result.fun < 0.1
        True

    Reference:
        Measured by ``python -m benchmarks.query_efficiency``.
    """
    if mixed:
        pairs = SPSA(radius=radius, directions=hadamard, seed=seed)
        return Clip(ControlVariate(Momentum(pairs)), factor=4.0)
    return TuningFree(Acceleration(Clip(AdaptiveBlock(radius=radius, seed=seed), factor=4.0)))
