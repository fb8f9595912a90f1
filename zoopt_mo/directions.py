r"""Directions in parameter space, and combinations of a few of them.

A zeroth-order gradient lives in the span of the few directions that were probed. It is therefore held as a
:class:`Combination`, coefficients times directions, and not as a dense vector. A direction of signs takes one bit an
entry: ``p / 8`` bytes instead of ``4 p``. Norms, cosines and averages of such gradients are arithmetic on the
coefficients and on exact whole-number inner products,
:math:`d_i \cdot d_j = p - 2\,\mathrm{popcount}(d_i \oplus d_j)`.
"""

from __future__ import annotations

import functools
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo._checks import check_count

# Entries decoded at a time: 2^17 signs of four bytes stay in a core's own cache.
_CHUNK = 1 << 17

Words = npt.NDArray[np.uint64]


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


class SignDirection(Direction):
    """Entries of +1 and -1, one bit each.

    Args:
        words: The bits, lowest first, in 64-bit words, ``[ceil(p / 64)]``; a set bit is +1. Bits past ``size`` are
            cleared.
        size: Number of entries ``p``.
    """

    def __init__(self, words: Words, size: int) -> None:
        super().__init__(size)
        expected = -(-size // 64)
        if words.dtype != np.uint64 or words.shape != (expected,):
            raise ValueError(
                f"`words` must be uint64 of shape [{expected}] for size {size}, got {words.dtype} {list(words.shape)}."
            )
        self.words = words.copy()
        if size % 64:
            self.words[-1] &= np.uint64((1 << (size % 64)) - 1)

    @property
    def num_bytes(self) -> int:
        """Memory that the packed signs take, in bytes."""
        return self.words.nbytes

    def add_to(self, vector: Tensor, scale: float, *, start: int = 0) -> None:
        """Add ``scale`` times the signs from ``start`` on to ``vector``, in place."""
        _check_within(self.size, vector, start)
        for first, signs in self._decoded(start, vector):
            vector[first : first + len(signs)].add_(signs, alpha=scale)

    def dot(self, other: Direction | Tensor) -> float:
        """Inner product; exact between two directions of signs."""
        _check_same_size(self.size, other)
        if isinstance(other, SignDirection):
            return float(self.size - 2 * int(np.bitwise_count(self.words ^ other.words).sum()))
        vector = other.vector if isinstance(other, DenseDirection) else other
        if not isinstance(vector, Tensor):
            return vector.dot(self)
        vector = _widened(vector)
        parts = self._decoded(0, vector)
        return math.fsum(float(torch.dot(signs, vector[first : first + len(signs)])) for first, signs in parts)

    def reciprocal(self) -> SignDirection:
        """The direction itself: one over a sign is the sign."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """The packed bits as a ``uint8`` tensor that shares their memory, and the size."""
        return {"signs": torch.from_numpy(self.words.view(np.uint8)), "size": self.size}

    def _decoded(self, start: int, like: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Pairs of offset into ``like`` and decoded signs, a cache-sized piece at a time."""
        table = _sign_table(like.dtype, like.device)
        packed = self.words.view(np.uint8)
        step = _CHUNK if like.device.type == "cpu" else len(like)
        for first in range(0, len(like), max(step, 1)):
            low, high = start + first, start + min(first + step, len(like))
            codes = torch.from_numpy(packed[low // 8 : -(-high // 8)]).to(like.device, torch.int32)
            signs = table.index_select(0, codes).view(-1)
            yield first, signs[low % 8 : low % 8 + high - low]


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
        _check_within(self.size, vector, start)
        part = self.vector[start : start + len(vector)]
        vector.add_(part.to(vector.device, vector.dtype), alpha=scale)

    def dot(self, other: Direction | Tensor) -> float:
        """Inner product, in the precision of the vectors; half precision is multiplied in single."""
        _check_same_size(self.size, other)
        if isinstance(other, SignDirection):
            return other.dot(self.vector)
        vector = other.vector if isinstance(other, DenseDirection) else other
        if not isinstance(vector, Tensor):
            return vector.dot(self)
        own = _widened(self.vector)
        return float(torch.dot(own, vector.to(own.device, own.dtype)))

    def reciprocal(self) -> DenseDirection:
        """One over every entry; an entry of zero is an error."""
        if not bool((self.vector != 0).all()):
            raise ValueError("`vector` must have no zero entry to be divided by, as equation 2 does.")
        return DenseDirection(self.vector.reciprocal())

    def state_dict(self) -> dict[str, Any]:
        """The vector."""
        return {"vector": self.vector}


def direction_from_state(state: Mapping[str, Any]) -> Direction:
    """Make a direction again from its ``state_dict``.

    Args:
        state: What :meth:`Direction.state_dict` gave.

    Returns:
        An equal direction.
    """
    if "signs" in state:
        return SignDirection(state["signs"].cpu().numpy().view(np.uint64), state["size"])
    return DenseDirection(state["vector"])


class Combination:
    r"""A weighted sum of directions, :math:`\sum_j \beta_j d_j`; never a dense vector unless asked.

    Args:
        terms: Pairs of coefficient and direction, at least one, all of the same size ``p``.

    Example:
        >>> import torch
        >>> from zoopt_mo import Combination, DenseDirection
        >>> gradient = Combination([(2.0, DenseDirection(torch.tensor([3.0, 4.0])))])
        >>> gradient.norm()
        10.0
        >>> (0.5 * gradient).dense().tolist()
        [3.0, 4.0]
    """

    def __init__(self, terms: Sequence[tuple[float, Direction]]) -> None:
        if not terms:
            raise ValueError("`terms` must hold at least one pair of coefficient and direction, got none.")
        sizes = {direction.size for _, direction in terms}
        if len(sizes) > 1:
            raise ValueError(f"`terms` must hold directions of one size, got sizes {sorted(sizes)}.")
        self.terms = tuple((float(coefficient), direction) for coefficient, direction in terms)

    @property
    def size(self) -> int:
        """Number of entries ``p``."""
        return self.terms[0][1].size

    def __add__(self, other: Combination) -> Combination:
        """The sum of two combinations."""
        return Combination(self.terms + other.terms)

    def __rmul__(self, factor: float) -> Combination:
        """The combination times a number."""
        return Combination([(factor * coefficient, direction) for coefficient, direction in self.terms])

    def add_to(self, vector: Tensor, scale: float = 1.0, *, start: int = 0) -> None:
        """Add ``scale`` times the entries from ``start`` on to ``vector``, in place.

        Args:
            vector: Where to add, one-dimensional; it stands for entries ``start`` to ``start + len(vector)``.
            scale: Factor of the combination.
            start: First entry that ``vector`` stands for.
        """
        for coefficient, direction in self.terms:
            direction.add_to(vector, scale * coefficient, start=start)

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
        return math.sqrt(max(self.dot(self), 0.0))

    def dense(self, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Tensor:
        """The combination as a tensor ``[p]``.

        Args:
            dtype: Floating-point type of the tensor.
            device: Where the tensor lies.
        """
        vector = torch.zeros(self.size, dtype=dtype, device=device)
        self.add_to(vector)
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


@functools.lru_cache(maxsize=16)
def _sign_table(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Row ``b`` holds the eight signs that byte ``b`` stands for, ``[256, 8]``."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return torch.from_numpy(2.0 * bits - 1.0).to(device, dtype)


def _widened(vector: Tensor) -> Tensor:
    """Half precision as single: a sum of squares overflows ``float16`` at 65504."""
    return vector.float() if vector.dtype in (torch.float16, torch.bfloat16) else vector


def _check_within(size: int, vector: Tensor, start: int) -> None:
    if start < 0 or start + len(vector) > size:
        raise ValueError(f"`vector` must lie within the {size} entries, got entries {start} to {start + len(vector)}.")


def _check_same_size(size: int, other: Direction | Tensor) -> None:
    other_size = other.numel() if isinstance(other, Tensor) else other.size
    if other_size != size:
        raise ValueError(f"`other` must have {size} entries, got {other_size}.")
