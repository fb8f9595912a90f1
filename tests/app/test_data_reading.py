"""Pixels of clips: from videos, folders of frames, pictures and arrays; and frames that are read when looked at."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from privacy_mllm.data import lazy
from privacy_mllm.data.lazy import LazyFrames, prefetch
from privacy_mllm.data.reading import Item, Reading, count_clip, read_clip, seconds_apart
from privacy_mllm.media import MediaError
from tests.app import data_fixtures as disk

READING = Reading(frames=3, size=8)


def levels(clip: torch.Tensor) -> list[float]:
    """Mean grey level of each frame."""
    return clip.float().mean((1, 2, 3)).tolist()


def write(folder: Path, ending: str, **shape: int) -> Item:
    path = disk.write_clip(folder / f"clip{ending}", disk.grey_frames(**shape))
    return Item("clip", path)


@pytest.mark.parametrize("ending", ["", ".npy", ".avi", ".mp4"])
def test_frames_are_spread_evenly_over_every_form_of_a_clip(tmp_path: Path, ending: str) -> None:
    item = write(tmp_path, ending)
    assert count_clip(item.path) == 10
    assert levels(read_clip(item, Reading(frames=4))) == pytest.approx([0, 60, 120, 180], abs=3)
    assert levels(read_clip(item, Reading(frames=1))) == pytest.approx([80], abs=3)
    twelve = levels(read_clip(item, Reading(frames=12)))
    assert len(twelve) == 12
    assert twelve == sorted(twelve)


@pytest.mark.parametrize("ending", ["", ".npy", ".avi"])
def test_named_frames_are_taken_as_they_are_named(tmp_path: Path, ending: str) -> None:
    item = Item("clip", write(tmp_path, ending).path, (7, 2, 2))
    assert levels(read_clip(item, Reading(frames=3))) == pytest.approx([140, 40, 40], abs=3)


def test_random_frames_come_one_from_each_part_and_from_the_seed_and_name_alone(tmp_path: Path) -> None:
    path = write(tmp_path, ".npy").path
    drawn = set()
    for seed in range(30):
        reading = Reading(frames=5, sampling="random", seed=seed)
        clip = read_clip(Item("clip", path), reading)
        assert torch.equal(clip, read_clip(Item("clip", path), reading))
        numbers = tuple(round(level / 20) for level in levels(clip))
        assert [number // 2 for number in numbers] == [0, 1, 2, 3, 4]
        drawn.add(numbers)
    assert len(drawn) > 15  # of 32 that there are
    reading = Reading(frames=5, sampling="random")
    others = {tuple(levels(read_clip(Item(name, path), reading))) for name in "abcdef"}
    assert len(others) > 1


def test_a_picture_is_a_clip_that_stands_still(tmp_path: Path) -> None:
    item = Item("picture", disk.write_noise(tmp_path / "p.png", size=(32, 32)))
    clip = read_clip(item, Reading(frames=3, size=32))
    assert torch.equal(clip[0], clip[2])
    assert torch.equal(clip[0], torch.from_numpy(np.array(Image.open(item.path))).permute(2, 0, 1))


def test_the_middle_square_is_taken_or_all_of_it_or_a_random_part(tmp_path: Path) -> None:
    wide = torch.zeros(2, 3, 40, 80, dtype=torch.uint8)
    wide[..., 20:60] = 200  # the middle square is bright, the sides are black
    item = Item("wide", disk.write_clip(tmp_path / "wide.npy", wide))
    assert read_clip(item, Reading(frames=2, size=40)).float().mean() == 200
    squashed = read_clip(item, Reading(frames=2, size=40, crop="squash"))
    assert squashed.shape == (2, 3, 40, 40)
    assert squashed.float().mean() == pytest.approx(100, abs=1)
    parts = [read_clip(item, Reading(frames=2, size=40, crop="random", seed=seed)) for seed in range(20)]
    assert all(torch.equal(part[0], part[1]) for part in parts)
    assert len({float(part.float().mean()) for part in parts}) > 10


def test_a_random_crop_keeps_at_least_six_tenths_of_the_shorter_side(tmp_path: Path) -> None:
    ramp = torch.arange(100, dtype=torch.uint8).expand(1, 3, 100, 100).contiguous()  # each column has its number
    item = Item("ramp", disk.write_clip(tmp_path / "ramp.npy", ramp))
    widths = []
    for seed in range(40):
        part = read_clip(item, Reading(frames=1, size=50, crop="random", seed=seed)).float()
        widths.append(float(part[0, 0, 0, -1] - part[0, 0, 0, 0]) * 50 / 49)
    assert 57 <= min(widths) < 70
    assert 85 < max(widths) <= 101


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, r"clip\.avi is missing"),
        (lambda path: path.write_bytes(b""), r"clip\.avi is empty"),
        (
            lambda path: path.write_bytes(b"RIFF\0\0\0\0AVI LIST" + b"\0" * 99),
            r"clip\.avi cannot be processed as a video",
        ),
        (lambda path: path.write_bytes(b"no video at all, but text"), r"clip\.avi is neither a picture nor a video"),
        (lambda path: path.mkdir(), r"clip\.avi has no frame"),
    ],
)
def test_a_missing_or_broken_file_is_named(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "clip.avi")
    with pytest.raises(MediaError, match=message):
        read_clip(Item("clip", tmp_path / "clip.avi"), Reading())


@pytest.mark.parametrize("ending", ["", ".npy", ".avi"])
def test_a_clip_that_is_too_short_for_its_annotation_is_named(tmp_path: Path, ending: str) -> None:
    item = Item("clip", write(tmp_path, ending).path, (3, 10))
    with pytest.raises(MediaError, match=r"clip\S* has (10 frames, too few for|too few frames .*) number 10, from 0"):
        read_clip(item, Reading(frames=2))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_video_that_was_cut_off_is_named(tmp_path: Path, share: float) -> None:
    item = write(tmp_path, ".mp4")
    content = item.path.read_bytes()
    item.path.write_bytes(content[: int(share * len(content))])  # an .mp4 has its index at the end
    with pytest.raises(MediaError, match=r"clip\.mp4 (cannot be processed as a video, it is broken|has no )"):
        read_clip(item, Reading())


def test_arrays_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(MediaError, match=r"evil\.npy cannot be read as an array of bytes"):
        read_clip(Item("evil", tmp_path / "evil.npy"), Reading())
    np.save(tmp_path / "float.npy", np.zeros((2, 4, 4, 3)))
    with pytest.raises(MediaError, match=r"float\.npy must hold uint8 \[t, h, w, 3\], got float64 \[2, 4, 4, 3\]"):
        read_clip(Item("float", tmp_path / "float.npy"), Reading())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ending=st.sampled_from([".npy", ".npy", ".avi", ".mp4"]),
    changes=st.dictionaries(st.floats(0, 1, exclude_max=True), st.integers(0, 255), max_size=5),
    kept=st.floats(0.1, 1),
)
def test_a_file_with_wrong_bytes_is_read_or_refused_by_name(
    sound: dict[str, bytes], tmp_path: Path, ending: str, changes: dict[float, int], kept: float
) -> None:
    content = bytearray(sound[ending])
    header = 128 if ending == ".npy" else len(content)
    for place, value in changes.items():
        content[int(place * header)] = value
    path = tmp_path / f"clip{ending}"
    path.write_bytes(content[: int(kept * len(content))])
    try:
        assert read_clip(Item("clip", path), READING).shape == (3, 3, 8, 8)
    except MediaError as error:
        assert path.name in str(error)  # noqa: PT017 - most are refused, some can be read


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sound")
    frames = disk.grey_frames(4, 16, 16)
    return {
        ending: disk.write_clip(folder / f"clip{ending}", frames).read_bytes() for ending in (".npy", ".avi", ".mp4")
    }


def test_frames_of_different_sizes_are_no_clip(tmp_path: Path) -> None:
    disk.write_noise(tmp_path / "clip" / "1.png")
    disk.write_noise(tmp_path / "clip" / "2.png", size=(64, 64))
    with pytest.raises(MediaError, match=r"2\.png has another size than .*1\.png"):
        read_clip(Item("clip", tmp_path / "clip"), Reading(frames=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, r"`frames` must be positive, got 0"),
        ({"size": -1}, r"`size` must be positive, got -1"),
        ({"sampling": "first"}, r"`sampling` must be one of even, random, got 'first'"),
        ({"crop": "left"}, r"`crop` must be one of centre, random, squash, got 'left'"),
    ],
)
def test_settings_of_reading_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reading(**options)


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(256, (6, 5, 3, 12, 16), dtype=torch.uint8, generator=generator)
    return [Item(str(row), disk.write_clip(tmp_path / f"{row}.npy", clip)) for row, clip in enumerate(clips)]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the clips that were read, in order."""
    names: list[str] = []

    def read(item: Item, reading: Reading) -> torch.Tensor:
        names.append(item.name)
        return read_clip(item, reading)

    monkeypatch.setattr(lazy, "read_clip", read)
    return names


def test_lazy_frames_look_like_the_tensor_that_they_stand_for(items: list[Item], opened: list[str]) -> None:
    frames = LazyFrames(items, READING)
    assert frames.shape == (6, 3, 3, 8, 8)
    assert (len(frames), frames.ndim, frames.dtype, frames.numel()) == (6, 5, torch.uint8, 6 * 3 * 3 * 64)
    assert repr(frames[1:3]) == "LazyFrames([2, 3, 3, 8, 8], uint8)"
    assert isinstance(frames[:2][1:], LazyFrames)
    assert opened == []


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("cache_bytes", [0, 3 * 3 * 64 * 2, 1 << 20])
def test_every_index_reads_what_a_tensor_would_give(items: list[Item], workers: int, cache_bytes: int) -> None:
    full = torch.stack([read_clip(item, READING) for item in items])
    frames = LazyFrames(items, READING, workers=workers, cache_bytes=cache_bytes)
    rows, times = torch.tensor([4, 0, 4]), torch.tensor([0, 2, 1])
    indices: list[Any] = [
        *(0, -1, (2, 1), [1, 3], rows, (rows, times), torch.tensor([True, False, True, False, False, True])),
        *(slice(2, 4), slice(None, None, 2), (slice(1, 3), 0), (Ellipsis, 0), rows[:0], None),
    ]
    for index in indices:
        assert torch.equal(frames[index], full[index]), index
    assert torch.equal(torch.stack(list(frames)), full)
    assert torch.equal(frames.flatten(0, 1).float() / 255, full.flatten(0, 1).float() / 255)
    assert torch.equal(torch.where(full > 100, frames, full), full)
    assert type(frames.load()) is type(frames[rows]) is torch.Tensor


def test_only_what_is_asked_for_is_read_and_only_once_while_the_cache_has_room(
    items: list[Item], opened: list[str]
) -> None:
    frames = LazyFrames(items, READING, workers=1, cache_bytes=2 * 3 * 3 * 64)
    frames[:4][torch.tensor([3, 1, 3])]
    assert opened == ["1", "3"]
    frames[[3, 1]]
    assert opened == ["1", "3"]
    frames[1]
    frames[5]  # pushes out the one that was used least recently, which is 3
    frames[1]
    assert opened == ["1", "3", "5"]
    frames[3]
    assert opened == ["1", "3", "5", "3"]
    assert frames._store.cached_bytes == 2 * 3 * 3 * 64


def test_what_was_read_can_be_changed_without_harm(items: list[Item]) -> None:
    frames = LazyFrames(items, READING)
    before = frames[[2]]
    frames[[2]].zero_()
    frames[2].zero_()
    assert torch.equal(frames[[2]], before)
    assert before.any()


@pytest.mark.parametrize("change", [lambda frames: frames.zero_(), lambda frames: frames.__setitem__(0, 1)])
def test_lazy_frames_cannot_be_written_to(items: list[Item], change: Any) -> None:
    with pytest.raises(TypeError, match=r"Lazy frames cannot be written to; `load\(\)` gives a tensor that can"):
        change(LazyFrames(items, READING))


def test_a_broken_file_among_many_is_named_when_it_is_read(items: list[Item]) -> None:
    items[4].path.write_bytes(b"broken")
    frames = LazyFrames(items, READING, workers=3)
    assert frames[torch.arange(4)].shape[0] == 4
    with pytest.raises(MediaError, match=r"4\.npy cannot be read"):
        frames[torch.arange(6)]
    with pytest.raises(IndexError, match="out of range"):
        frames[6]


def test_settings_of_lazy_frames_are_checked(items: list[Item]) -> None:
    with pytest.raises(ValueError, match=r"`cache_bytes` must not be negative, got -1"):
        LazyFrames(items, READING, cache_bytes=-1)
    with pytest.raises(ValueError, match=r"`workers` must be positive, got 0"):
        LazyFrames(items, READING, workers=0)


def test_the_next_batch_is_read_while_the_present_one_is_used(
    items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = threading.Event()

    def slow(item: Item, reading: Reading) -> torch.Tensor:
        if item.name == "3":
            read.set()
        return read_clip(item, reading)

    monkeypatch.setattr(lazy, "read_clip", slow)
    frames = LazyFrames(items, READING)
    batches = prefetch(frames, [torch.tensor([0, 1]), torch.tensor([3]), torch.tensor([5, 5])])
    first = next(batches)
    assert read.wait(timeout=10)  # nobody has asked for the second batch
    assert [len(first), *map(len, batches)] == [2, 1, 2]


def test_prefetched_batches_are_those_that_were_asked_for(items: list[Item]) -> None:
    frames = LazyFrames(items, READING, cache_bytes=0)
    batches = list(torch.randperm(6, generator=torch.Generator().manual_seed(0)).split(2))
    for rows, batch in zip(batches, prefetch(frames, batches), strict=True):
        assert torch.equal(batch, frames[rows])
    assert list(prefetch(frames, [])) == []


def test_a_broken_file_ends_the_prefetching_with_its_name(items: list[Item]) -> None:
    items[2].path.unlink()
    batches = prefetch(LazyFrames(items, READING), [torch.tensor([0]), torch.tensor([2])])
    assert next(batches).shape[0] == 1
    with pytest.raises(MediaError, match=r"2\.npy is missing"):
        next(batches)


def test_a_broken_video_tells_no_time_and_is_named_when_it_is_read(tmp_path: Path) -> None:
    items = [write(tmp_path, ".avi"), Item("cut", tmp_path / "cut.avi"), Item("gone", tmp_path / "gone.avi")]
    items[1].path.write_bytes(items[0].path.read_bytes()[:500])
    assert seconds_apart(items, Reading(frames=4)) == pytest.approx(0.3)  # ten frames at ten a second
    assert seconds_apart(items[1:], Reading(frames=4)) is None
    assert seconds_apart(items, Reading(frames=1)) is None
    for item in items[1:]:
        with pytest.raises(MediaError, match=item.path.name):
            read_clip(item, Reading())
