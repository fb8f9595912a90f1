"""Directions in parameter space: vectors that need not be dense."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo._checks import check_count
from zoopt_mo.directions import _kernel as kernel
from zoopt_mo.directions._sums import DEVICE_PIECE, Floats, Numbers, Sum, Term, as_numbers, dot_piecewise

# Entries up to which a direction of signs is unpacked when it is used: that takes less time than to decode it again.
_SMALL = 1 << 10

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


class SignDirection(Direction):
    """Entries of +1 and -1, one bit each.

    Args:
        words: The bits, lowest first, in 64-bit words, ``[ceil(p / 64)]``; a set bit is +1. They are not copied, unless
            bits past ``size`` must be cleared.
        size: Number of entries ``p``.
    """

    _on_device: Tensor | None = None  # the packed signs where they were last needed
    _small: tuple[int, Floats] | None = None  # the bits of a small direction as one number, and its signs

    def __init__(self, words: Words, size: int) -> None:
        super().__init__(size)
        expected = -(-size // 64)
        if words.dtype != np.uint64 or words.shape != (expected,):
            raise ValueError(
                f"`words` must be uint64 of shape [{expected}] for size {size}, got {words.dtype} {list(words.shape)}."
            )
        if size % 64 and int(words[-1]) >> (size % 64):
            words = words.copy()
            words[-1] &= np.uint64((1 << (size % 64)) - 1)
        self._words = words

    @property
    def words(self) -> Words:
        """The bits, lowest first, in 64-bit words."""
        return self._words

    def __getstate__(self) -> dict[str, Any]:
        """The bits alone."""
        return {**super().__getstate__(), "_on_device": None, "_small": None}

    @property
    def num_bytes(self) -> int:
        """Memory that the packed signs take, in bytes."""
        return 8 * -(-self.size // 64)

    def add_to(self, vector: Tensor, scale: float, *, start: int = 0) -> None:
        """Add ``scale`` times the signs from ``start`` on to ``vector``, in place."""
        _add(self, vector, scale, start)

    def dot(self, other: Direction | Tensor) -> float:
        """Inner product; exact between two directions of signs."""
        _check_same_size(self.size, other)
        if isinstance(other, SignDirection):
            return float(self.size - 2 * self._num_differing(other))
        vector = other.vector if isinstance(other, DenseDirection) else other
        if not isinstance(vector, Tensor):
            return vector.dot(self)
        vector = _widened(vector)
        if vector.device.type != "cpu":
            return self._dot_on_device(vector)
        dtype = np.dtype(np.float64 if vector.dtype == torch.float64 else np.float32)
        return dot_piecewise(self.as_term(1.0, dtype), vector, dtype)

    def _dot_on_device(self, vector: Tensor) -> float:
        total = torch.zeros((), dtype=torch.float64, device=vector.device)
        for low in range(0, self.size, DEVICE_PIECE):
            part = vector[low : low + DEVICE_PIECE]
            total += torch.dot(self.on_device(1.0, low, len(part), part.dtype, part.device), part)
        return float(total)

    def _num_differing(self, other: SignDirection) -> int:
        if other is self:
            return 0
        if self.size <= _SMALL:
            return (self._unpacked[0] ^ other._unpacked[0]).bit_count()
        one, two = self._on_device, other._on_device
        if one is not None and two is not None and one.device == two.device and kernel.serves(one.device):
            return kernel.count_differing(one, two)
        return int(np.bitwise_count(self.words ^ other.words).sum())

    @property
    def _unpacked(self) -> tuple[int, Floats]:
        """For a small direction: its bits as one number and its signs, at hand once they were needed."""
        if self._small is None:
            packed = self.words.view(np.uint8)
            signs = _sign_table(np.dtype(np.float64))[packed].reshape(-1)[: self.size]
            self._small = int.from_bytes(packed.tobytes(), "little"), signs
        return self._small

    def reciprocal(self) -> SignDirection:
        """The direction itself: one over a sign is the sign."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """The packed bits as a ``uint8`` tensor that shares their memory, and the size."""
        return {"signs": torch.from_numpy(self.words.view(np.uint8)), "size": self.size}

    def as_term(self, factor: float, dtype: np.dtype[Any]) -> Term:
        """The signs times ``factor``, to be made piece by piece on the CPU."""
        if self.size <= _SMALL:
            return _DenseTerm(self._unpacked[1], factor)
        return _SignTerm(self.words.view(np.uint8), _sign_table(dtype) * dtype.type(factor))

    @property
    def device(self) -> torch.device:
        """Where its numbers were last needed."""
        return super().device if self._on_device is None else self._on_device.device

    def packed_on(self, device: torch.device) -> Tensor:
        """Its packed signs as bytes; they cross once, and are kept there."""
        if self._on_device is None or self._on_device.device != device:
            self._on_device = torch.from_numpy(self.words.view(np.uint8)).to(device)
        return self._on_device

    def on_device(self, factor: float, start: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Signs ``start`` to ``start + count`` times a factor, as a new tensor."""
        low, high = start // 8, -(-(start + count) // 8)
        table = _sign_table_on(dtype, device) * factor
        signs = table.index_select(0, self.packed_on(device)[low:high].int()).view(-1)
        return signs[start - 8 * low : start - 8 * low + count]


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
        _add(self, vector, scale, start)

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

    def as_term(self, factor: float, dtype: np.dtype[Any]) -> Term:  # noqa: ARG002, the room has it
        """The entries times ``factor``, to be made piece by piece on the CPU."""
        return _DenseTerm(as_numbers(self.vector), factor)

    @property
    def device(self) -> torch.device:
        """Where the vector lies."""
        return self.vector.device

    def on_device(self, factor: float, start: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Entries ``start`` to ``start + count`` times a factor, as a new tensor."""
        return self.vector[start : start + count].to(device, dtype) * factor


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


class _SignTerm:
    """Packed signs by a table: row ``b`` holds the eight numbers that byte ``b`` stands for, ``[256, 8]``."""

    def __init__(self, packed: npt.NDArray[np.uint8], table: Floats) -> None:
        self._packed, self._table = packed, table

    def make(self, start: int, count: int, codes: npt.NDArray[np.intp], room: Floats) -> Floats:
        low, high = start // 8, -(-(start + count) // 8)
        wanted = codes[: high - low]
        wanted[:] = self._packed[low:high]
        rows = room[: 8 * len(wanted)].reshape(-1, 8)
        self._table.take(wanted, axis=0, out=rows, mode="clip")  # none is out of range; mode "raise" would copy
        return room[start - 8 * low : start - 8 * low + count]


class _DenseTerm:
    """A vector in memory times a factor."""

    def __init__(self, vector: Numbers, factor: float) -> None:
        self._vector, self._factor = vector, factor

    def make(self, start: int, count: int, codes: npt.NDArray[np.intp], room: Floats) -> Floats:  # noqa: ARG002
        part, made = self._vector[start : start + count], room[:count]
        if isinstance(part, Tensor):
            part = _widened(part).cpu().numpy()
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


@functools.lru_cache(maxsize=4)
def _sign_table(dtype: np.dtype[Any]) -> Floats:
    """Row ``b`` holds the eight signs that byte ``b`` stands for, ``[256, 8]``."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return 2 * bits.astype(dtype) - 1


@functools.lru_cache(maxsize=16)
def _sign_table_on(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(_sign_table(np.dtype(np.float64))).to(device, dtype)


def _add(direction: Direction, vector: Tensor, scale: float, start: int) -> None:
    if start < 0 or start + len(vector) > direction.size:
        raise ValueError(
            f"`vector` must lie within the {direction.size} entries, got entries {start} to {start + len(vector)}."
        )
    numbers = as_numbers(vector)
    Sum([(scale, direction)], vector.dtype, vector.device).write(numbers, numbers, start)


def _widened(vector: Tensor) -> Tensor:
    """Half precision as single: a sum of squares overflows ``float16`` at 65504."""
    return vector.float() if vector.dtype in (torch.float16, torch.bfloat16) else vector


def _check_same_size(size: int, other: Direction | Tensor) -> None:
    other_size = other.numel() if isinstance(other, Tensor) else other.size
    if other_size != size:
        raise ValueError(f"`other` must have {size} entries, got {other_size}.")
