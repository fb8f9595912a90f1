"""Reading the clips of the next step while the present one computes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from privacy_mllm.data.lazy import Index, LazyFrames


class ReadAhead:
    """``frames[index]`` for one index after another, the next of which may be told before it is wanted.

    What is told is a guess: where another index is wanted, that one is read. So it changes nothing but the waiting, and
    a file that cannot be read fails where it is wanted. Tensors in memory are indexed when they are wanted, and no
    thread is started for them.

    Args:
        frames: Clips ``[n, t, 3, h, w]``, lazy ones or others.

    Example:
        >>> import torch
        >>> ahead = ReadAhead(torch.arange(6))
        >>> ahead.expect(torch.tensor([2]))
        >>> ahead.take(torch.tensor([5, 0])).tolist()
        [5, 0]
    """

    def __init__(self, frames: Tensor) -> None:
        self.frames = frames
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead") if self.is_lazy else None
        self._coming: tuple[Index, Future[Tensor]] | None = None

    @property
    def is_lazy(self) -> bool:
        """Whether there is anything to be read."""
        return isinstance(self.frames, LazyFrames)

    def expect(self, index: Index) -> None:
        """Begin to read.

        Args:
            index: Numbers of clips, ``long [b]``, or of clips and frames.
        """
        if self._pool is not None:
            self._forget()
            self._coming = index, self._pool.submit(self.frames.__getitem__, index)

    def take(self, index: Index) -> Tensor:
        """``frames[index]``, which may have been read already.

        Args:
            index: As of :meth:`expect`.

        Raises:
            MediaError: If a clip is missing or broken.
        """
        if self._coming is not None and _same(self._coming[0], index):
            (_, coming), self._coming = self._coming, None
            return coming.result()
        self._forget()
        return self.frames[index]

    def _forget(self) -> None:
        if self._coming is not None:
            self._coming[1].cancel()
            self._coming = None


def _same(first: Index, second: Index) -> bool:
    pairs = [index if isinstance(index, tuple) else (index,) for index in (first, second)]
    return len(pairs[0]) == len(pairs[1]) and all(map(torch.equal, *pairs))
