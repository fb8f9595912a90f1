"""One flat view of parameters, wherever they live, that can be moved for a probe and put back bit for bit."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from zoopt_mo.directions import Combination, Numbers, Sum, as_numbers, copy_numbers

ParameterSource = nn.Module | Tensor | npt.NDArray[np.floating[Any]] | Iterable[Tensor]
Mover = Callable[[Combination], None]

# Copies of large thetas for probes, by the first of the tensors: they live as long as it does.
_COPIES = WeakTensorKeyDictionary()
_LARGE = 1 << 16


class Parameters:
    """The parameters theta ``[p]`` of an array, of tensors or of a module, seen as one vector.

    Nothing is copied: the tensors are changed in place. Given a module, only its trainable parameters count, and its
    buffers (such as batch-norm statistics) are left as they were after probing.

    Args:
        source: A module, a tensor, several tensors, or a writable floating-point numpy array.
        select: For a module: which parameters to use, by name; all trainable ones by default.

    Raises:
        TypeError: If ``source`` is none of these, or not floating point.
        ValueError: If nothing is trainable, or tensors differ in dtype or device, or one occurs twice.

    Example:
        >>> import torch
        >>> from zoopt_mo import Parameters
        >>> layer = torch.nn.Linear(3, 2)
        >>> Parameters(layer).size
        8
        >>> Parameters(layer, select=lambda name: name == "bias").size
        2
    """

    def __init__(self, source: ParameterSource, *, select: Callable[[str], bool] | None = None) -> None:
        if select is not None and not isinstance(source, nn.Module):
            raise TypeError(f"`select` needs a module as `source`, got {type(source).__name__}.")
        self.tensors = _tensors_of(source, select)
        self._module = source if isinstance(source, nn.Module) else None
        _check_alike(self.tensors)
        ends = list(itertools.accumulate(tensor.numel() for tensor in self.tensors))
        self.size = ends[-1]
        self._parts = list(zip([0, *ends], ends, self.tensors, strict=False))  # start, end and tensor
        self.dtype = self.tensors[0].dtype
        self.device = self.tensors[0].device

    @classmethod
    def of(cls, source: Parameters | ParameterSource) -> Parameters:
        """The flat view of ``source``, or ``source`` itself if it is one.

        Args:
            source: A flat view, or anything that one can be made of.
        """
        return source if isinstance(source, Parameters) else cls(source)

    def flat(self) -> Tensor:
        """A copy of theta ``[p]``."""
        return torch.cat([tensor.detach().reshape(-1) for tensor in self.tensors])

    def assign(self, theta: Tensor) -> None:
        """Set the parameters to ``theta``.

        Args:
            theta: New values ``[p]``.
        """
        if theta.shape != (self.size,):
            raise ValueError(f"`theta` must have shape [{self.size}], got {list(theta.shape)}.")
        for start, end, tensor in self._parts:
            tensor.detach().copy_(theta[start:end].view_as(tensor))

    def add(self, combination: Combination, scale: float = 1.0) -> None:
        """Add ``scale`` times ``combination`` to the parameters, in place.

        Args:
            combination: What to add, of size ``p``.
            scale: Its factor.
        """
        moved = self._scaled(combination, scale)
        for start, _, tensor in self._parts:
            _write(moved, tensor, _read(tensor), start)

    @contextlib.contextmanager
    def probing(self) -> Iterator[Mover]:
        """Move theta for probes; on leaving, also by an exception, every bit is as before.

        The copy of theta that is put back is kept for the next time, for as long as the parameters live.

        Yields:
            A function that sets the parameters to theta plus a displacement. Every displacement starts from the
            theta held on entry, so nothing drifts.
        """
        theta = self._copied()
        named = [] if self._module is None else self._module.named_buffers()
        buffers = [(name, buffer, buffer.clone()) for name, buffer in named]

        def move(displacement: Combination) -> None:
            self._restore_buffers(buffers)
            moved = self._scaled(displacement, 1.0)
            for start, end, tensor in self._parts:
                _write(moved, tensor, theta[start:end], start)
            torch.clear_autocast_cache()  # else a block of autocast goes on with the parameters of the probe before

        try:
            yield move
        finally:
            for start, end, tensor in self._parts:
                _put(tensor, theta[start:end])
            self._restore_buffers(buffers)
            if self.size >= _LARGE:
                _COPIES[self.tensors[0]] = theta

    def _copied(self) -> Numbers:
        """A copy of theta, in the memory of the last one: finding memory takes longer than copying."""
        if self.size < _LARGE:
            return as_numbers(self.flat())
        theta: Numbers | None = _COPIES.pop(self.tensors[0], None)
        if theta is None or len(theta) != self.size:
            theta = as_numbers(torch.empty(self.size, dtype=self.dtype, device=self.device))
        for start, end, tensor in self._parts:
            copy_numbers(theta[start:end], _read(tensor))
        return theta

    def add_grad(self, combination: Combination, scale: float = 1.0) -> None:
        """Add ``scale`` times ``combination`` to ``.grad``, which is made where there is none.

        Args:
            combination: A gradient of size ``p``.
            scale: Its factor.
        """
        moved = self._scaled(combination, scale)
        for start, _, tensor in self._parts:
            if tensor.grad is None:
                tensor.grad = torch.empty_like(tensor)
                _write(moved, tensor.grad, None, start)
            else:
                _write(moved, tensor.grad, _read(tensor.grad), start)

    def _scaled(self, combination: Combination, scale: float) -> Sum:
        if combination.size != self.size:
            raise ValueError(f"`combination` must have {self.size} entries, got {combination.size}.")
        return combination.scaled_sum(scale, self.dtype, self.device)

    @torch.no_grad()
    def _restore_buffers(self, buffers: list[tuple[str, Tensor, Tensor]]) -> None:
        for name, buffer, kept in buffers:
            buffer.copy_(kept)
            if self._module is not None:  # a forward pass may have put another tensor in its place
                owner, _, own_name = name.rpartition(".")
                setattr(self._module.get_submodule(owner), own_name, buffer)


def _write(moved: Sum, tensor: Tensor, base: Numbers | None, start: int) -> None:
    """Set ``tensor`` to ``base`` plus its part of a sum; whatever its layout, it is read row by row."""
    if tensor.is_contiguous():
        moved.write(as_numbers(tensor), base, start)
        return
    made = as_numbers(torch.empty(tensor.numel(), dtype=tensor.dtype, device=tensor.device))
    moved.write(made, base, start)
    _put(tensor, made)


def _read(tensor: Tensor) -> Numbers:
    """The numbers row by row: the tensor's own memory where that is its layout."""
    return as_numbers(tensor if tensor.is_contiguous() else tensor.detach().reshape(-1))


def _put(tensor: Tensor, numbers: Numbers) -> None:
    """Set ``tensor`` to numbers row by row."""
    if tensor.is_contiguous():
        copy_numbers(as_numbers(tensor), numbers)
    else:
        tensor.detach().copy_(torch.as_tensor(numbers).view_as(tensor))


def _tensors_of(source: ParameterSource, select: Callable[[str], bool] | None) -> list[Tensor]:
    if isinstance(source, nn.Module):
        named = [(name, p) for name, p in source.named_parameters() if p.requires_grad]
        tensors: list[Tensor] = [p for name, p in named if select is None or select(name)]
        if not tensors:
            chosen = "" if select is None else " that `select` accepts"
            raise ValueError(
                f"`source` must have a trainable parameter{chosen}, got {type(source).__name__} with none."
            )
        return tensors
    if isinstance(source, np.ndarray):
        return [_tensor_of_array(source)]
    tensors = [source] if isinstance(source, Tensor) else list(source)
    if not tensors:
        raise ValueError("`source` must hold at least one tensor, got none.")
    for tensor in tensors:
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise TypeError(f"`source` must hold floating-point tensors, got {kind}.")
    return tensors


def _tensor_of_array(array: npt.NDArray[np.floating[Any]]) -> Tensor:
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise TypeError(f"`source` must be a floating-point array, got {array.dtype}.")
    if not array.flags.writeable:
        raise ValueError("`source` must be a writable array, got a read-only one.")
    return torch.from_numpy(array)


def _check_alike(tensors: list[Tensor]) -> None:
    dtypes = {str(tensor.dtype) for tensor in tensors}
    if len(dtypes) > 1:
        raise ValueError(f"`source` must hold tensors of one dtype, got {sorted(dtypes)}.")
    devices = {str(tensor.device) for tensor in tensors}
    if len(devices) > 1:
        raise ValueError(f"`source` must hold tensors on one device, got {sorted(devices)}.")
    if sum(tensor.numel() for tensor in tensors) == 0:
        raise ValueError("`source` must hold at least one number, got none.")
    _check_separate([tensor for tensor in tensors if tensor.numel()])


def _check_separate(tensors: list[Tensor]) -> None:
    """No number may be reached twice: a probe would move it twice."""
    places = sorted(
        ((tensor.data_ptr(), tensor) for tensor in tensors if tensor.is_contiguous()), key=lambda place: place[0]
    )
    if len({tensor.data_ptr() for tensor in tensors}) < len(tensors):
        raise ValueError("`source` must hold every tensor once, got one that occurs twice.")
    for (start, tensor), (following, _) in itertools.pairwise(places):
        if start + tensor.numel() * tensor.element_size() > following:
            raise ValueError("`source` must hold tensors that do not overlap, got two that share numbers.")
    for tensor in tensors:
        if any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)):
            raise ValueError(
                f"`source` must hold tensors of their own numbers, got an expanded one {list(tensor.shape)}."
            )
