"""A folder of the user's own clips: what is written comes back bit for bit."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from privacy_mllm.data._tables import read_tables, split_of
from privacy_mllm.data.folder import export_clips, read_folder
from privacy_mllm.media.pictures import write_picture
from tests.app.folders import assert_same, make_clips, make_photographs, write_questions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_photographs(tmp_path)


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("people", [True, False])
def test_an_exported_folder_comes_back_bit_for_bit(tmp_path: Path, frames: int, people: bool) -> None:
    clips = make_clips(frames=frames, people=people)
    export_clips(clips, tmp_path)
    assert_same(read_folder(tmp_path, frames=frames), clips)


def test_the_rendered_world_comes_back_bit_for_bit_split_by_split(tmp_path: Path) -> None:
    world = pytest.importorskip("privacy_mllm.data.world")
    splits = {split: world.render_clips(split, 3) for split in ("train", "validation", "test")}
    for split, clips in splits.items():
        export_clips(clips, tmp_path, split=split, append=True)
    for split, clips in splits.items():
        assert_same(read_folder(tmp_path, split=split, attribute_names=world.ATTRIBUTES), clips)
    assert read_folder(tmp_path).names == sum((clips.names for clips in splits.values()), ())


def test_names_with_folders_dots_and_commas_come_back(tmp_path: Path) -> None:
    clips = replace(make_clips(), names=("a/b.c", "ü, x", 'v.mp4 "1"'))
    export_clips(clips, tmp_path)
    assert_same(read_folder(tmp_path), clips)
    singles = replace(make_clips(frames=1), names=("a/b.c", "a.png", "v.mp4"))
    export_clips(singles, tmp_path / "singles")
    assert_same(read_folder(tmp_path / "singles", frames=1), singles)


def test_photographs_are_cut_to_their_middle_and_stand_still(root: Path) -> None:
    clips = read_folder(root)
    assert clips.frames.shape == (3, 4, 3, 64, 64)
    assert clips.names == ("astronaut", "coffee", "chelsea")
    assert clips.attributes.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert torch.equal(clips.frames[:, 0], clips.frames[:, 3])
    middle = Image.fromarray(data.coffee()).crop((100, 0, 500, 400)).resize((64, 64), Image.Resampling.BILINEAR)
    expected = torch.frombuffer(bytearray(middle.tobytes()), dtype=torch.uint8).view(64, 64, 3).permute(2, 0, 1)
    assert (clips.frames[1, 0].float() - expected.float()).abs().max() <= 1


def test_frames_are_spread_evenly_over_a_folder_sorted_by_name(tmp_path: Path) -> None:
    clips = make_clips(1, 7, people=False)
    export_clips(clips, tmp_path)
    assert torch.equal(read_folder(tmp_path, frames=4).frames, clips.frames[:, [0, 2, 4, 6]])
    assert torch.equal(read_folder(tmp_path, frames=2).frames, clips.frames[:, [0, 6]])
    assert torch.equal(read_folder(tmp_path, frames=1).frames, clips.frames[:, [3]])
    assert read_folder(tmp_path, frames=4).apart is None  # pictures do not say when they were taken


def test_a_video_is_a_clip(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for level in range(0, 250, 25):
            picture = torch.full((64, 64, 3), level, dtype=torch.uint8).numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    (tmp_path / "attributes.csv").write_text("file,face\nv.mp4,1\n")
    write_questions(tmp_path, ["v.mp4"])
    (tmp_path / "people" / "v").mkdir(parents=True)
    for index in range(2):
        mask = torch.full((1, 64, 64), 255 * index, dtype=torch.uint8)
        write_picture(tmp_path / "people" / "v" / f"{index}.png", mask)
    clips = read_folder(tmp_path, frames=4)
    assert clips.names == ("v.mp4",)
    assert clips.frames.float().mean((0, 2, 3, 4)).tolist() == pytest.approx([0, 75, 150, 225], abs=4)
    assert clips.apart == pytest.approx(0.3)  # ten frames at ten a second, of which every third is taken
    assert clips.head(1).apart == clips.apart
    assert read_folder(tmp_path, frames=1).apart is None
    assert clips.people is not None
    assert clips.people[0, :, 0, 0, 0].tolist() == [0, 0, 0, 255]


def test_attributes_come_in_the_order_asked_for(root: Path) -> None:
    clips = read_folder(root, attribute_names=("skin_color", "face"))
    assert clips.attribute_names == ("skin_color", "face")
    assert clips.attributes.tolist() == [[1, 1], [0, 0], [1, 0]]


def test_a_spreadsheets_table_is_understood(root: Path) -> None:
    text = (root / "attributes.csv").read_text().replace("\n", "\r\n").replace(",", " , ") + "\r\n , ,\r\n"
    (root / "attributes.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_folder(root).names == ("astronaut", "coffee", "chelsea")


def test_equal_stems_keep_their_suffixes_as_names(root: Path) -> None:
    Image.fromarray(data.coffee()).save(root / "astronaut.jpg")
    with (root / "attributes.csv").open("a") as table:
        table.write("astronaut.jpg,1,0\n")
    write_questions(root, ["astronaut.jpg", "astronaut.png", "coffee.png", "chelsea.png"])
    assert read_folder(root).names == ("astronaut.png", "coffee", "chelsea", "astronaut.jpg")


@given(st.lists(st.text(min_size=1), unique=True, max_size=30))
def test_a_name_alone_decides_its_split(names: list[str]) -> None:
    assert [split_of(name) for name in names] == [split_of(name) for name in names]
    assert {split_of(name) for name in names} <= {"train", "validation", "test"}


def test_splits_by_hash_have_their_shares() -> None:
    shares = Counter(split_of(f"picture-{index}.jpg") for index in range(10_000))
    # Three standard deviations of a binomial share of 10,000 are below 140.
    assert shares["train"] == pytest.approx(7000, abs=140)
    assert shares["validation"] == pytest.approx(1000, abs=90)
    assert shares["test"] == pytest.approx(2000, abs=120)
    assert split_of("IMG_1.jpg") == "train"  # Pinned: a new version must not move a clip to another split.


def test_splits_never_share_a_clip_and_lose_none(tmp_path: Path) -> None:
    export_clips(make_clips(40, 1, people=False), tmp_path)
    parts = [read_folder(tmp_path, frames=1, split=split).names for split in ("train", "validation", "test")]
    assert sorted(sum(parts, ())) == sorted(make_clips(40, 1).names)
    assert all(parts)


def test_records_carry_their_lines(root: Path) -> None:
    names, records = read_tables(root)
    assert names == ("face", "skin_color")
    assert [(record.line, record.questions[0].line) for record in records] == [(2, 1), (3, 2), (4, 3)]
