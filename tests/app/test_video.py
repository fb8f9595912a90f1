"""Videos: they keep what they must keep, lose what they must lose, and broken ones are refused."""

from __future__ import annotations

import builtins
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import data
from torch import Tensor

from privacy_mllm.media import MediaError
from privacy_mllm.media.kinds import Kind, kind_of, kind_of_content, kind_of_name
from privacy_mllm.media.video import count_frames, evenly_spaced, iterate_frames, probe_video, read_frames
from privacy_mllm.media.video_copy import transform_video

av = pytest.importorskip("av")

CHELSEA = data.chelsea()  # 300 x 451, so that no turn goes unseen.


def moving_picture(height: int, width: int) -> Iterator[np.ndarray]:
    """A real photograph that pans."""
    for step in range(8):
        yield np.ascontiguousarray(CHELSEA[60 : 60 + height, 120 + 2 * step : 120 + 2 * step + width])


def write_video(
    path: Path,
    *,
    height: int = 64,
    width: int = 96,
    codec: str = "mpeg4",
    audio: bool = False,
    colour: tuple[int, int, int] | None = None,
    pictures: Iterable[np.ndarray] = (),
) -> None:
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "SECRET title"
        container.metadata["comment"] = "SECRET comment"
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "mpeg4":
            stream.codec_context.options = {"qmin": "1", "qmax": "2"}
        if colour:
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc = colour
        sound = container.add_stream("aac", rate=44100) if audio else None
        for index, picture in enumerate(pictures or moving_picture(height, width)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            # Not a constant rate: the sixth frame comes late.
            frame.pts, frame.time_base = index + 3 * (index > 4), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            wave = np.sin(np.arange(1024) / 9, dtype=np.float32)[None].repeat(2, 0)
            for index in range(10):
                piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
                piece.sample_rate, piece.pts = 44100, 1024 * index
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))


def turn_clockwise(path: Path) -> None:
    """Set the display matrix of an MP4 as a phone held upright does: (a, b, c, d) = (0, 1, -1, 0)."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    one = 1 << 16
    content[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(frame.time, 3) for frame in container.decode(video=0)]


def negative(picture: Tensor, _: int) -> Tensor:
    return 255 - picture


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".m4v", ".webm", ".avi"])
@pytest.mark.parametrize("size", [(64, 96), (63, 95)])
def test_videos_keep_size_and_times(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    write_video(source, height=size[0], width=size[1], codec="libvpx" if suffix == ".webm" else "mpeg4")
    transform_video(source, target, negative)
    before, after = list(iterate_frames(source)), list(iterate_frames(target))
    assert len(after) == len(before) >= 8
    for old, new in zip(before, after, strict=True):
        assert new.shape == (3, *size)
        assert (new.float() - (255 - old.float())).abs().mean() < 6
    assert times_of(target) == pytest.approx(times_of(source), abs=0.0021)
    assert b"SECRET" in source.read_bytes() or suffix == ".avi"
    assert b"SECRET" not in target.read_bytes()


def test_a_turned_video_is_written_upright(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source)
    flat = next(iterate_frames(source))
    turn_clockwise(source)
    info = probe_video(source)
    assert (info.height, info.width) == (96, 64)
    upright = torch.rot90(flat, -1, dims=(1, 2))
    assert torch.equal(next(iterate_frames(source)), upright)
    transform_video(source, target, lambda picture, _: picture)
    with av.open(str(target)) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.rotation) == (64, 96, 0)
    assert (next(iterate_frames(target)).float() - upright.float()).abs().mean() < 4


def test_colours_keep_their_meaning(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    red = np.full((64, 96, 3), (200, 30, 30), dtype=np.uint8)
    # Marked BT.709, as high definition is: read or written as BT.601, this red would be off by ten and more.
    write_video(source, codec="libx264", colour=(1, 1, 1), pictures=[red] * 3)
    transform_video(source, target, lambda picture, _: picture)
    assert probe_video(target).colour == probe_video(source).colour == (1, 1, 1)
    difference = next(iterate_frames(target)).float() - next(iterate_frames(source)).float()
    assert difference.abs().max() <= 3


def test_sound_is_dropped_unless_asked_for(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    write_video(source, audio=True)

    def sound(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0)] if container.streams.audio else []

    transform_video(source, tmp_path / "silent.mp4", negative)
    assert sound(tmp_path / "silent.mp4") == []
    transform_video(source, tmp_path / "loud.mp4", negative, keep_audio=True)
    assert len(sound(source)) > 5
    assert sound(tmp_path / "loud.mp4") == sound(source)
    assert len(list(iterate_frames(tmp_path / "loud.mp4"))) == 8


def test_keeping_the_sound_of_a_silent_video_is_no_error(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4")
    transform_video(tmp_path / "in.mp4", tmp_path / "out.mp4", negative, keep_audio=True)
    assert len(list(iterate_frames(tmp_path / "out.mp4"))) == 8


def test_without_h264_there_is_mpeg4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = av.codec.Codec

    def codec(name: str, mode: str) -> Any:
        return real("no such codec" if name in ("libx264", "libvpx-vp9") else name, mode)

    monkeypatch.setattr(av.codec, "Codec", codec)
    write_video(tmp_path / "in.mp4", height=63, width=95)
    transform_video(tmp_path / "in.mp4", tmp_path / "out.mp4", negative)
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.height, context.width) == ("mpeg4", 63, 95)
    with pytest.raises(MediaError, match="WebM needs a VP9 encoder, which this installation of av lacks"):
        transform_video(tmp_path / "in.mp4", tmp_path / "out.webm", negative)


def test_frames_are_sampled_from_first_to_last(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mkv")
    frames = torch.stack(list(iterate_frames(tmp_path / "in.mkv")))
    total = count_frames(tmp_path / "in.mkv")
    three, one, many = (read_frames(tmp_path / "in.mkv", evenly_spaced(total, count)) for count in (3, 1, 20))
    assert torch.equal(three, frames[[0, 3, 7]])
    assert torch.equal(one, frames[[3]])
    assert many.shape == (20, 3, 64, 96)


@given(st.integers(1, 300), st.integers(1, 50))
def test_even_spacing(total: int, count: int) -> None:
    chosen = evenly_spaced(total, count)
    assert len(chosen) == count
    assert chosen == sorted(chosen)
    if count > 1:
        assert (chosen[0], chosen[-1]) == (0, total - 1)
        steps = np.diff(chosen)
        assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_cut_off_videos_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    source = tmp_path / f"in{suffix}"
    write_video(source)
    content = source.read_bytes()
    # In the middle of a frame: a cut between two cannot be told from the end of a shorter AVI.
    end = content.rindex(b"\x00\x00\x01\xb6") + 20 if suffix == ".avi" and share else int(len(content) * share)
    source.write_bytes(content[:end])
    with pytest.raises(MediaError, match=rf"in\{suffix} cannot be processed as a video, it is broken or cut off"):
        transform_video(source, tmp_path / "out.mp4", negative)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_text("Dear diary")
    with pytest.raises(MediaError, match=r"in\.mp4 cannot be processed as a video"):
        probe_video(tmp_path / "in.mp4")
    with pytest.raises(FileNotFoundError, match="No such file"):
        probe_video(tmp_path / "missing.mp4")
    write_video(tmp_path / "good.mp4")
    with pytest.raises(MediaError, match=r"out\.xyz must end in one of \.mp4"):
        transform_video(tmp_path / "good.mp4", tmp_path / "out.xyz", negative)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), dtype=np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError, match=r"in\.mp4 has no video stream"):
        probe_video(tmp_path / "in.mp4")


def test_huge_frames_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "in.mp4")
    monkeypatch.setattr("privacy_mllm.media.video.MAX_PIXELS", 6143)
    with pytest.raises(MediaError, match=r"in\.mp4 claims frames of 96x64: the limit is 6143 pixels"):
        probe_video(tmp_path / "in.mp4")


@pytest.mark.parametrize("workers", [2, 3])
def test_a_video_is_the_same_for_any_number_of_workers(tmp_path: Path, workers: int) -> None:
    source = tmp_path / "in.mp4"
    write_video(source, height=48, width=64)

    def change(picture: Tensor, index: int) -> Tensor:
        time.sleep(0.01 * (index % 3 == 0))  # Frames are done in another order than they are shown in.
        return picture // (index + 1)

    transform_video(source, tmp_path / "one.mp4", change)
    transform_video(source, tmp_path / "many.mp4", change, workers=workers)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "many.mp4").read_bytes()


def test_frames_at_once_are_bounded_by_their_pixels(tmp_path: Path) -> None:
    source, threads = tmp_path / "in.mp4", set()
    write_video(source, height=48, width=64)

    def change(picture: Tensor, _: int) -> Tensor:
        threads.add(threading.get_ident())
        return picture

    transform_video(source, tmp_path / "out.mp4", change, workers=4, max_pixels=2 * 48 * 64 - 1)
    assert threads == {threading.get_ident()}


def test_a_failure_among_the_workers_is_the_failure_of_the_video(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    write_video(source, height=48, width=64)
    with pytest.raises(RuntimeError, match=r"A frame came back as torch.uint8 \[3, 24, 64\]"):
        transform_video(source, tmp_path / "out.mp4", lambda picture, _: picture[:, ::2], workers=2)


def test_a_change_that_alters_the_size_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4")
    with pytest.raises(RuntimeError, match=r"A frame came back as torch\.uint8 \[3, 64, 95\]"):
        transform_video(tmp_path / "in.mp4", tmp_path / "out.mp4", lambda picture, _: picture[..., 1:])


def test_without_av_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_av(name: str, *arguments: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(ImportError, match=r'pip install "zoopt-mo\[video\]"'):
        probe_video(tmp_path / "in.mp4")


def test_kind_of_an_unknown_name_is_by_content(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4")
    path = (tmp_path / "clip.mp4").rename(tmp_path / "clip.bin")
    assert kind_of_name(path) is None
    assert kind_of(path) == kind_of_content(path) == Kind("video", "mp4")


def test_metadata_that_is_no_text_is_no_obstacle(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4")
    content = (tmp_path / "in.mp4").read_bytes()
    (tmp_path / "in.mp4").write_bytes(content.replace(b"SECRET", b"SE\xffRET"))
    assert len(list(iterate_frames(tmp_path / "in.mp4"))) == 8


def test_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4", codec="libx264")
    content = (tmp_path / "in.mp4").read_bytes()
    (tmp_path / "in.mp4").write_bytes(content.replace(b"avc1", b"zzzz"))
    with pytest.raises(MediaError, match=r"in\.mp4 is coded in a way that cannot be decoded"):
        probe_video(tmp_path / "in.mp4")
