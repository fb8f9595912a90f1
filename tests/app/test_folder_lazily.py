"""A folder's clips are checked at once and read when they are needed; nothing but what fits is kept."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from privacy_mllm.data import folder
from privacy_mllm.data.folder import export_clips, read_folder
from privacy_mllm.data.lazy import LazyFrames, load
from privacy_mllm.data.reading import Item, read_clip
from privacy_mllm.data.sources import load_clips
from privacy_mllm.media import TableError
from privacy_mllm.media.pictures import write_picture
from tests.app.folders import make_clips

CLIP = 4 * 3 * 64 * 64  # bytes


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The places that were read."""
    places: list[Path] = []
    lock = threading.Lock()

    def read(item: Item, *how: object) -> torch.Tensor:
        with lock:
            places.append(item.path)
        return read_clip(item, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(folder, "read_clip", read)
    return places


def test_every_clip_is_read_once_to_be_checked_and_then_kept_as_far_as_there_is_room(
    tmp_path: Path, opened: list[Path]
) -> None:
    written = make_clips(5, people=False)
    export_clips(written, tmp_path)
    clips = read_folder(tmp_path)
    assert isinstance(clips.frames, LazyFrames)
    assert sorted(opened) == sorted(tmp_path / name for name in written.names)
    opened.clear()
    assert torch.equal(clips.frames.load(), written.frames)
    assert opened == []
    none_kept = read_folder(tmp_path, cache_bytes=0)
    opened.clear()
    assert torch.equal(none_kept.frames[[3, 1]], written.frames[[3, 1]])
    assert len(opened) == 2
    two_kept = read_folder(tmp_path, cache_bytes=2 * CLIP)
    opened.clear()
    assert torch.equal(load(two_kept.frames), written.frames)
    assert len(opened) == 3


def test_masks_of_people_are_read_when_they_are_needed_too(tmp_path: Path, opened: list[Path]) -> None:
    written = make_clips(4)
    export_clips(written, tmp_path)
    clips = read_folder(tmp_path, cache_bytes=0)
    assert isinstance(clips.people, LazyFrames)
    opened.clear()
    part = clips.select([2, 0]).load()
    assert part.people is not None
    assert written.people is not None
    assert torch.equal(part.people, written.people[[2, 0]])
    assert {place.relative_to(tmp_path).parts[0] for place in opened} == {"people", *part.names}
    assert len(opened) == 4


def test_a_picture_that_breaks_later_is_named_with_its_row_where_it_is_read(tmp_path: Path) -> None:
    export_clips(make_clips(3, 1, people=False), tmp_path)
    clips = read_folder(tmp_path, frames=1, cache_bytes=0)
    broken = tmp_path / f"{clips.names[1]}.png"
    broken.write_bytes(broken.read_bytes()[:200])
    assert len(clips.frames[[0, 2]]) == 2
    with pytest.raises(TableError, match=rf"attributes\.csv:3: .*{broken.name} cannot be decoded"):
        clips.frames[[0, 1]]


def test_a_mask_of_another_size_is_found_in_a_later_frame_of_a_folder_of_masks(tmp_path: Path) -> None:
    export_clips(make_clips(2), tmp_path)
    mask = sorted((tmp_path / "people" / "clip-01").iterdir())[2]
    write_picture(mask, torch.zeros(1, 64, 60, dtype=torch.uint8))
    with pytest.raises(TableError, match=rf"csv:3: .*{mask.name} has another size than .*frame-00000\.png"):
        read_folder(tmp_path)


def test_the_bytes_that_are_kept_are_an_option_of_the_source(tmp_path: Path, opened: list[Path]) -> None:
    export_clips(make_clips(3, people=False), tmp_path, split="train")
    clips = load_clips(f"folder:{tmp_path}?cache=0", "train", 2)
    assert len(clips) == 2
    opened.clear()
    clips.frames[[1]]
    clips.frames[[1]]
    assert len(opened) == 2
    with pytest.raises(ValueError, match="`cache` must be a whole number, got 'all'"):
        load_clips(f"folder:{tmp_path}?cache=all", "train", 2)
