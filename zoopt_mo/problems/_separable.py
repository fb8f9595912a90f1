"""Losses that are a weighted sum of one profile along the axes of a rotated, shifted frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zoopt_mo.problems._base import Array, SingleObjective
from zoopt_mo.problems._forms import AnalyticProblem
from zoopt_mo.problems._rotation import Rotation
from zoopt_mo.problems._seeds import generator_of


class Profile(NamedTuple):
    """A function of one coordinate with its least value 0 at 0, and its derivative.

    Args:
        value: From coordinates ``[..., p]`` to values of the same shape.
        slope: From coordinates ``[..., p]`` to derivatives of the same shape.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


class Separable(AnalyticProblem, SingleObjective):
    r"""A sum of one profile along ``p`` orthogonal axes: the loss of all quadratics and valleys here.

    .. math:: f(x) = \sum_i h_i \, \varphi(z_i), \qquad z = R (x - x^*)

    Its optimum is 0 at :math:`x^*`. A start is normal around the origin with standard deviation 1.

    Args:
        profile: The function :math:`\varphi` of one coordinate.
        scales: The factors ``h`` ``[p]``.
        name: Its name in tables.
        rotation_seed: Seed of the rotation ``R``; None leaves the axes as they are.
        shift_seed: Seed of a normal :math:`x^*`; None puts it at the origin.
    """

    def __init__(
        self,
        profile: Profile,
        scales: Array,
        *,
        name: str,
        rotation_seed: int | None = None,
        shift_seed: int | None = None,
    ) -> None:
        size = len(scales)
        super().__init__(size, name=name if rotation_seed is None else f"{name}, rotated")
        self.scales = scales
        self._profile = profile
        self._rotation = None if rotation_seed is None else Rotation(size, rotation_seed)
        self._shift = np.zeros(size) if shift_seed is None else generator_of(shift_seed, "shift").standard_normal(size)

    @property
    def minimizer(self) -> Array:
        """The bottom :math:`x^*` ``[p]``, where the loss is 0."""
        return self._shift.copy()

    def start(self, seed: int) -> Array:
        """Normal with standard deviation 1, from ``seed``."""
        return generator_of(seed, "start").standard_normal(self.size)

    def _losses(self, x: Array) -> Array:
        values: Array = self._profile.value(self._to_frame(x)) @ self.scales
        return values[..., None]

    def _gradients(self, x: Array) -> Array:
        slope = self.scales * self._profile.slope(self._to_frame(x))
        return (slope if self._rotation is None else self._rotation.apply_transpose(slope))[None]

    def _to_frame(self, x: Array) -> Array:
        moved = x - self._shift
        return moved if self._rotation is None else self._rotation.apply(moved)


def fall_off(size: int, condition: float) -> Array:
    """Scales from 1 down to ``1 / condition`` in equal ratios ``[p]``."""
    return np.asarray(condition ** -np.linspace(0.0, 1.0, size), dtype=np.float64)
