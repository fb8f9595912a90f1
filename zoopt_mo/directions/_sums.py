"""Writing sums of scaled directions into vectors, in pieces that stay in a core's own cache.

A piece of the sum is made in the cache and meets the memory of the vector once, whatever the number of directions.
Signs are decoded eight at a time: a byte of the packed bits is the row of a table that holds them times their
coefficient.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo.directions import _kernel as kernel

Floats = npt.NDArray[np.floating[Any]]
Numbers = Any
"""A vector: an array of numpy or a tensor, as :func:`as_numbers` gives it."""

PIECE = 1 << 18
"""Entries made at a time on a CPU: a megabyte in single precision, about what a core's own cache holds."""

DEVICE_PIECE = 1 << 26
"""Entries made at a time on a GPU: enough to keep it busy, and a bound on the memory."""

LEAST_A_THREAD = 1 << 18
"""Entries for which a thread is worth starting."""


class Term(Protocol):
    """A scaled direction that can be made piece by piece; it holds nothing that two threads could not share."""

    def make(self, start: int, count: int, codes: npt.NDArray[np.intp], room: Floats) -> Floats:
        """Entries ``start`` to ``start + count``, in ``room``, which is longer by 16; ``codes`` is room too."""


class Summand(Protocol):
    """What a sum needs of a direction."""

    def flattened(self, factor: float) -> Sequence[tuple[float, Summand]]:
        """What it is a sum of, times a factor."""

    def as_term(self, factor: float, dtype: np.dtype[Any]) -> Term:
        """The direction times a factor, to be made piece by piece on the CPU."""

    def on_device(self, factor: float, start: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Some of its entries times a factor, as a new tensor."""

    def packed_on(self, device: torch.device) -> Tensor | None:
        """Its packed signs there, if signs are what it is."""


class Sum:
    r"""The vector :math:`\sum_j \beta_j d_j`, ready to be written into parts of tensors.

    Args:
        terms: Pairs of coefficient :math:`\beta_j` and direction, at least one.
        dtype: Type of the tensors. Half precision is summed in single and rounded once.
        device: Where they lie.
    """

    def __init__(self, terms: Sequence[tuple[float, Summand]], dtype: torch.dtype, device: torch.device) -> None:
        self._summands = [part for factor, direction in terms for part in direction.flattened(factor)]
        self._device = device
        self._dtype: np.dtype[Any] = np.dtype(np.float64 if dtype == torch.float64 else np.float32)
        on_cpu = device.type == "cpu"
        self._terms = [direction.as_term(factor, self._dtype) for factor, direction in self._summands] if on_cpu else []
        self._workspace: _Workspace | None = None

    def write(self, out: Numbers, base: Numbers | None, start: int) -> None:
        """Set ``out`` to ``base`` plus the entries from ``start`` on.

        Args:
            out: Where to write, one-dimensional; it stands for ``len(out)`` entries from ``start`` on.
            base: What to add to, as long as ``out`` or ``out`` itself; None for zero.
            start: First entry that ``out`` stands for.
        """
        if self._device.type != "cpu":
            self._write_on_device(out, base, start)
        else:
            over_threads(len(out), lambda low, high: self._write_part(out, base, start, low, high))

    def _write_part(self, out: Numbers, base: Numbers | None, start: int, low: int, high: int) -> None:
        workspace = self._take_workspace(high - low)
        first, *others = self._terms
        for begin in range(low, high, PIECE):
            end = min(begin + PIECE, high)
            total = first.make(start + begin, end - begin, workspace.codes, workspace.total)
            for term in others:
                total += term.make(start + begin, end - begin, workspace.codes, workspace.part)
            _set(out, base, begin, end, total)
        self._workspace = workspace

    def _take_workspace(self, length: int) -> _Workspace:
        """The one of the part before, unless another thread has it."""
        workspace, self._workspace = self._workspace, None
        longest = min(length, PIECE)
        return workspace if workspace is not None and workspace.holds(longest) else _Workspace(longest, self._dtype)

    def _write_on_device(self, out: Numbers, base: Numbers | None, start: int) -> None:
        if kernel.serves(self._device):
            packed = [direction.packed_on(self._device) for _, direction in self._summands]
            if all(signs is not None for signs in packed):
                kernel.write_signs(out, base, packed, [factor for factor, _ in self._summands], start)
                return
        dtype = torch.float64 if self._dtype == np.float64 else torch.float32
        (first, direction), *others = self._summands
        for low in range(0, len(out), DEVICE_PIECE):
            count = min(DEVICE_PIECE, len(out) - low)
            total = direction.on_device(first, start + low, count, dtype, self._device)
            for factor, other in others:
                total += other.on_device(factor, start + low, count, dtype, self._device)
            out[low : low + count] = total if base is None else total.add_(base[low : low + count])


class _Workspace:
    """Room for the pieces of one thread, which all terms share so that it stays in the cache."""

    def __init__(self, longest: int, dtype: np.dtype[Any]) -> None:
        self.codes = np.empty(longest // 8 + 2, np.intp)
        self.total, self.part = np.empty(longest + 16, dtype), np.empty(longest + 16, dtype)

    def holds(self, longest: int) -> bool:
        return len(self.total) >= longest + 16


def as_numbers(tensor: Tensor) -> Numbers:
    """The tensor as a vector that sums are written into, in its own memory; it must be contiguous, or one-dimensional.

    That is an array of numpy, which is quicker with a piece than torch and starts no threads of its own, unless the
    tensor lies on another device or is of half precision, where numpy has no type or converts number by number.
    """
    if tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64):
        array: Floats = tensor.detach().numpy()
        return array if array.ndim == 1 else array.reshape(-1)
    return tensor.detach().view(-1)


def copy_numbers(out: Numbers, source: Numbers) -> None:
    """Set a vector to another one of its length and type, bit for bit."""
    if len(out) < LEAST_A_THREAD:
        out[:] = source
    else:
        torch.as_tensor(out).copy_(torch.as_tensor(source))  # on all threads of torch


def _set(out: Numbers, base: Numbers | None, low: int, high: int, total: Floats) -> None:
    """Set a piece of ``out`` on the CPU to that of ``base`` plus ``total``, which may be written over."""
    if isinstance(out, Tensor):
        made = torch.from_numpy(total)
        out[low:high] = made if base is None else made.add_(torch.as_tensor(base[low:high]))
    elif base is None:
        out[low:high] = total
    else:
        np.add(base[low:high], total, out=out[low:high])


def dot_piecewise(term: Term, vector: Tensor, dtype: np.dtype[Any]) -> float:
    """Inner product of a direction and a vector on the CPU; every piece is exact to its type, their sum to a double.

    Args:
        term: The direction.
        vector: Of the direction's size and of type ``dtype``.
        dtype: Single or double precision.
    """
    numbers = vector.detach().numpy()

    def part(low: int, high: int) -> float:
        workspace = _Workspace(min(high - low, PIECE), dtype)
        spans = ((first, min(first + PIECE, high)) for first in range(low, high, PIECE))
        return math.fsum(
            float(np.dot(term.make(first, last - first, workspace.codes, workspace.total), numbers[first:last]))
            for first, last in spans
        )

    return math.fsum(over_threads(len(numbers), part))


def over_threads(length: int, work: Callable[[int, int], Any]) -> list[Any]:
    """What ``work(low, high)`` returns for stretches of ``range(length)``, one a thread of torch where that pays.

    Args:
        length: Number of entries.
        work: Does one stretch; numpy and torch let other threads run meanwhile.
    """
    threads = min(torch.get_num_threads(), length // LEAST_A_THREAD)
    if threads < 2:
        return [work(0, length)]
    share = -(-length // threads)
    share += -share % PIECE  # the pieces, and so the rounding of their sums, are those of one thread
    others = [_pool(threads).submit(work, low, min(low + share, length)) for low in range(share, length, share)]
    return [work(0, min(share, length)), *(other.result() for other in others)]


@functools.lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that wait for work, as starting them takes as long as a small share of it."""
    return ThreadPoolExecutor(threads, thread_name_prefix="zoopt-mo")


if hasattr(os, "register_at_fork"):  # a forked process has the pool but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
