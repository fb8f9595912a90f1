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


def recommended(*, radius: Radius, mixed: bool = False, minibatch: bool = False, seed: int = 0) -> Estimator:
    r"""The estimator that needed the fewest queries in our benchmarks.

    For one black box: blocks of orthogonal probes, clipped, accelerated, with a step size of its own,
    ``TuningFree(Acceleration(Clip(AdaptiveBlock(radius=radius), factor=3)))``. Use it with a step size of 1.

    For one black box whose loss is that of another minibatch at each step (``minibatch``): the same without
    acceleration, which adds up the noise of the batches until it runs away, and with shorter steps,
    ``TuningFree(Clip(AdaptiveBlock(radius=radius), factor=3), factor=0.1)``. Safe, but slow where there is no noise.

    For a black box beside white boxes (``mixed``): pairs along orthogonal directions, clipped, averaged, and the white
    boxes' exact gradients as control variates, ``Clip(ControlVariate(Momentum(SPSA(radius=radius,
    directions=hadamard))), factor=4)``. So is the gradient of a surrogate, the ``prior`` of the black box, where there
    is one. Its step size is yours to set: it is shared with the white boxes. With a
    scalarizer that follows one objective at a time, such as :class:`zoopt_mo.AugmentedTchebycheff`, give the black box
    ``skip_below=0.1`` too: it is then not asked where a white box leads.

    Args:
        radius: Radius of the probes in the units of theta, or a function from the step to it;
            :func:`zoopt_mo.calibrate` finds one.
        mixed: Whether white boxes are in the step too.
        minibatch: Whether the loss changes from step to step with a minibatch; the losses of one step must share it.
        seed: Seed of the directions.

    Returns:
        A new estimator.

    Raises:
        ValueError: If ``mixed`` and ``minibatch`` are both asked for: ``mixed`` serves minibatches as it is.

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
    if mixed and minibatch:
        raise ValueError("`minibatch` must be False with `mixed`, whose step size is yours to set, got True.")
    if mixed:
        pairs = SPSA(radius=radius, directions=hadamard, seed=seed)
        return Clip(ControlVariate(Momentum(pairs)), factor=4.0)
    block = Clip(AdaptiveBlock(radius=radius, seed=seed), factor=3.0)
    return TuningFree(block, factor=0.1) if minibatch else TuningFree(Acceleration(block))
