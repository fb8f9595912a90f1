"""Frames that are read when they are looked at: a tensor of clips that need not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from privacy_mllm.data._store import Fetch, Store
from privacy_mllm.data.reading import Item, Reading, read_clip

CACHE_BYTES = 1 << 30
"""Bytes of clips that are kept once read, by default: one GiB."""

MOST_WORKERS = 8
READ_AHEAD = 64
"""Clips that wait for being taken at most, while many are read."""


class LazyFrames(Tensor):
    """The pictures of clips, ``uint8 [n, t, 3, h, w]``, read and decoded when they are needed.

    It stands where a tensor is expected. ``frames[rows]`` with numbers of clips, and ``frames[rows, times]``, read
    these clips in several threads and give a plain tensor; ``frames[:count]`` and the like give clips that are still
    unread. Any other operation of torch reads everything first; :meth:`load` says so by name. It cannot be written to.

    The same clips come out whatever the number of threads and the order in which they are read.

    Args:
        items: The clips.
        reading: How they are read.
        cache_bytes: Bytes of clips that are kept; those used least recently go first. 0 keeps none.
        workers: Clips decoded at once; None for one a core, at most ``MOST_WORKERS``.

    Raises:
        ValueError: If `cache_bytes` is negative or `workers` is not positive.
        MediaError: On reading, if a clip is missing or broken; the message names its file.
    """

    _store: Store
    _rows: Sequence[int]

    # The one protocol by which a tensor can be something that is not in memory:
    # https://pytorch.org/docs/stable/notes/extending.html#extending-torch-with-a-tensor-wrapper-type
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    @staticmethod
    def __new__(
        cls: type[LazyFrames],
        items: Sequence[Item],
        reading: Reading,
        *,
        cache_bytes: int = CACHE_BYTES,
        workers: int | None = None,
    ) -> LazyFrames:
        """Unread clips."""
        listed = tuple(items)
        fetch = in_threads(lambda row: read_clip(listed[row], reading), workers)
        return cls.fetched(fetch, (len(items), *reading.shape), cache_bytes=cache_bytes)

    @classmethod
    def fetched(cls, fetch: Fetch, shape: Sequence[int], *, cache_bytes: int = CACHE_BYTES) -> LazyFrames:
        """Clips that come from anywhere, or channels that are no colours.

        Args:
            fetch: From numbers of clips to the clips, of which each is the same however it is asked for.
            shape: ``[n, t, c, h, w]``.
            cache_bytes: Bytes of clips that are kept.

        Raises:
            ValueError: If `cache_bytes` is negative.
        """
        if cache_bytes < 0:
            raise ValueError(f"`cache_bytes` must not be negative, got {cache_bytes}.")
        return cls._of(Store(fetch, tuple(shape[1:]), cache_bytes), range(shape[0]))

    @classmethod
    def _of(cls, store: Store, rows: Sequence[int]) -> LazyFrames:
        shape = (len(rows), *store.shape)
        frames: LazyFrames = Tensor._make_wrapper_subclass(cls, shape, dtype=torch.uint8)  # noqa: SLF001
        frames._store, frames._rows = store, rows
        return frames

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Any,  # noqa: ANN401 - any operation of torch, with any arguments
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Any operation that torch has: on all of the frames, read."""
        if func._schema.is_mutable:  # noqa: SLF001 - the only place where an operation says so
            _refuse_writing()

        def read(value: Any) -> Any:  # noqa: ANN401
            return value.load() if isinstance(value, LazyFrames) else value

        return func(*tree_map(read, args), **tree_map(read, kwargs or {}))

    def load(self) -> Tensor:
        """All of the frames, read; a plain tensor."""
        return self._store.read([self._rows[row] for row in range(len(self))])

    def unread(self, rows: Sequence[int]) -> LazyFrames:
        """Some of the clips, still unread.

        Args:
            rows: Their numbers.

        Raises:
            IndexError: If a number is out of range.
        """
        return self._of(self._store, [self._rows[row] for row in rows])

    def __getitem__(self, index: Any) -> Tensor:  # noqa: ANN401 - as a tensor's
        """Frames of some clips; unread where `index` is a slice."""
        first, *rest = index if isinstance(index, tuple) else (index,)
        if isinstance(first, slice):
            part = self._of(self._store, self._rows[first])
            return part.load()[(slice(None), *rest)] if rest else part
        if isinstance(first, int) and not isinstance(first, bool):
            return self._store.read([self._rows[first]])[(0, *rest)]
        if isinstance(first, (Tensor, list)):
            rows, places = torch.arange(len(self))[first].unique(return_inverse=True)
            clips = self._store.read([self._rows[row] for row in rows.tolist()])
            as_they_are = not rest and torch.equal(places, torch.arange(len(rows)))
            return clips if as_they_are else clips[(places, *rest)]
        return self.load()[index]

    def __setitem__(self, index: Any, value: Any) -> None:  # noqa: ANN401
        """Refused: there is no memory to write to."""
        _refuse_writing()

    def __iter__(self) -> Iterator[Tensor]:
        """The clips one after another; only one is read ahead."""
        rows = (torch.tensor([row]) for row in range(len(self)))
        return (clip[0] for clip in prefetch(self, rows))

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]  # noqa: ANN401
        """Its shape; reads nothing."""
        return f"LazyFrames({list(self.shape)}, uint8)"


Index = Tensor | tuple[Tensor, ...]
"""Numbers of clips, or of clips and frames."""


def prefetch(frames: Tensor, batches: Iterable[Index]) -> Iterator[Tensor]:
    """``frames[rows]`` for each batch of rows; of lazy frames the next one is read while the present one is used.

    Args:
        frames: Clips ``[n, t, 3, h, w]``, lazy ones or others.
        batches: Numbers of clips, ``long [b]`` each, or of clips and frames; of lazy frames, one batch more is taken
            than is used.

    Example:
        >>> import torch
        >>> [batch.tolist() for batch in prefetch(torch.arange(6), iter([torch.tensor([0, 5]), torch.tensor([2])]))]
        [[0, 5], [2]]
    """
    if not isinstance(frames, LazyFrames):
        yield from (frames[rows] for rows in batches)
        return
    with ThreadPoolExecutor(1) as ahead:
        coming = None
        for rows in batches:
            following = ahead.submit(frames.__getitem__, rows)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()


def in_threads(read: Callable[[int], Tensor], workers: int | None = None) -> Fetch:
    """A way to fetch clips that reads several at once.

    Args:
        read: From the number of a clip to the clip.
        workers: Clips read at once; None for one a core, at most ``MOST_WORKERS``.

    Raises:
        ValueError: If `workers` is not positive.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"`workers` must be positive, got {workers}.")
    pool = ThreadPoolExecutor(workers or min(os.cpu_count() or 1, MOST_WORKERS), thread_name_prefix="frames")

    def fetch(rows: Sequence[int]) -> Iterator[Tensor]:
        for start in range(0, len(rows), READ_AHEAD):  # what was read and not yet taken waits in memory
            yield from pool.map(read, rows[start : start + READ_AHEAD])

    return fetch


def take(frames: Tensor, rows: Sequence[int]) -> Tensor:
    """Some clips; unread if they are lazy.

    Args:
        frames: Clips, ``[n, ...]``.
        rows: Their numbers.

    Raises:
        IndexError: If a number is out of range.
    """
    return frames.unread(rows) if isinstance(frames, LazyFrames) else frames[torch.as_tensor(rows, dtype=torch.long)]


def load(frames: Tensor) -> Tensor:
    """All of the clips in memory, as they are if they are there."""
    return frames.load() if isinstance(frames, LazyFrames) else frames


def _refuse_writing() -> NoReturn:
    raise TypeError("Lazy frames cannot be written to; `load()` gives a tensor that can.")
