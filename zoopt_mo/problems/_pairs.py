"""Two bowls with different centres: fronts known in closed form, convex and concave."""

from __future__ import annotations

import numpy as np

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.problems._base import Array
from zoopt_mo.problems._forms import AnalyticProblem
from zoopt_mo.problems._seeds import generator_of
from zoopt_mo.problems._separable import Profile, fall_off


class PairOfBowls(AnalyticProblem):
    r"""Two losses that grow with the distance from two centres.

    .. math:: f_{1,2}(x) = \varphi(r_{1,2}^2), \qquad r_{1,2}^2 = \sum_i h_i (x_i \mp e)^2, \qquad
        e = 1 / \sqrt{\textstyle\sum_i h_i}

    The centres are a distance of 2 apart. The Pareto-optimal points lie between them, where :math:`r_1 + r_2 = 2`.

    Args:
        profile: The growing function :math:`\varphi` of the squared distance, and its derivative.
        scales: The factors ``h`` ``[p]``.
        spread: Standard deviation of a start, in units of ``e``.
    """

    def __init__(self, profile: Profile, scales: Array, *, spread: float) -> None:
        super().__init__(len(scales), 2)
        self._profile, self._scales = profile, scales
        self._offset = 1.0 / np.sqrt(scales.sum())
        self._spread = spread * self._offset

    @property
    def ideal(self) -> Array:
        """Both losses at their own centres ``[2]``."""
        return self._profile.value(np.zeros(2))

    @property
    def nadir(self) -> Array:
        """Each loss at the other's centre ``[2]``."""
        return self._profile.value(np.full(2, 4.0))

    def front(self, num_points: int) -> Array:
        """Losses at ``num_points`` even steps from centre to centre ``[k, 2]``."""
        distances = np.linspace(0.0, 2.0, check_count("num_points", num_points))
        return self._profile.value(np.square(np.stack([distances, 2.0 - distances], axis=-1)))

    def start(self, seed: int) -> Array:
        """Normal around the middle of the centres, from ``seed``."""
        return generator_of(seed, "start").normal(0.0, self._spread, self.size)

    def _squares(self, x: Array) -> Array:
        """Squared distances ``[..., 2]`` from both centres."""
        return np.stack([(x - e) ** 2 @ self._scales for e in (self._offset, -self._offset)], axis=-1)

    def _losses(self, x: Array) -> Array:
        return self._profile.value(self._squares(x))

    def _gradients(self, x: Array) -> Array:
        inner = 2.0 * self._scales * np.stack([x - self._offset, x + self._offset])
        gradients: Array = self._profile.slope(self._squares(x))[:, None] * inner
        return gradients


class FonsecaFleming(PairOfBowls):
    r"""Fonseca and Fleming's concave pair, :math:`f_{1,2}(x) = 1 - \exp(-\sum_i (x_i \mp 1/\sqrt p)^2)`.

    Its front is :math:`f_2 = 1 - \exp(-(2 - \sqrt{-\log(1 - f_1)})^2)`. Far from the centres both losses are flat at 1,
    so a start is near: normal with standard deviation :math:`1/\sqrt p`.

    Args:
        size: Number of parameters ``p``.

    Raises:
        ValueError: If ``size`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.FonsecaFleming(1).losses([1.0]).round(4).tolist()
        [0.0, 0.9817]

    Reference:
        Fonseca and Fleming (1995), "Multiobjective Genetic Algorithms Made Easy".
    """

    def __init__(self, size: int) -> None:
        profile = Profile(value=lambda square: -np.expm1(-square), slope=lambda square: np.exp(-square))
        super().__init__(profile, np.ones(check_count("size", size)), spread=1.0)


class ConvexPair(PairOfBowls):
    r"""Two quadratics of the same shape, with the convex front :math:`\sqrt{f_1} + \sqrt{f_2} = 1`.

    .. math:: f_{1,2}(x) = \tfrac14 \sum_i h_i (x_i \mp e)^2, \qquad e = 1 / \sqrt{\textstyle\sum_i h_i}

    :math:`h` falls from 1 to :math:`1/\kappa` in equal ratios. A start is normal with standard deviation :math:`3e`.

    Args:
        size: Number of parameters ``p``.
        condition: Ratio :math:`\kappa` of the greatest to the least curvature.

    Raises:
        ValueError: If ``size`` or ``condition`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.ConvexPair(1).losses([[1.0], [0.0]]).tolist()
        [[0.0, 1.0], [0.25, 0.25]]
    """

    def __init__(self, size: int, *, condition: float = 1.0) -> None:
        profile = Profile(value=lambda square: 0.25 * square, slope=lambda square: np.full_like(square, 0.25))
        scales = fall_off(check_count("size", size), check_positive("condition", condition))
        super().__init__(profile, scales, spread=3.0)


class ConcavePair(PairOfBowls):
    r"""Two bowls that flatten slowly, with a front that is concave but near its ends.

    .. math:: f_{1,2}(x) = \frac{\log(1 + r_{1,2}^2 / \kappa)}{\log(1 + 4 / \kappa)}, \qquad
        r_{1,2}^2 = \lVert x \mp e \rVert^2

    with :math:`e_i = 1/\sqrt p`; on the front :math:`r_1 + r_2 = 2` and both losses are in ``[0, 1]``. A weighted sum
    finds little more than the ends; unlike :class:`FonsecaFleming` the losses keep a slope far away. A start is normal
    with standard deviation :math:`3 / \sqrt p`.

    Args:
        size: Number of parameters ``p``.
        softness: The constant :math:`\kappa`; the smaller, the more of the front is concave.

    Raises:
        ValueError: If ``size`` or ``softness`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.ConcavePair(1).losses([[1.0], [0.0]]).round(3).tolist()
        [[0.0, 1.0], [0.77, 0.77]]
    """

    def __init__(self, size: int, *, softness: float = 0.01) -> None:
        kappa = check_positive("softness", softness)
        top = np.log1p(4.0 / kappa)
        profile = Profile(
            value=lambda square: np.log1p(square / kappa) / top, slope=lambda square: 1.0 / ((kappa + square) * top)
        )
        super().__init__(profile, np.ones(check_count("size", size)), spread=3.0)
