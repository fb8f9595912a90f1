"""Videos, frame by frame, read upright."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from privacy_mllm.media.errors import MediaError
from privacy_mllm.media.pictures import MAX_PIXELS

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_FINEST_CLOCK = 65535  # Ticks a second; MPEG-4 part 2 counts no finer.


@dataclass(frozen=True)
class VideoInfo:
    """What must stay the same when a video is written again.

    Args:
        height: Rows of a frame as it is shown, upright.
        width: Columns of a frame as it is shown, upright.
        quarter_turns: Counter-clockwise quarter turns from the stored frame to the upright one.
        rate: Frames a second, on average.
        clock: Seconds a tick of the frames' times.
        pixel_aspect: Width of a pixel over its height, upright.
        colour: FFmpeg's numbers for colour matrix, primaries and transfer.
    """

    height: int
    width: int
    quarter_turns: int
    rate: Fraction
    clock: Fraction
    pixel_aspect: Fraction
    colour: tuple[int, int, int]


def probe_video(path: Path) -> VideoInfo:
    """What a video says of itself, checked on its first frame.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video, is broken, has no frame, or its frames are too large.
    """
    with open_video(path) as (container, stream):
        frame = next(container.decode(stream), None)
        if frame is None:
            raise MediaError(f"{path} has no frame that can be decoded.")
        turns = round(frame.rotation / 90) % 4
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        height, width = (frame.height, frame.width) if turns % 2 == 0 else (frame.width, frame.height)
        return VideoInfo(
            height=height,
            width=width,
            quarter_turns=turns,
            rate=_rate(stream),
            clock=_coarse(Fraction(stream.time_base or Fraction(1, 1000))),
            pixel_aspect=aspect if turns % 2 == 0 or aspect == 0 else 1 / aspect,
            colour=(int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)),
        )


def iterate_frames(path: Path) -> Iterator[Tensor]:
    """The upright frames of a video one after another, ``uint8 [3, h, w]``; only one is in memory.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video or is broken.
    """
    turns = probe_video(path).quarter_turns
    with open_video(path) as (container, stream):
        for frame in container.decode(stream):
            yield frame_pixels(frame, turns, path)


def count_frames(path: Path) -> int:
    """Frames of a video that can be decoded; costs decoding all of it.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video or is broken.
    """
    with open_video(path) as (container, stream):
        return sum(1 for _ in container.decode(stream))


def video_span(path: Path) -> float | None:
    """Seconds from a video's first frame to its last by what it says of itself, None where it does not.

    Decodes nothing.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video or is broken.
    """
    with open_video(path) as (container, stream):
        if stream.duration and stream.time_base:
            length = float(stream.duration * stream.time_base)
        elif container.duration:
            length = container.duration / 1_000_000  # FFmpeg counts microseconds
        else:
            return None
        return max(0.0, length - float(1 / _rate(stream)))


def read_frames(path: Path, wanted: Sequence[int]) -> Tensor:
    """Some of a video's upright frames, ``uint8 [n, 3, h, w]``; nothing behind the last of them is decoded.

    Args:
        path: The video.
        wanted: Their numbers from 0, in any order, repeated or not; at least one.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video, is broken, or has too few frames.
    """
    last, kept, turns = max(wanted), {}, 0
    with open_video(path) as (container, stream):
        for index, frame in enumerate(container.decode(stream)):
            if index == 0:
                turns = round(frame.rotation / 90) % 4
            if index in wanted:
                kept[index] = frame_pixels(frame, turns, path)
            if index == last:
                return torch.stack([kept[index] for index in wanted])
    raise MediaError(f"{path} has too few frames that can be decoded: number {last}, from 0, is wanted.")


def evenly_spaced(total: int, count: int) -> list[int]:
    """``count`` of the indices 0 to ``total - 1``, spread from the first to the last; the middle one if one.

    Where there are fewer than ``count``, some occur more than once: a picture is a clip that stands still.
    """
    if count == 1:
        return [(total - 1) // 2]
    return [index * (total - 1) // (count - 1) for index in range(count)]


def import_av() -> ModuleType:
    """The package av.

    Raises:
        ImportError: If the extra ``video`` is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError('Videos need the package av: pip install "zoopt-mo[video]".') from error
    return av


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A video file and its first stream of pictures.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video, is broken, or its frames are too large.
    """
    av = import_av()
    # Metadata is dropped anyway, so it need not be text.
    with errors_named(path), av.open(str(path), metadata_errors="ignore") as container:
        pictured = av.stream.Disposition.attached_pic  # The cover of an audio file is no video.
        stream = next((one for one in container.streams.video if not one.disposition & pictured), None)
        if stream is None:
            raise MediaError(f"{path} has no video stream.")
        if stream.codec_context is None:
            raise MediaError(f"{path} is coded in a way that cannot be decoded.")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise MediaError(f"{path} claims frames of {width}x{height}: the limit is {MAX_PIXELS} pixels.")
        stream.thread_type = "AUTO"
        yield container, stream


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Whatever FFmpeg complains of in here is said of this file."""
    try:
        yield
    except import_av().FFmpegError as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        raise MediaError(f"{path} cannot be processed as a video, it is broken or cut off: {error}") from error


def frame_pixels(frame: VideoFrame, turns: int, path: Path) -> Tensor:
    """A decoded frame upright, ``uint8 [3, h, w]``.

    Args:
        frame: The frame.
        turns: Counter-clockwise quarter turns to the upright one.
        path: Its video, for the message.

    Raises:
        MediaError: If it is broken.
    """
    if frame.is_corrupt:
        raise MediaError(f"{path} cannot be processed as a video, it is broken or cut off.")
    stored = np.asarray(frame.to_ndarray(format="rgb24"))
    return torch.from_numpy(np.rot90(stored, turns).copy()).permute(2, 0, 1).contiguous()


def _rate(stream: VideoStream) -> Fraction:
    """Frames a second."""
    return Fraction(stream.average_rate or stream.guessed_rate or 25)


def _coarse(clock: Fraction) -> Fraction:
    return clock if clock.denominator <= _FINEST_CLOCK else Fraction(1, 60_000)
