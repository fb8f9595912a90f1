"""Directions in parameter space: vectors that need not be dense."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo._checks import check_count
from zoopt_mo.directions._sums import Floats, Numbers, Sum, Term, as_numbers


class Direction(ABC):
    """A vector ``[p]`` that can be added to parameters and multiplied with other vectors without being copied.

    Args:
        size: Number of entries ``p``.
    """

    origin: tuple[Any, ...] | None = None
    """What draws the direction again, a function and its arguments; it takes less room than the bits."""

    def __init__(self, size: int) -> None:
        self.size = check_count("size", size)

    def __getstate__(self) -> dict[str, Any]:
        """The entries alone: the function of the origin may not be importable elsewhere."""
        return {name: value for name, value in vars(self).items() if name != "origin"}

    @abstractmethod
    def add_to(self, vector: Tensor, scale: float, *, start: int = 0) -> None:
        """Add ``scale`` times the entries from ``start`` on to ``vector``, in place.

        Args:
            vector: Where to add, one-dimensional; it stands for entries ``start`` to ``start + len(vector)``.
            scale: Factor of the direction.
            start: First entry that ``vector`` stands for.
        """

    @abstractmethod
    def dot(self, other: Direction | Tensor) -> float:
        """Inner product with another direction or a tensor ``[p]``.

        Args:
            other: A direction or one-dimensional tensor of the same size.
        """

    @abstractmethod
    def reciprocal(self) -> Direction:
        """The direction with every entry replaced by one over it, as equation 2 divides by it."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Plain tensors and numbers from which ``direction_from_state`` makes the direction again."""

    def flattened(self, factor: float) -> Sequence[tuple[float, Direction]]:
        """The direction times ``factor`` as a sum of others; itself alone unless a kind is made of several.

        Args:
            factor: Its factor.
        """
        return [(factor, self)]

    def as_term(self, factor: float, dtype: np.dtype[Any]) -> Term:  # noqa: ARG002, other kinds need it
        """The direction times ``factor``, to be made piece by piece on the CPU; by ``add_to`` unless a kind knows more.

        Args:
            factor: Its factor.
            dtype: Type of the pieces, single or double precision.
        """
        return _AnyTerm(self, factor)

    @property
    def device(self) -> torch.device:
        """Where its numbers were last needed."""
        return torch.device("cpu")

    def packed_on(self, device: torch.device) -> Tensor | None:  # noqa: ARG002, signs need it
        """Its packed signs as bytes, if signs are what it is.

        Args:
            device: Where they are needed.
        """
        return None

    def on_device(self, factor: float, start: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Entries ``start`` to ``start + count`` times a factor, as a new tensor.

        Args:
            factor: Their factor.
            start: First entry.
            count: Number of entries.
            dtype: Type of the tensor.
            device: Where it lies.
        """
        part = torch.zeros(count, dtype=dtype, device=device)
        self.add_to(part, factor, start=start)
        return part


class DenseDirection(Direction):
    """Any vector, held as it is.

    Args:
        vector: The entries, a floating-point tensor ``[p]``; it is not copied.
    """

    def __init__(self, vector: Tensor) -> None:
        if vector.ndim != 1 or not vector.is_floating_point():
            raise ValueError(
                f"`vector` must be one-dimensional and floating point, got {vector.dtype} {list(vector.shape)}."
            )
        super().__init__(vector.numel())
        self.vector = vector.detach()

    def add_to(self, vector: Tensor, scale: float, *, start: int = 0) -> None:
        """Add ``scale`` times the entries from ``start`` on to ``vector``, in place."""
        add_piecewise(self, vector, scale, start)

    def dot(self, other: Direction | Tensor) -> float:
        """Inner product, in the precision of the vectors; half precision is multiplied in single."""
        check_same_size(self.size, other)
        vector = other.vector if isinstance(other, DenseDirection) else other
        if not isinstance(vector, Tensor):
            return vector.dot(self)
        own = widened(self.vector)
        return float(torch.dot(own, vector.to(own.device, own.dtype)))

    def reciprocal(self) -> DenseDirection:
        """One over every entry; an entry of zero is an error."""
        if not bool((self.vector != 0).all()):
            raise ValueError("`vector` must have no zero entry to be divided by, as equation 2 does.")
        return DenseDirection(self.vector.reciprocal())

    def state_dict(self) -> dict[str, Any]:
        """The vector."""
        return {"vector": self.vector}

    def as_term(self, factor: float, dtype: np.dtype[Any]) -> Term:  # noqa: ARG002, the room has it
        """The entries times ``factor``, to be made piece by piece on the CPU."""
        return DenseTerm(as_numbers(self.vector), factor)

    @property
    def device(self) -> torch.device:
        """Where the vector lies."""
        return self.vector.device

    def on_device(self, factor: float, start: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Entries ``start`` to ``start + count`` times a factor, as a new tensor."""
        return self.vector[start : start + count].to(device, dtype) * factor


class DenseTerm:
    """A vector in memory times a factor."""

    def __init__(self, vector: Numbers, factor: float) -> None:
        self._vector, self._factor = vector, factor

    def make(self, start: int, count: int, codes: npt.NDArray[np.intp], room: Floats) -> Floats:  # noqa: ARG002
        part, made = self._vector[start : start + count], room[:count]
        if isinstance(part, Tensor):
            part = widened(part).cpu().numpy()
        np.multiply(part, self._factor, out=made, dtype=made.dtype, casting="same_kind")
        return made


class _AnyTerm:
    """A direction times a factor, by its ``add_to``."""

    def __init__(self, direction: Direction, factor: float) -> None:
        self._direction, self._factor = direction, factor

    def make(self, start: int, count: int, codes: npt.NDArray[np.intp], room: Floats) -> Floats:  # noqa: ARG002
        made = room[:count]
        made[:] = 0
        self._direction.add_to(torch.from_numpy(made), self._factor, start=start)
        return made


def add_piecewise(direction: Direction, vector: Tensor, scale: float, start: int) -> None:
    if start < 0 or start + len(vector) > direction.size:
        raise ValueError(
            f"`vector` must lie within the {direction.size} entries, got entries {start} to {start + len(vector)}."
        )
    numbers = as_numbers(vector)
    Sum([(scale, direction)], vector.dtype, vector.device).write(numbers, numbers, start)


def widened(vector: Tensor) -> Tensor:
    """Half precision as single: a sum of squares overflows ``float16`` at 65504."""
    return vector.float() if vector.dtype in (torch.float16, torch.bfloat16) else vector


def check_same_size(size: int, other: Direction | Tensor) -> None:
    other_size = other.numel() if isinstance(other, Tensor) else other.size
    if other_size != size:
        raise ValueError(f"`other` must have {size} entries, got {other_size}.")
