"""What a few queries at the start tell: the noise of a black box, the radius that stands out of it, and a step size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zoopt_mo._checks import check_count, check_positive, check_seed
from zoopt_mo.directions import Combination
from zoopt_mo.estimators import SPSA
from zoopt_mo.evaluation import TooManyFailures
from zoopt_mo.objectives import BlackBox
from zoopt_mo.parameters import Parameters, ParameterSource
from zoopt_mo.sampling import rademacher

Function = Callable[[npt.NDArray[np.float64]], Any]

_GROWTH = 4.0  # of the radius, from one pair to the next


@dataclass(frozen=True)
class Calibration:
    r"""What :func:`calibrate` found.

    Args:
        noise: Standard deviation of the loss when asked again at the same place.
        radius: Radius of probes, ``c``.
        curvature: Size of the trace of the Hessian, from second differences.
        lr: Step size for SPSA with one pair, half of one over the curvature; times the number of directions for more.
        value: Mean loss at the parameters.
        num_queries: Queries that this took.
    """

    noise: float
    radius: float
    curvature: float
    lr: float
    value: float
    num_queries: int


def calibrate(
    black_box: BlackBox | Function,
    parameters: Parameters | ParameterSource,
    *,
    radius: float = 1e-3,
    max_radius: float = 1.0,
    contrast: float = 7.0,
    num_repeats: int = 6,
    seed: int = 0,
) -> Calibration:
    r"""Measure noise, then the radius at which curvature stands out of it, then the step that the curvature allows.

    The loss is asked ``num_repeats`` times at the parameters; their standard deviation is the noise :math:`\sigma`
    (no less than the rounding of the loss in the parameters' precision). From ``radius`` on, pairs of fourfold radius
    follow until the second difference exceeds :math:`r^2 \sigma`, with :math:`r` the ``contrast``; the radius is then
    set back to where the two are equal:

    .. math:: c = r \sqrt{\sigma / T}, \qquad T = \left|\frac{L_+ + L_- - 2 \bar L}{c^2}\right|,
        \qquad a = \frac{1}{2T}

    Without noise this is ``radius``. A loss that rounds its values away below some change (8-bit pictures, whole-number
    scores) has no noise when repeated: pairs then grow until they differ.

    Costs ``num_repeats`` queries and two a pair, usually 8 to 18 in all; they are counted by the black box and in
    ``num_queries``.

    Args:
        black_box: A black box, or a function of a numpy vector.
        parameters: Where to look: what the black box's loss depends on, or the function's argument ``[p]``.
        radius: Smallest radius, in the units of theta.
        max_radius: Largest radius.
        contrast: Square root of the second difference over the noise at the radius found; larger for a loss that is
            close to quadratic, smaller for one that bends soon.
        num_repeats: Queries at the same place, at least 2.
        seed: Seed of the directions of the pairs.

    Returns:
        The findings.

    Raises:
        ValueError: If an argument is out of range.
        TooManyFailures: If too many queries fail.

    Example:
        >>> import numpy as np
        >>> import zoopt_mo as zo
        >>> found = zo.calibrate(lambda x: float(5 * x @ x), np.ones(10))
        >>> found.noise, found.radius, round(found.curvature), found.num_queries
        (0.0, 0.001, 100, 8)

    Reference:
        Spall (1998), IEEE Transactions on Aerospace and Electronic Systems 34(3), section III, for what to calibrate;
        the rule for the radius is ours, measured by ``python -m benchmarks.query_efficiency``.
    """
    check_positive("radius", radius)
    if check_positive("max_radius", max_radius) < radius:
        raise ValueError(f"`max_radius` must be at least `radius`, {radius}, got {max_radius}.")
    wanted = check_positive("contrast", contrast) ** 2
    check_count("num_repeats", num_repeats, least=2)
    check_seed("seed", seed)
    box, theta = _as_box(black_box, parameters)
    with box.attempt():
        return _measure(box, theta, radius, max_radius, wanted, num_repeats, seed)


def _measure(
    box: BlackBox, theta: Parameters, radius: float, max_radius: float, wanted: float, num_repeats: int, seed: int
) -> Calibration:
    before = box.num_queries
    centre = 0.0 * Combination([(1.0, rademacher(theta.size, seed, 0))])
    repeats = box.losses_at(theta, [centre] * num_repeats)
    repeats = repeats[np.isfinite(repeats)]
    if repeats.size < 2:
        raise TooManyFailures(
            f"Calibration needs two losses at the parameters, but {repeats.size} of {num_repeats} came."
        )
    noise = float(repeats.std(ddof=1))
    value = float(repeats.mean())
    wanted *= max(noise, torch.finfo(theta.dtype).eps * abs(value))
    found, second = _grow(box, theta, radius, max_radius, value, wanted, seed)
    curvature = second / found**2
    return Calibration(
        noise=noise,
        radius=max(radius, found * _set_back(wanted, second)),
        curvature=curvature,
        lr=0.5 / curvature if curvature > 0 else 0.0,
        value=value,
        num_queries=box.num_queries - before,
    )


def _grow(
    box: BlackBox, theta: Parameters, radius: float, max_radius: float, value: float, wanted: float, seed: int
) -> tuple[float, float]:
    """The first radius whose second difference stands out, or the last one, and the size of that difference."""
    number = failed = 0
    while True:
        direction = rademacher(theta.size, seed, number)
        probes = [Combination([(side * radius, direction)]) for side in (1.0, -1.0)]
        plus, minus = box.losses_at(theta, probes)
        second = abs(float(plus + minus) - 2 * value)
        if math.isnan(second):  # a side failed
            number, failed = number + 1, failed + 1
            if failed > box.queries.max_failures:
                raise TooManyFailures(f"Calibration needs pairs of losses, but {failed} pairs in a row failed.")
            continue
        if second > wanted or radius >= max_radius:
            return radius, second
        radius, number = min(_GROWTH * radius, max_radius), number + 1


def _set_back(wanted: float, second: float) -> float:
    """The factor of the radius at which the second difference would be what is asked for.

    The radius before fell short of that, so a factor below one over the growth means that it fell short by rounding of
    the loss instead, or that the first radius was enough: then the radius stays.
    """
    factor = math.sqrt(wanted / second) if second > 0 else 1.0
    return factor if 1 / _GROWTH <= factor <= 1 else 1.0


def _as_box(black_box: BlackBox | Function, parameters: Parameters | ParameterSource) -> tuple[BlackBox, Parameters]:
    """A black box without arguments and the parameters it depends on; a function gets a vector of its own."""
    if isinstance(black_box, BlackBox):
        return black_box, Parameters.of(parameters)
    if not callable(black_box):
        raise TypeError(f"`black_box` must be a BlackBox or a function, got {type(black_box).__name__}.")
    x = np.array(parameters, dtype=np.float64)
    return BlackBox(lambda: black_box(x.copy()), estimator=SPSA(radius=1.0)), Parameters(x)
