"""Slips in a folder of clips: each is named with its file and line, before any query."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from privacy_mllm.data.folder import check_answers, export_clips, read_folder
from privacy_mllm.media.pictures import write_picture
from tests.app.folders import QUESTION, Talker, make_clips, make_photographs, replace_line


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_photographs(tmp_path)


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
