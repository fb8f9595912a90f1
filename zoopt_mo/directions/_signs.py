"""Directions of +1 and -1, one bit an entry."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo.directions import _kernel as kernel
from zoopt_mo.directions._direction import DenseDirection, DenseTerm, Direction, add_piecewise, check_same_size, widened
from zoopt_mo.directions._sums import DEVICE_PIECE, Floats, Term, dot_piecewise

# Entries up to which signs are unpacked when they are used: that takes less time than to decode them again.
_SMALL = 1 << 10

Words = npt.NDArray[np.uint64]
OnDevice = Callable[[torch.device], Tensor | None]


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
        add_piecewise(self, vector, scale, start)

    def dot(self, other: Direction | Tensor) -> float:
        """Inner product; exact between two directions of signs."""
        check_same_size(self.size, other)
        if isinstance(other, SignDirection):
            return float(self.size - 2 * self._num_differing(other))
        vector = other.vector if isinstance(other, DenseDirection) else other
        if not isinstance(vector, Tensor):
            return vector.dot(self)
        vector = widened(vector)
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
            return DenseTerm(self._unpacked[1], factor)
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


class DrawnSigns(SignDirection):
    """A large direction of random signs, known by what draws it.

    Args:
        size: Number of entries ``p``.
        draw: Draws the words ``[ceil(p / 64)]``, bits past ``size`` cleared.
        draw_on: Draws the same bits on a device as bytes ``[8 ceil(p / 64)]``, or returns None if it cannot.
    """

    def __init__(self, size: int, draw: Callable[[], Words], draw_on: OnDevice) -> None:
        Direction.__init__(self, size)
        self._draw, self._draw_on = draw, draw_on
        self._drawn: Words | None = None

    @property
    def words(self) -> Words:
        """The bits in memory."""
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn

    def packed_on(self, device: torch.device) -> Tensor:
        """Its packed signs as bytes, drawn there or brought there once."""
        if self._on_device is None or self._on_device.device != device:
            drawn = self._draw_on(device)
            if drawn is None:
                return super().packed_on(device)
            self._on_device = drawn
        return self._on_device

    def state_dict(self) -> dict[str, Any]:
        """The packed bits as a ``uint8`` tensor, where they lie, and the size."""
        if self._drawn is None and self._on_device is not None:
            return {"signs": self._on_device, "size": self.size}
        return super().state_dict()

    def __reduce__(self) -> tuple[type[SignDirection], tuple[Words, int]]:
        """The bits alone: what draws them need not be at hand elsewhere."""
        return SignDirection, (self.words, self.size)


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


@functools.lru_cache(maxsize=4)
def _sign_table(dtype: np.dtype[Any]) -> Floats:
    """Row ``b`` holds the eight signs that byte ``b`` stands for, ``[256, 8]``."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return 2 * bits.astype(dtype) - 1


@functools.lru_cache(maxsize=16)
def _sign_table_on(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(_sign_table(np.dtype(np.float64))).to(device, dtype)
