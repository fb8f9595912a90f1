"""Problems of Zitzler, Deb and Thiele, and a smooth one of that kind without bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zoopt_mo._checks import check_count
from zoopt_mo.problems._base import Array
from zoopt_mo.problems._forms import AnalyticProblem
from zoopt_mo.problems._seeds import generator_of
from zoopt_mo.problems._separable import Profile

Pairwise = Callable[[Array, Array], Array]


class Curve(NamedTuple):
    """The second loss as a function of the first, ``u``, and of the distance ``g`` from the front, where ``g = 1``.

    Args:
        value: The second loss.
        slope_u: Its derivative by ``u``.
        slope_g: Its derivative by ``g``.
        regions: Intervals of ``u`` that make up the front ``[r, 2]``; all but the first are open below.
    """

    value: Pairwise
    slope_u: Pairwise
    slope_g: Pairwise
    regions: Array


def _root_slope(u: Array, g: Array) -> Array:
    """Derivative of ``-sqrt(u g)`` by ``u``, which is infinite at 0: taken at 1e-9 there."""
    return -0.5 * np.sqrt(g / np.maximum(u, 1e-9))


def _wave_slope(u: Array) -> Array:
    angle = 10.0 * np.pi * u
    return -np.sin(angle) - angle * np.cos(angle)


_ROOT = Curve(
    value=lambda u, g: g - np.sqrt(u * g),
    slope_u=_root_slope,
    slope_g=lambda u, g: 1.0 - 0.5 * np.sqrt(u / g),
    regions=np.array([[0.0, 1.0]]),
)
_SQUARE = Curve(
    value=lambda u, g: g - u**2 / g,
    slope_u=lambda u, g: -2.0 * u / g,
    slope_g=lambda u, g: 1.0 + (u / g) ** 2,
    regions=np.array([[0.0, 1.0]]),
)
_WAVE = Curve(
    value=lambda u, g: g - np.sqrt(u * g) - u * np.sin(10.0 * np.pi * u),
    slope_u=lambda u, g: _root_slope(u, g) + _wave_slope(u),
    slope_g=lambda u, g: 1.0 - 0.5 * np.sqrt(u / g),
    # Each ends at a minimum of the curve and begins where the curve falls below the minimum before.
    regions=np.array(
        [
            [0.0, 0.08300153492691163],
            [0.18222872802939977, 0.2577623633878302],
            [0.4093136748086568, 0.4538821040888302],
            [0.6183967944392658, 0.6525117038046625],
            [0.8233317983266327, 0.8518328654364139],
        ]
    ),
)
_LINE = Profile(value=lambda u: u, slope=np.ones_like)
_HILL = Profile(value=lambda u: np.sin(0.5 * np.pi * u) ** 2, slope=lambda u: 0.5 * np.pi * np.sin(np.pi * u))


class PositionAndDistance(AnalyticProblem):
    r"""Two losses: a position along the front, and a curve that a distance from the front lifts.

    .. math:: f_1 = u(x_1), \qquad f_2 = c(f_1, g), \qquad g = 1 + \tfrac{1}{p - 1} \sum_{i>1} d(x_i)

    Args:
        size: Number of parameters ``p``, at least 2.
        curve: The second loss ``c`` and the parts of the front.
        position: The function ``u``, and its derivative.
        distance: The function ``d``, least at 0, and its derivative.
        bounded: Whether ``x`` is confined to ``[0, 1]``.
    """

    def __init__(self, size: int, curve: Curve, *, position: Profile, distance: Profile, bounded: bool) -> None:
        count = check_count("size", size, least=2)
        bounds = (np.zeros(count), np.ones(count)) if bounded else (None, None)
        super().__init__(count, 2, lower=bounds[0], upper=bounds[1])
        self._curve, self._position, self._distance = curve, position, distance

    @property
    def ideal(self) -> Array:
        """The first loss at the left end of the front and the second at its right end ``[2]``."""
        return np.asarray(self._ends().min(axis=0))

    @property
    def nadir(self) -> Array:
        """The first loss at the right end of the front and the second at its left end ``[2]``."""
        return np.asarray(self._ends().max(axis=0))

    def front(self, num_points: int) -> Array:
        """Points at ``num_points`` even steps of the first loss over the parts of the front ``[k, 2]``."""
        regions = self._curve.regions
        ends = np.cumsum(regions[:, 1] - regions[:, 0])
        steps = np.linspace(0.0, ends[-1], check_count("num_points", num_points))
        which = np.minimum(np.searchsorted(ends, steps), len(ends) - 1)
        return self._on_curve(regions[which, 1] - (ends[which] - steps))

    def start(self, seed: int) -> Array:
        """From ``seed``: uniform in the box where there is one, else normal with standard deviation 1."""
        generator = generator_of(seed, "start")
        return generator.standard_normal(self.size) if self.lower is None else generator.random(self.size)

    def _ends(self) -> Array:
        """Left and right end of the front ``[2, 2]``."""
        return self._on_curve(self._curve.regions[[0, -1], [0, 1]])

    def _on_curve(self, u: Array) -> Array:
        return np.stack([u, self._curve.value(u, np.ones_like(u))], axis=-1)

    def _parts(self, x: Array) -> tuple[Array, Array]:
        return self._position.value(x[..., 0]), 1.0 + self._distance.value(x[..., 1:]).mean(axis=-1)

    def _losses(self, x: Array) -> Array:
        u, g = self._parts(x)
        return np.stack([u, self._curve.value(u, g)], axis=-1)

    def _gradients(self, x: Array) -> Array:
        u, g = self._parts(x)
        gradients = np.zeros((2, self.size))
        gradients[0, 0] = self._position.slope(x[0])
        gradients[1, 0] = self._curve.slope_u(u, g) * gradients[0, 0]
        gradients[1, 1:] = self._curve.slope_g(u, g) * self._distance.slope(x[1:]) / (self.size - 1)
        return gradients


_NINE = Profile(value=lambda x: 9.0 * x, slope=lambda x: np.full_like(x, 9.0))
_BOWL = Profile(value=lambda x: x * x, slope=lambda x: 2.0 * x)


class ZDT1(PositionAndDistance):
    r"""Convex front :math:`f_2 = 1 - \sqrt{f_1}`, in the box ``[0, 1]``.

    .. math:: f_1 = x_1, \qquad f_2 = g - \sqrt{f_1 g}, \qquad g = 1 + \tfrac{9}{p - 1} \sum_{i>1} x_i

    At :math:`x_1 = 0` the derivative of :math:`f_2` is infinite; ``gradients`` gives that at :math:`10^{-9}` there. A
    start is uniform in the box.

    Args:
        size: Number of parameters ``p``, at least 2.

    Raises:
        ValueError: If ``size`` is below 2.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.ZDT1(3).losses([0.25, 0.0, 0.0]).tolist()
        [0.25, 0.5]

    Reference:
        Zitzler, Deb, Thiele (2000), "Comparison of Multiobjective Evolutionary Algorithms: Empirical Results".
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, _ROOT, position=_LINE, distance=_NINE, bounded=True)


class ZDT2(PositionAndDistance):
    r"""Concave front :math:`f_2 = 1 - f_1^2`, in the box ``[0, 1]``.

    .. math:: f_1 = x_1, \qquad f_2 = g - f_1^2 / g, \qquad g = 1 + \tfrac{9}{p - 1} \sum_{i>1} x_i

    A start is uniform in the box.

    Args:
        size: Number of parameters ``p``, at least 2.

    Raises:
        ValueError: If ``size`` is below 2.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.ZDT2(3).losses([0.5, 0.0, 0.0]).tolist()
        [0.5, 0.75]

    Reference:
        Zitzler, Deb, Thiele (2000), "Comparison of Multiobjective Evolutionary Algorithms: Empirical Results".
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, _SQUARE, position=_LINE, distance=_NINE, bounded=True)


class ZDT3(PositionAndDistance):
    r"""A front in five pieces of :math:`f_2 = 1 - \sqrt{f_1} - f_1 \sin 10 \pi f_1`, in the box ``[0, 1]``.

    .. math:: f_1 = x_1, \qquad f_2 = g - \sqrt{f_1 g} - f_1 \sin 10 \pi f_1, \qquad
        g = 1 + \tfrac{9}{p - 1} \sum_{i>1} x_i

    At :math:`x_1 = 0` the derivative of :math:`f_2` is infinite; ``gradients`` gives that at :math:`10^{-9}` there. A
    start is uniform in the box.

    Args:
        size: Number of parameters ``p``, at least 2.

    Raises:
        ValueError: If ``size`` is below 2.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.ZDT3(3).losses([0.25, 0.0, 0.0]).tolist()
        [0.25, 0.25]

    Reference:
        Zitzler, Deb, Thiele (2000), "Comparison of Multiobjective Evolutionary Algorithms: Empirical Results".
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, _WAVE, position=_LINE, distance=_NINE, bounded=True)


class SmoothZDT2(PositionAndDistance):
    r"""The concave front of ZDT2, :math:`f_2 = 1 - f_1^2`, smooth and without bounds.

    .. math:: f_1 = \sin^2 \tfrac\pi2 x_1, \qquad f_2 = g - f_1^2 / g, \qquad g = 1 + \tfrac{1}{p - 1} \sum_{i>1} x_i^2

    Every vector is allowed. The Pareto-optimal ones have zeros from the second entry on. A weighted sum finds the ends
    of the front alone. A start is normal with standard deviation 1.

    Args:
        size: Number of parameters ``p``, at least 2.

    Raises:
        ValueError: If ``size`` is below 2.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.SmoothZDT2(3).losses([0.5, 0.0, 0.0]).round(12).tolist()
        [0.5, 0.75]
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, _SQUARE, position=_HILL, distance=_BOWL, bounded=False)
