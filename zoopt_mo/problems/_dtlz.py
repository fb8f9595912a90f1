"""A problem of Deb, Thiele, Laumanns and Zitzler with any number of objectives."""

from __future__ import annotations

import numpy as np

from zoopt_mo._checks import check_count
from zoopt_mo.problems._base import Array
from zoopt_mo.problems._forms import AnalyticProblem
from zoopt_mo.problems._seeds import generator_of


class DTLZ2(AnalyticProblem):
    r"""The positive part of a sphere as front, :math:`\sum_i f_i^2 = 1`, for any number of objectives, in ``[0, 1]``.

    .. math:: f_i = (1 + g) \prod_{j \le n - i} \cos \tfrac\pi2 x_j \cdot \sin \tfrac\pi2 x_{n-i+1}, \qquad
        g = \sum_{j \ge n} (x_j - \tfrac12)^2

    without the sine for ``i = 1``. A start is uniform in the box.

    Args:
        num_objectives: Number of losses ``n``, at least 2.
        size: Number of parameters ``p``, at least ``n``.

    Raises:
        ValueError: If ``num_objectives`` is below 2 or ``size`` is below ``num_objectives``.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.DTLZ2(num_objectives=3, size=4).losses([0.0, 1.0, 0.5, 0.5]).round(12).tolist()
        [0.0, 1.0, 0.0]

    Reference:
        Deb, Thiele, Laumanns, Zitzler (2002), "Scalable Multi-Objective Optimization Test Problems".
    """

    def __init__(self, num_objectives: int, size: int) -> None:
        check_count("num_objectives", num_objectives, least=2)
        check_count("size", size, least=num_objectives)
        super().__init__(size, num_objectives, lower=np.zeros(size), upper=np.ones(size))

    @property
    def ideal(self) -> Array:
        """Zeros ``[n]``."""
        return np.zeros(self.num_objectives)

    @property
    def nadir(self) -> Array:
        """Ones ``[n]``."""
        return np.ones(self.num_objectives)

    def front(self, num_points: int) -> Array:
        """``num_points`` points ``[k, n]``: at equal angles for two losses, else random and uniform over the sphere."""
        count = check_count("num_points", num_points)
        if self.num_objectives == 2:
            angles = np.linspace(0.0, 0.5 * np.pi, count)
            return np.stack([np.sin(angles), np.cos(angles)], axis=-1)
        normals = np.abs(generator_of(0, "data").standard_normal((count, self.num_objectives)))
        return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True))

    def start(self, seed: int) -> Array:
        """Uniform in the box, from ``seed``."""
        return generator_of(seed, "start").random(self.size)

    def _height(self, x: Array) -> Array:
        """``1 + g``, of shape ``[...]``."""
        return np.asarray(1.0 + np.sum((x[..., self.num_objectives - 1 :] - 0.5) ** 2, axis=-1))

    def _factors(self, x: Array) -> tuple[Array, Array]:
        """The cosine, sine or one that angle ``j`` gives to loss ``i``, and its slope by ``x_j``: ``[..., i, j]``."""
        angles = 0.5 * np.pi * x[..., None, : self.num_objectives - 1]
        last = np.arange(self.num_objectives)[::-1][:, None]  # loss i has cosines before this angle and its sine
        angle = np.arange(self.num_objectives - 1)
        cos, sin = np.cos(angles), np.sin(angles)
        factors = np.where(angle < last, cos, np.where(angle == last, sin, 1.0))
        slopes = np.where(angle < last, -sin, np.where(angle == last, cos, 0.0))
        return factors, 0.5 * np.pi * slopes

    def _losses(self, x: Array) -> Array:
        factors, _ = self._factors(x)
        return np.asarray(self._height(x)[..., None] * factors.prod(axis=-1))

    def _gradients(self, x: Array) -> Array:
        factors, slopes = self._factors(x)
        num_angles = self.num_objectives - 1
        gradients = np.zeros((self.num_objectives, self.size))
        for angle in range(num_angles):
            others = np.delete(factors, angle, axis=-1).prod(axis=-1)
            gradients[:, angle] = self._height(x) * slopes[:, angle] * others
        gradients[:, num_angles:] = 2.0 * np.outer(factors.prod(axis=-1), x[num_angles:] - 0.5)
        return gradients
