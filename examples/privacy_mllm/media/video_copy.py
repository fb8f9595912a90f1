"""A video copied with changed frames: its own size and times, none of its metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch import Tensor

from privacy_mllm.concurrency import in_order
from privacy_mllm.media.errors import MediaError
from privacy_mllm.media.kinds import VIDEO_FORMATS
from privacy_mllm.media.pictures import MAX_PIXELS
from privacy_mllm.media.video import VideoInfo, errors_named, frame_pixels, import_av, open_video, probe_video

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    _Packets: TypeAlias = Iterator[Packet[Any]]


_MATRICES = (1, 5, 6, 7, 9)  # Ways from RGB to luma and chroma that FFmpeg can both read and write.
_QUALITY = {
    "libx264": {"crf": "18"},
    "libvpx-vp9": {"crf": "24", "b": "0", "row-mt": "1"},
    "mpeg4": {"qmin": "2", "qmax": "4"},
}


def transform_video(
    source: Path,
    target: Path,
    change: Callable[[Tensor, int], Tensor],
    *,
    container_format: str | None = None,
    keep_audio: bool = False,
    workers: int = 1,
    max_pixels: int = MAX_PIXELS,
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
        workers: Threads that change frames at once, in any order; with one, they are changed in order in the caller's.
        max_pixels: Pixels of the frames that are changed at once: of large ones, fewer.

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
    with open_video(source) as (reader, stream), errors_named(target), _writer(target, chosen) as writer:
        output = _add_video(writer, info, chosen)
        audio = reader.streams.audio[0] if keep_audio and reader.streams.audio else None
        copy = writer.add_stream_from_template(audio) if audio is not None else None
        pix_fmt = str(output.pix_fmt)

        def work(one: _Decoded) -> VideoFrame:
            changed = change(frame_pixels(one.frame, info.quarter_turns, source), one.index)
            return _frame(changed, one.ticks, info, pix_fmt)

        at_once = max(1, min(workers, max_pixels // (info.height * info.width)))
        packets = reader.demux([stream] if audio is None else [stream, audio])
        decoded = _decode(_without_audio(packets, audio, writer, copy), stream, info)
        with closing(in_order(work, decoded, at_once)) as frames:
            for frame in frames:
                writer.mux(output.encode(frame))
        writer.mux(output.encode(None))
    return info


@dataclass(frozen=True)
class _Decoded:
    frame: VideoFrame
    index: int
    ticks: int


def _decode(packets: _Packets, stream: VideoStream, info: VideoInfo) -> Iterator[_Decoded]:
    """Frames with the times at which they are shown, each later than the one before."""
    last = -1
    for index, frame in enumerate(frame for packet in packets for frame in stream.decode(packet)):
        last = max(last + 1, _ticks(frame, info, index))
        yield _Decoded(frame, index, last)


def _without_audio(
    packets: _Packets, audio: AudioStream | None, writer: OutputContainer, copy: AudioStream | None
) -> _Packets:
    """The packets of the video; those of the sound are written as they are."""
    for packet in packets:
        if copy is None or packet.stream is not audio:
            yield packet
        elif packet.dts is not None:  # None marks the end.
            packet.stream = copy
            writer.mux(packet)


@contextmanager
def _writer(target: Path, container_format: str) -> Iterator[OutputContainer]:
    with import_av().open(str(target), "w", format=container_format) as writer:
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
    av = import_av()
    wanted = "libvpx-vp9" if container_format == "webm" else "libx264"
    try:
        av.codec.Codec(wanted, "w")
    except av.codec.codec.UnknownCodecError:
        if container_format == "webm":
            raise MediaError("WebM needs a VP9 encoder, which this installation of av lacks.") from None
        return "mpeg4"
    return wanted


def _frame(picture: Tensor, ticks: int, info: VideoInfo, pix_fmt: str) -> VideoFrame:
    if picture.shape != (3, info.height, info.width) or picture.dtype != torch.uint8:
        raise RuntimeError(f"A frame came back as {picture.dtype} {list(picture.shape)}.")
    frame = import_av().VideoFrame.from_ndarray(picture.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
    matrix = info.colour[0] if info.colour[0] in _MATRICES else None
    turned: VideoFrame = frame.reformat(format=pix_fmt, dst_colorspace=matrix)
    turned.pts, turned.time_base = ticks, info.clock
    return turned


def _ticks(frame: VideoFrame, info: VideoInfo, index: int) -> int:
    if frame.pts is None:
        return round(index / (info.rate * info.clock))
    return round(frame.pts * Fraction(frame.time_base or info.clock) / info.clock)
