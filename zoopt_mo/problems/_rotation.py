"""A random rotation that costs O(p log p) to apply, so that 10^4 parameters are no burden."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zoopt_mo.problems._base import Array
from zoopt_mo.problems._seeds import generator_of


class Rotation:
    """A product of layers of Givens rotations over random pairings: orthogonal, and every coordinate meets every other.

    A layer shuffles the coordinates, then turns the pairs (i, i + p/2) by random angles. With ``ceil(log2 p)`` layers
    or more a coordinate can reach all others.

    Args:
        size: Number of coordinates ``p``.
        seed: Seed of the pairings and angles.
    """

    def __init__(self, size: int, seed: int) -> None:
        generator = generator_of(seed, "rotation")
        self._layers = [_Layer(size, generator) for _ in range(max(2, (size - 1).bit_length()) if size > 1 else 0)]

    def apply(self, x: Array) -> Array:
        """``R x`` for points ``[..., p]``."""
        for layer in self._layers:
            x = layer.apply(x)
        return x

    def apply_transpose(self, z: Array) -> Array:
        """``R' z`` for points ``[..., p]``; undoes :meth:`apply`."""
        for layer in reversed(self._layers):
            z = layer.apply_transpose(z)
        return z


class _Layer:
    def __init__(self, size: int, generator: np.random.Generator) -> None:
        angles = generator.uniform(0.0, 2.0 * np.pi, size // 2)
        self._cos, self._sin = np.cos(angles), np.sin(angles)
        self._order: npt.NDArray[np.intp] = generator.permutation(size)
        self._inverse = np.argsort(self._order)

    def apply(self, x: Array) -> Array:
        return self._turn(np.take(x, self._order, axis=-1), self._sin)

    def apply_transpose(self, z: Array) -> Array:
        return np.take(self._turn(z, -self._sin), self._inverse, axis=-1)

    def _turn(self, x: Array, sin: Array) -> Array:
        half = len(sin)
        out = x.copy()
        first, second = x[..., :half], x[..., half : 2 * half]
        out[..., :half] = self._cos * first - sin * second
        out[..., half : 2 * half] = sin * first + self._cos * second
        return out
