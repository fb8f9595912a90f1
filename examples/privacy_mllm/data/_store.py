"""Clips that are made when they are asked for, of which the last ones are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

import torch
from torch import Tensor

Fetch = Callable[[Sequence[int]], Iterable[Tensor]]
"""From numbers of clips to these clips, ``uint8 [t, c, h, w]`` each, in the same order."""


class Store:
    """Clips by number; those used least recently go first.

    Args:
        fetch: How clips come that are not kept; more than one thread may ask.
        shape: Shape of a clip, ``(t, c, h, w)``.
        cache_bytes: Bytes of clips that are kept.
    """

    def __init__(self, fetch: Fetch, shape: tuple[int, ...], cache_bytes: int) -> None:
        self.fetch, self.shape, self.cache_bytes = fetch, shape, cache_bytes
        self.cached_bytes = 0
        self._cache: OrderedDict[int, Tensor] = OrderedDict()
        self._lock = Lock()

    def read(self, rows: Sequence[int]) -> Tensor:
        """Clips ``uint8 [n, t, c, h, w]``, which are the caller's own.

        Args:
            rows: Their numbers, each once.
        """
        clips = torch.empty(len(rows), *self.shape, dtype=torch.uint8)
        missing = [place for place, row in enumerate(rows) if not self._copy_kept(row, clips[place])]
        fetched = self.fetch([rows[place] for place in missing]) if missing else ()
        for place, clip in zip(missing, fetched, strict=True):
            if clip.shape != self.shape:
                raise RuntimeError(f"A clip must have shape {list(self.shape)}, got {list(clip.shape)}.")
            clips[place] = clip
            self._keep(rows[place], clips[place])
        return clips

    def _copy_kept(self, row: int, place: Tensor) -> bool:
        with self._lock:
            if row not in self._cache:
                return False
            self._cache.move_to_end(row)
            kept = self._cache[row]
        place.copy_(kept)
        return True

    def _keep(self, row: int, clip: Tensor) -> None:
        if clip.nbytes > self.cache_bytes:
            return
        copied = clip.clone()  # apart from the batch that it came in
        with self._lock:
            if row in self._cache:
                return
            self._cache[row] = copied
            self.cached_bytes += copied.nbytes
            while self.cached_bytes > self.cache_bytes:
                self.cached_bytes -= self._cache.popitem(last=False)[1].nbytes
