"""Clips as a method shows them, in bounded memory: a few are anonymized at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.lazy import CACHE_BYTES, LazyFrames
from privacy_mllm.methods.protocol import Anonymizer

PIXELS_AT_ONCE = 1024 * 64 * 64
"""Pixels of the clips that are anonymized at once, at least one clip."""


def anonymized(method: Anonymizer, clips: Clips, *, cache_bytes: int = CACHE_BYTES) -> Clips:
    """The clips as a method shows them, to be looked at as often as is needed.

    Where they fit into `cache_bytes` they are anonymized here, each once. Else each is anonymized when it is looked at,
    and the last ones are kept; one that is looked at again much later is anonymized again.

    Args:
        method: The method, which must do the same to a clip whatever others it comes with.
        clips: The clips, of which as many as are anonymized at once are in memory.
        cache_bytes: Bytes of anonymized clips that are kept; more than this is never held, but for what is looked at.

    Raises:
        RuntimeError: If the method changes the size of pictures.
    """
    at_once = clips_at_once(clips.frames)
    lock = Lock()  # a network that is being judged bears one thread

    def fetch(rows: Sequence[int]) -> Iterator[Tensor]:
        for start in range(0, len(rows), at_once):
            part = clips.select(rows[start : start + at_once]).load()
            with lock:
                shown = method.anonymize(part)
            yield from shown

    fits = clips.frames.nbytes <= cache_bytes
    frames = LazyFrames.fetched(fetch, clips.frames.shape, cache_bytes=0 if fits else cache_bytes)
    return clips.with_frames(frames.load() if fits else frames)


def clips_at_once(frames: Tensor) -> int:
    """How many clips are looked at in one go.

    Args:
        frames: Clips, ``[n, t, 3, h, w]``.
    """
    time, _, height, width = frames.shape[1:]
    return max(1, PIXELS_AT_ONCE // max(1, time * height * width))
