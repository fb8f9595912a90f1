"""Videos, frame by frame: read upright, changed, and written with their own times but without their metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from privacy_mllm.media.errors import MediaError
from privacy_mllm.media.kinds import VIDEO_FORMATS
from privacy_mllm.media.pictures import MAX_PIXELS

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

_MATRICES = (1, 5, 6, 7, 9)  # Ways from RGB to luma and chroma that FFmpeg can both read and write.
_QUALITY = {
    "libx264": {"crf": "18"},
    "libvpx-vp9": {"crf": "24", "b": "0", "row-mt": "1"},
    "mpeg4": {"qmin": "2", "qmax": "4"},
}
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
    with _opened(path) as (container, stream):
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
            rate=Fraction(stream.average_rate or stream.guessed_rate or 25),
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
    with _opened(path) as (container, stream):
        for frame in container.decode(stream):
            yield _pixels(frame, turns, path)


def sample_frames(path: Path, count: int) -> Tensor:
    """Frames of a video spread evenly from the first to the last, ``uint8 [count, 3, h, w]``.

    The video is decoded twice, first to count, because the number that a file states may be wrong.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video or is broken.
    """
    total = count_frames(path)
    if total == 0:
        raise MediaError(f"{path} has no frame that can be decoded.")
    return read_frames(path, evenly_spaced(total, count))


def count_frames(path: Path) -> int:
    """Frames of a video that can be decoded; costs decoding all of it.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If it is no video or is broken.
    """
    with _opened(path) as (container, stream):
        return sum(1 for _ in container.decode(stream))


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
    with _opened(path) as (container, stream):
        for index, frame in enumerate(container.decode(stream)):
            if index == 0:
                turns = round(frame.rotation / 90) % 4
            if index in wanted:
                kept[index] = _pixels(frame, turns, path)
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


def transform_video(
    source: Path,
    target: Path,
    change: Callable[[Tensor, int], Tensor],
    *,
    container_format: str | None = None,
    keep_audio: bool = False,
) -> VideoInfo:
    """Write a video whose frames are changed one by one, with the same size, times and shape of pixels.

    The frames are written upright, so no rotation is needed any more. Metadata, chapters, subtitles, data
    streams and all video streams but the first are dropped. The codec is H.264 (VP9 in WebM; MPEG-4 in AVI and
    where there is no H.264 encoder). Odd sizes are kept by storing colour at full resolution (4:4:4), which some
    players lack.

    Args:
        source: The video to read.
        target: The file to write, overwritten if it exists.
        change: From an upright frame ``uint8 [3, h, w]`` and its index to a frame of the same shape.
        container_format: FFmpeg's name of the container; None for the one that the target's suffix stands for.
        keep_audio: Whether the first audio stream is copied, as it is; otherwise there is no sound.

    Returns:
        What the video says of itself.

    Raises:
        ImportError: If the extra ``video`` is not installed.
        MediaError: If the source is no video or is broken, or the target cannot be written so.
    """
    info = probe_video(source)
    chosen = container_format or VIDEO_FORMATS.get(target.suffix.lower())
    if chosen is None:
        raise MediaError(f"{target} must end in one of {', '.join(VIDEO_FORMATS)} to be written as a video.")
    with _opened(source) as (reader, stream), _errors_named(target), _writer(target, chosen) as writer:
        output = _add_video(writer, info, chosen)
        audio = reader.streams.audio[0] if keep_audio and reader.streams.audio else None
        copy = writer.add_stream_from_template(audio) if audio is not None else None
        index, last = 0, -1
        for packet in reader.demux([stream] if audio is None else [stream, audio]):
            if copy is not None and packet.stream is audio:
                if packet.dts is not None:  # None marks the end.
                    packet.stream = copy
                    writer.mux(packet)
                continue
            for frame in stream.decode(packet):
                last = max(last + 1, _ticks(frame, info, index))
                changed = change(_pixels(frame, info.quarter_turns, source), index)
                writer.mux(output.encode(_frame(changed, last, info, output)))
                index += 1
        writer.mux(output.encode(None))
    return info


def _av() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise ImportError('Videos need the package av: pip install "zoopt-mo[video]".') from error
    return av


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    av = _av()
    # Metadata is dropped anyway, so it need not be text.
    with _errors_named(path), av.open(str(path), metadata_errors="ignore") as container:
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
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _av().FFmpegError as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        raise MediaError(f"{path} cannot be processed as a video, it is broken or cut off: {error}") from error


@contextmanager
def _writer(target: Path, container_format: str) -> Iterator[OutputContainer]:
    with _av().open(str(target), "w", format=container_format) as writer:
        yield writer


def _add_video(writer: OutputContainer, info: VideoInfo, container_format: str) -> VideoStream:
    codec = _codec(container_format)
    even = info.width % 2 == 0 and info.height % 2 == 0
    stream = cast("VideoStream", writer.add_stream(codec, rate=info.rate))
    stream.width, stream.height = info.width, info.height
    stream.pix_fmt = "yuv420p" if even or codec == "mpeg4" else "yuv444p"
    context = stream.codec_context
    context.time_base = info.clock
    if info.pixel_aspect > 0:
        context.sample_aspect_ratio = info.pixel_aspect
    if info.colour[0] in _MATRICES:
        context.colorspace, context.color_primaries, context.color_trc = info.colour
    context.options = _QUALITY[codec]
    return stream


def _codec(container_format: str) -> str:
    if container_format == "avi":
        return "mpeg4"  # AVI has no place for the times of frames that H.264 stores out of order.
    av = _av()
    wanted = "libvpx-vp9" if container_format == "webm" else "libx264"
    try:
        av.codec.Codec(wanted, "w")
    except av.codec.codec.UnknownCodecError:
        if container_format == "webm":
            raise MediaError("WebM needs a VP9 encoder, which this installation of av lacks.") from None
        return "mpeg4"
    return wanted


def _pixels(frame: VideoFrame, turns: int, path: Path) -> Tensor:
    if frame.is_corrupt:
        raise MediaError(f"{path} cannot be processed as a video, it is broken or cut off.")
    stored = np.asarray(frame.to_ndarray(format="rgb24"))
    return torch.from_numpy(np.rot90(stored, turns).copy()).permute(2, 0, 1).contiguous()


def _frame(picture: Tensor, ticks: int, info: VideoInfo, output: VideoStream) -> VideoFrame:
    if picture.shape != (3, info.height, info.width) or picture.dtype != torch.uint8:
        raise RuntimeError(f"A frame came back as {picture.dtype} {list(picture.shape)}.")
    frame = _av().VideoFrame.from_ndarray(picture.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
    matrix = info.colour[0] if info.colour[0] in _MATRICES else None
    turned: VideoFrame = frame.reformat(format=output.pix_fmt, dst_colorspace=matrix)
    turned.pts, turned.time_base = ticks, info.clock
    return turned


def _ticks(frame: VideoFrame, info: VideoInfo, index: int) -> int:
    if frame.pts is None:
        return round(index / (info.rate * info.clock))
    return round(frame.pts * Fraction(frame.time_base or info.clock) / info.clock)


def _coarse(clock: Fraction) -> Fraction:
    return clock if clock.denominator <= _FINEST_CLOCK else Fraction(1, 60_000)
