"""A weighted sum over the steps so far, in one vector, for the estimators that average."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoopt_mo.directions import Combination, DenseDirection, Direction, as_numbers

LARGE = 1 << 16
"""Entries beyond which a sum is held in single precision, since its memory and the time to read it count."""


class RunningSum:
    r"""The recurrence :math:`v_k = a_k v_{k-1} + b_k g_k` with :math:`v_0 = 0`, in one vector.

    Up to 2^16 entries each :math:`v_k` is a new vector, in double precision. Beyond, where finding memory takes longer
    than using it, there is one vector, in single precision: the newest :math:`v_k` is the vector and a few directions,
    which are folded into it, in its own memory, when the next step comes or the state is asked for. Where someone holds
    on to an earlier :math:`v_k`, new memory is taken then. The vector lies where the gradients were last needed.

    Args:
        vector: A saved :math:`v_k`; None where no step was taken.
    """

    def __init__(self, vector: Tensor | None = None) -> None:
        self._vector = vector
        self._pending: Combination | None = None  # v_k where it is not folded yet
        self._value: weakref.ref[_Value] | None = None  # v_k as it was given out
        self._holder: weakref.ref[_Value] | None = None  # the value given out that is the vector alone

    def advance(self, keep: float, gradient: Combination, weight: float) -> Combination:
        """Take a step and return its :math:`v_k`, which stays what it is whatever comes.

        Args:
            keep: Factor :math:`a_k` of the one before.
            gradient: The step's gradient :math:`g_k`.
            weight: Its factor :math:`b_k`.
        """
        vector = self.fold()
        if vector is None:
            vector = torch.zeros(gradient.size, dtype=_dtype_for(gradient.size), device=gradient.device)
            keep = 0.0
        vector = vector.to(gradient.device)
        following = keep * _alone(vector) + weight * gradient
        if gradient.size <= LARGE:
            self._vector = following.dense(dtype=vector.dtype, device=vector.device)
            return _alone(self._vector)
        value = _Value(following)
        self._vector, self._pending, self._value = vector, following, weakref.ref(value)
        return Combination([(1.0, value)])

    def fold(self) -> Tensor | None:
        """The newest :math:`v_k` as one vector, the sum's own: copy it to keep it. None where no step was taken."""
        if self._pending is not None:
            vector = self._room(self._pending.size)
            self._pending.scaled_sum(1.0, vector.dtype, vector.device).write(as_numbers(vector), None, 0)
            self._vector, self._pending = vector, None
            value = None if self._value is None else self._value()
            if value is not None:
                value.parts = _alone(vector)
            self._holder = self._value
        return self._vector

    def __getstate__(self) -> dict[str, Any]:
        """The vector alone: what was given out belongs to the original."""
        return {"_vector": self.fold(), "_pending": None, "_value": None, "_holder": None}

    def _room(self, size: int) -> Tensor:
        """The vector's own memory, unless an earlier value or a saved state needs its numbers."""
        held = self._holder is not None and self._holder() is not None
        vector = self._vector
        unshared = 3  # the attribute, the name here, and the argument of the count
        if vector is None or held or sys.getrefcount(vector) > unshared:
            return torch.empty(size, dtype=_dtype_for(size), device=None if vector is None else vector.device)
        return vector


def _dtype_for(size: int) -> torch.dtype:
    return torch.float64 if size <= LARGE else torch.float32


def _alone(vector: Tensor) -> Combination:
    return Combination([(1.0, DenseDirection(vector))])


class _Value(Direction):
    """One :math:`v_k`: at first a vector and a few directions, later a vector.

    Args:
        parts: What it is the sum of.
    """

    def __init__(self, parts: Combination) -> None:
        super().__init__(parts.size)
        self.parts = parts

    def flattened(self, factor: float) -> Sequence[tuple[float, Direction]]:
        """The parts, times a factor."""
        return (factor * self.parts).terms

    @property
    def device(self) -> torch.device:
        """Where the parts lie."""
        return self.parts.device

    def add_to(self, vector: Tensor, scale: float, *, start: int = 0) -> None:
        """Add ``scale`` times the entries from ``start`` on to ``vector``, in place."""
        self.parts.add_to(vector, scale, start=start)

    def dot(self, other: Direction | Tensor) -> float:
        """Inner product with another direction or a tensor ``[p]``."""
        return self.parts.dot(Combination([(1.0, other)]) if isinstance(other, Direction) else other)

    def reciprocal(self) -> DenseDirection:
        """One over every entry; an entry of zero is an error."""
        return DenseDirection(self._dense()).reciprocal()

    def state_dict(self) -> dict[str, Any]:
        """The vector."""
        return {"vector": self._dense()}

    def _dense(self) -> Tensor:
        return self.parts.dense(dtype=_dtype_for(self.size))
