"""Sums of a few directions, which are what a zeroth-order gradient is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zoopt_mo.directions._direction import Direction
from zoopt_mo.directions._signs import direction_from_state
from zoopt_mo.directions._sums import Sum, as_numbers


class Combination:
    r"""A weighted sum of directions, :math:`\sum_j \beta_j d_j`; never a dense vector unless asked.

    Args:
        terms: Pairs of coefficient and direction, at least one, all of the same size ``p``.
        norm: Euclidean length, where it is known already; else it is computed when it is asked for.

    Example:
        >>> import torch
        >>> from zoopt_mo import Combination, DenseDirection
        >>> gradient = Combination([(2.0, DenseDirection(torch.tensor([3.0, 4.0])))])
        >>> gradient.norm()
        10.0
        >>> (0.5 * gradient).dense().tolist()
        [3.0, 4.0]
    """

    def __init__(self, terms: Sequence[tuple[float, Direction]], *, norm: float | None = None) -> None:
        if not terms:
            raise ValueError("`terms` must hold at least one pair of coefficient and direction, got none.")
        self.terms = tuple([(float(coefficient), direction) for coefficient, direction in terms])
        if len(terms) > 1 and len(sizes := {direction.size for _, direction in terms}) > 1:
            raise ValueError(f"`terms` must hold directions of one size, got sizes {sorted(sizes)}.")
        self._norm = norm

    @property
    def size(self) -> int:
        """Number of entries ``p``."""
        return self.terms[0][1].size

    @property
    def device(self) -> torch.device:
        """Where its numbers were last needed; another device than the CPU if any of them was."""
        devices = [direction.device for _, direction in self.terms]
        return next((device for device in devices if device.type != "cpu"), devices[0])

    def __add__(self, other: Combination) -> Combination:
        """The sum of two combinations."""
        return Combination(self.terms + other.terms)

    def __rmul__(self, factor: float) -> Combination:
        """The combination times a number."""
        norm = None if self._norm is None else abs(factor) * self._norm
        return Combination([(factor * coefficient, direction) for coefficient, direction in self.terms], norm=norm)

    def add_to(self, vector: Tensor, scale: float = 1.0, *, start: int = 0) -> None:
        """Add ``scale`` times the entries from ``start`` on to ``vector``, in place.

        Args:
            vector: Where to add, one-dimensional; it stands for entries ``start`` to ``start + len(vector)``.
            scale: Factor of the combination.
            start: First entry that ``vector`` stands for.
        """
        if start < 0 or start + len(vector) > self.size:
            raise ValueError(
                f"`vector` must lie within the {self.size} entries, got entries {start} to {start + len(vector)}."
            )
        numbers = as_numbers(vector)
        self.scaled_sum(scale, vector.dtype, vector.device).write(numbers, numbers, start)

    def scaled_sum(self, scale: float, dtype: torch.dtype, device: torch.device) -> Sum:
        """``scale`` times the combination, ready to be written into parts of tensors.

        Args:
            scale: Factor of the combination.
            dtype: Type of the tensors.
            device: Where they lie.
        """
        return Sum([(scale * coefficient, direction) for coefficient, direction in self.terms], dtype, device)

    def dot(self, other: Combination | Tensor) -> float:
        """Inner product with another combination or a tensor ``[p]``.

        Args:
            other: A combination or one-dimensional tensor of the same size.
        """
        if isinstance(other, Combination):
            return math.fsum(a * b * d.dot(e) for a, d in self.terms for b, e in other.terms)
        return math.fsum(a * d.dot(other) for a, d in self.terms)

    def norm(self) -> float:
        """Euclidean length."""
        if self._norm is None:
            self._norm = math.sqrt(max(self._squared(), 0.0))
        return self._norm

    def _squared(self) -> float:
        """The inner product with itself; each pair of directions is multiplied once."""
        squares = (a * a * d.dot(d) for a, d in self.terms)
        mixed = (2 * a * b * d.dot(e) for (a, d), (b, e) in itertools.combinations(self.terms, 2))
        return math.fsum(itertools.chain(squares, mixed))

    def dense(self, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Tensor:
        """The combination as a tensor ``[p]``.

        Args:
            dtype: Floating-point type of the tensor.
            device: Where the tensor lies.
        """
        vector = torch.empty(self.size, dtype=dtype, device=device)
        self.scaled_sum(1.0, dtype, vector.device).write(as_numbers(vector), None, 0)
        return vector

    def state_dict(self) -> dict[str, Any]:
        """Coefficients and directions as plain tensors and numbers."""
        return {
            "coefficients": [coefficient for coefficient, _ in self.terms],
            "directions": [direction.state_dict() for _, direction in self.terms],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Combination:
        """Make a combination again from its ``state_dict``.

        Args:
            state: What :meth:`state_dict` gave.
        """
        directions = map(direction_from_state, state["directions"])
        return cls(list(zip(state["coefficients"], directions, strict=True)))


def opposite_pairs(displacements: Sequence[Combination]) -> list[tuple[int, int]]:
    """Which displacements are the opposite of the one before, as pairs of indices.

    Args:
        displacements: Displacements ``[q]``.
    """
    return [
        (index, index + 1)
        for index, (one, other) in enumerate(itertools.pairwise(displacements))
        if len(one.terms) == len(other.terms)
        and all(a == -b and d is e for (a, d), (b, e) in zip(one.terms, other.terms, strict=True))
    ]
