"""A folder of the user's own clips: what is written comes back bit for bit, and every slip is named with its line."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data
from torch import Tensor

from privacy_mllm.data._tables import read_tables, split_of
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.folder import check_answers, export_clips, read_folder
from privacy_mllm.media.pictures import write_picture
from privacy_mllm.oracles.protocol import Answer

QUESTION = "what is the person doing"


class Talker:
    """An oracle that knows two answers and must not be asked."""

    num_calls = 0

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:  # noqa: ARG002
        raise AssertionError("a query was made")

    def can_answer(self, question: str, answer: str) -> bool:
        return question == QUESTION and answer in ("waving", "walking")


def make_clips(count: int = 3, frames: int = 4, *, people: bool = True, prefix: str = "clip") -> Clips:
    generator = torch.Generator().manual_seed(len(prefix))

    def random(channels: int) -> Tensor:
        shape = (count, frames, channels, 64, 64)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    return Clips(
        frames=random(3),
        attributes=torch.tensor([[index % 2, 1.0] for index in range(count)]),
        attribute_names=("face", "skin_color"),
        answers=tuple({QUESTION: ("waving",), f"é? {index}": ("a, b", 'c"')} for index in range(count)),
        names=tuple(f"{prefix}-{index:02d}" for index in range(count, 0, -1)),  # not in alphabetical order
        people=random(1) if people else None,
    )


def assert_same(first: Clips, second: Clips) -> None:
    assert torch.equal(first.frames, second.frames)
    assert first.frames.dtype == second.frames.dtype
    assert torch.equal(first.attributes, second.attributes)
    assert first.attributes.dtype == second.attributes.dtype
    assert first.attribute_names == second.attribute_names
    assert first.names == second.names
    assert first.answers == second.answers
    assert [list(answers) for answers in first.answers] == [list(answers) for answers in second.answers]
    assert (first.people is None) == (second.people is None)
    assert first.people is None or second.people is None or torch.equal(first.people, second.people)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three real photographs with a question each, without the column `split`."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    lines = ["file,face,skin_color", "astronaut.png,1,1", "coffee.png,0,0", "chelsea.png,0,1"]
    (folder / "attributes.csv").write_text("\n".join(lines) + "\n")
    write_questions(folder, ["astronaut.png", "coffee.png", "chelsea.png"])
    return folder


def write_questions(folder: Path, files: Sequence[str], **changes: object) -> None:
    entries = [{"file": file, "question": QUESTION, "answers": ["waving"], **changes} for file in files]
    (folder / "questions.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def replace_line(file: Path, number: int, line: str) -> None:
    lines = file.read_text().splitlines()
    lines[number - 1 : number] = [line]
    file.write_text("\n".join(lines) + "\n")


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


ATTRIBUTE_SLIPS = [
    (1, "file;face;skin_color", r"attributes\.csv:1 must have a column `file`, separated by commas"),
    (1, "file,face,face", r"attributes\.csv:1 must have different, named columns, got 'face'"),
    (1, "file,face,", r"attributes\.csv:1 must have different, named columns, got ''"),
    (1, "file,face,hat", r"attributes\.csv:1: the column 'hat' is unknown; the attributes are face, skin_color"),
    (1, "file,split,face", r"attributes\.csv:1: the column 'skin_color' is missing; the attributes are face, skin"),
    (2, "astronaut.png,1", r"attributes\.csv:2 must have 3 cells, as the first line has, got 2"),
    (2, "astronaut.png,1,yes", r"attributes\.csv:2: 'skin_color' must be 0 or 1, got 'yes'"),
    (2, "astronaut.png,,1", r"attributes\.csv:2: 'face' must be 0 or 1, got ''"),
    (2, "../astronaut.png,1,1", r"attributes\.csv:2: `file` must be a path inside the folder, got '\.\./astr"),
    (2, "/etc/x.png,1,1", r"attributes\.csv:2: `file` must be a path inside the folder"),
    (2, ",1,1", r"attributes\.csv:2: `file` must be a path inside the folder, got ''"),
    (3, "cofee.png,0,0", r"attributes\.csv:3: .*cofee\.png is missing"),
    (4, "astronaut.png,0,0", r"attributes\.csv:4: astronaut\.png is listed already in line 2"),
    (4, "./astronaut.png,0,0", r"attributes\.csv:4: astronaut\.png is listed already in line 2"),
    (4, "link.png,0,0", r"attributes\.csv:4: link\.png is listed already in line 2"),
    (4, "zero.png,0,0", r"attributes\.csv:4: .*zero\.png is empty"),
    (4, "text.png,0,0", r"attributes\.csv:4: .*text\.png is neither a picture nor a video"),
    (3, 'coffee.png,"0,0', r"attributes\.csv:4: unexpected end of data"),
]


@pytest.mark.parametrize(("number", "line", "message"), ATTRIBUTE_SLIPS)
def test_slips_in_the_attributes_are_named_with_their_line(root: Path, number: int, line: str, message: str) -> None:
    (root / "link.png").symlink_to(root / "astronaut.png")
    (root / "zero.png").touch()
    (root / "text.png").write_text("Not a picture at all.")
    replace_line(root / "attributes.csv", number, line)
    with pytest.raises(ValueError, match=message):
        read_folder(root, attribute_names=("face", "skin_color"), split="train")


QUESTION_SLIPS = [
    ("{", r"questions\.jsonl:2 is not JSON: Expecting property name.* at column 2"),
    ("[1]", r"questions\.jsonl:2 must be an object with file, question and answers, got \[1\]"),
    ('{"question": "q", "answers": ["a"]}', r"questions\.jsonl:2: `file` must be a text, got None"),
    ('{"file": "coffee.png", "question": " ", "answers": ["a"]}', r"jsonl:2: `question` must be a text, got ' '"),
    ('{"file": "coffee.png", "question": "q", "answers": "a"}', r"jsonl:2: `answers` must be a list of at least"),
    ('{"file": "coffee.png", "question": "q", "answers": []}', r"jsonl:2: `answers` must be a list of at least one"),
    ('{"file": "coffee.png", "question": "q", "answers": [1]}', r"jsonl:2: `answers` must be a list of at least one"),
    ('{"file": "tea.png", "question": "q", "answers": ["a"]}', r"jsonl:2: tea\.png is not listed in attributes\.csv"),
    (
        f'{{"file": "./astronaut.png", "question": "{QUESTION}", "answers": ["a"]}}',
        r"jsonl:2: 'what is the person doing' is asked of astronaut\.png already in line 1",
    ),
    ("", r"attributes\.csv:3: coffee\.png has no question in questions\.jsonl"),
]


@pytest.mark.parametrize(("line", "message"), QUESTION_SLIPS)
def test_slips_in_the_questions_are_named_with_their_line(root: Path, line: str, message: str) -> None:
    replace_line(root / "questions.jsonl", 2, line)
    with pytest.raises(ValueError, match=message):
        read_folder(root, split="train")


def test_a_missing_table_is_named_with_its_form(root: Path) -> None:
    (root / "questions.jsonl").unlink()
    with pytest.raises(ValueError, match=r'questions\.jsonl is missing: one \{"file": \.\.\., "question": '):
        read_folder(root)
    (root / "attributes.csv").unlink()
    with pytest.raises(ValueError, match=r"attributes\.csv is missing: it lists the clips, with the columns file"):
        read_folder(root)


@pytest.mark.parametrize("table", ["attributes.csv", "questions.jsonl"])
def test_a_table_in_another_encoding_is_refused(root: Path, table: str) -> None:
    (root / table).write_bytes((root / table).read_bytes() + b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=f"{table} is not UTF-8 text"):
        read_folder(root)


def test_tables_without_clips_or_attributes_are_refused(root: Path) -> None:
    (root / "attributes.csv").write_text("file,face\n")
    with pytest.raises(ValueError, match=r"attributes\.csv lists no clip"):
        read_folder(root)
    (root / "attributes.csv").write_text("file,split\nastronaut.png,train\n")
    with pytest.raises(ValueError, match=r"csv:1 must have a column for at least one attribute"):
        read_folder(root)


def test_an_unknown_split_is_refused(root: Path) -> None:
    lines = ["file,split,face", "astronaut.png,train,1", "coffee.png,dev,0", "chelsea.png,test,0"]
    (root / "attributes.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"csv:3: `split` must be one of train, validation, test, got 'dev'"):
        read_folder(root)
    replace_line(root / "attributes.csv", 3, "coffee.png,train,0")
    with pytest.raises(ValueError, match="has no clip in the split 'validation'"):
        read_folder(root, split="validation")
    with pytest.raises(ValueError, match="`split` must be one of train, validation, test, got 'dev'"):
        read_folder(root, split="dev")


def test_counts_must_be_positive(root: Path) -> None:
    with pytest.raises(ValueError, match="`frames` must be positive, got 0"):
        read_folder(root, frames=0)
    with pytest.raises(ValueError, match="`size` must be positive, got -1"):
        read_folder(root, size=-1)


def test_a_broken_picture_is_named_with_its_row(root: Path) -> None:
    content = (root / "coffee.png").read_bytes()
    (root / "coffee.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"attributes\.csv:3: .*coffee\.png cannot be decoded .* cut off"):
        read_folder(root)


def test_a_frame_that_is_also_a_clip_is_refused(tmp_path: Path) -> None:
    export_clips(make_clips(1, 2, people=False), tmp_path)
    with (tmp_path / "attributes.csv").open("a") as table:
        table.write("clip-01/frame-00000.png,0,0\n")
    with pytest.raises(ValueError, match=r"csv:3: clip-01/frame-00000\.png is also a part of the clip in line 2"):
        read_folder(tmp_path)


def test_folders_of_frames_must_hold_frames_of_one_size(tmp_path: Path) -> None:
    export_clips(make_clips(1, 2, people=False), tmp_path)
    frame = tmp_path / "clip-01" / "frame-00001.png"
    write_picture(frame, torch.zeros(3, 64, 63, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"csv:2: .*frame-00001\.png has another size than .*frame-00000\.png"):
        read_folder(tmp_path)
    shutil.rmtree(tmp_path / "clip-01")
    (tmp_path / "clip-01").mkdir()
    with pytest.raises(ValueError, match=r"csv:2: .*clip-01 has no frames"):
        read_folder(tmp_path)


def test_masks_of_people_must_be_complete_and_of_the_same_size(tmp_path: Path) -> None:
    export_clips(make_clips(2, 1), tmp_path)
    mask = tmp_path / "people" / "clip-01.png"
    write_picture(mask, torch.zeros(1, 64, 60, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"csv:3: the mask of clip-01\.png in people/ has another size"):
        read_folder(tmp_path)
    mask.unlink()
    with pytest.raises(ValueError, match=r"csv:3: .*clip-01\.png is missing: every clip must have a mask, or none"):
        read_folder(tmp_path)


def test_answers_that_the_oracle_cannot_give_are_named_with_their_line(root: Path) -> None:
    clips = read_folder(root)
    check_answers(clips, Talker(), root)
    check_answers(clips, Talker())
    line = json.dumps({"file": "coffee.png", "question": QUESTION, "answers": ["walking", "wavin"]})
    replace_line(root / "questions.jsonl", 2, line)
    message = "the oracle can never answer 'wavin' to 'what is the person doing'"
    with pytest.raises(ValueError, match=rf"questions\.jsonl:2: {message}"):
        check_answers(clips, Talker(), root)
    with pytest.raises(ValueError, match=f"clip coffee: {message}"):
        check_answers(read_folder(root), Talker())


def test_answers_of_all_splits_are_checked_before_any_query(tmp_path: Path) -> None:
    clips = replace(make_clips(1, 1), answers=({QUESTION: ("waving",)},))
    export_clips(clips, tmp_path, split="train")
    other = replace(make_clips(1, 1, prefix="b"), answers=({QUESTION: ("sleeping",)},))
    export_clips(other, tmp_path, split="test", append=True)
    train = read_folder(tmp_path, split="train")
    with pytest.raises(ValueError, match=r"questions\.jsonl:2: the oracle can never answer 'sleeping'"):
        check_answers(train, Talker(), tmp_path)


def test_records_carry_their_lines(root: Path) -> None:
    names, records = read_tables(root)
    assert names == ("face", "skin_color")
    assert [(record.line, record.questions[0].line) for record in records] == [(2, 1), (3, 2), (4, 3)]


def test_export_overwrites_nothing(tmp_path: Path) -> None:
    export_clips(make_clips(), tmp_path, split="train")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(FileExistsError, match=r"attributes\.csv exists; choose an empty folder"):
        export_clips(make_clips(prefix="other"), tmp_path, split="test")
    with pytest.raises(FileExistsError, match="clip-03 exists; choose an empty folder"):
        export_clips(make_clips(), tmp_path, split="test", append=True)
    with pytest.raises(ValueError, match="has the columns file,split,face,skin_color; these clips have file,face"):
        export_clips(make_clips(prefix="other"), tmp_path, append=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize("name", ["../up", "/root", "people/a", "", " a", "a\\b", "a//b", "a\nb", "."])
def test_export_refuses_names_that_are_no_file_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"`clips\.names` must be relative file names outside people/"):
        export_clips(replace(make_clips(1), names=(name,)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_export_refuses_what_it_could_not_read_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`clips\.names` must differ, got 'a' 2 times"):
        export_clips(replace(make_clips(2), names=("a", "a")), tmp_path)
    with pytest.raises(ValueError, match=r"`clips\.attributes` must be 0 or 1"):
        export_clips(replace(make_clips(1), attributes=torch.tensor([[0.5, 1]])), tmp_path)
    with pytest.raises(ValueError, match="`split` must be one of train, validation, test, got 'all'"):
        export_clips(make_clips(1), tmp_path, split="all")
