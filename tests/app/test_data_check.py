"""``privacy-mllm data check``: every missing or broken file is named, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from privacy_mllm.cli import main
from privacy_mllm.data import checking
from privacy_mllm.data.checking import check_data
from tests.app import data_fixtures as disk
from tests.app.folders import make_photographs

PUBLISHED = "published"


def faults(name: str, root: Path | str, *, decode: bool = False) -> list[str]:
    """Problems but for those of numbers, which no miniature has."""
    return [fault for fault in check_data(name, str(root), decode=decode).problems if PUBLISHED not in fault]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("ucf101", disk.make_ucf101),
        ("vispr", disk.make_vispr),
        ("okvqa", disk.make_okvqa),
        ("okvqa-privacy", disk.make_okvqa),
        ("folder", make_photographs),
    ],
)
def test_a_whole_data_set_has_no_fault_but_its_size(tmp_path, name, make) -> None:
    assert faults(name, make(tmp_path), decode=True) == []


def test_numbers_are_held_against_the_published_ones(tmp_path: Path) -> None:
    report = check_data("ucf101", str(disk.make_ucf101(tmp_path)))
    assert report.facts[:3] == ["actions: 2", "split 1 train: 1", "split 1 test: 2"]
    assert report.problems[1] == "split 1 train: 1, but 9537 are published"
    assert len(report.problems) == 7


def test_lists_that_are_missing_are_named(tmp_path: Path) -> None:
    named = faults("hmdb51", disk.make_hmdb51(tmp_path))
    assert len(named) == 3 * 49
    assert "testTrainMulti_7030_splits/wave_test_split3.txt is missing" in named
    (tmp_path / "testTrainMulti_7030_splits" / "climb_test_split2.txt").write_text("oops\n")
    assert any("climb_test_split2.txt:1 must be" in fault for fault in faults("hmdb51", tmp_path))


def test_each_missing_file_is_named_and_a_missing_folder_once(tmp_path: Path) -> None:
    disk.make_vispr(tmp_path)
    (tmp_path / "images" / "val2017" / "2017_10000002.jpg").unlink()
    for image in (tmp_path / "images" / "test2017").iterdir():
        image.unlink()
    (tmp_path / "images" / "test2017").rmdir()
    assert faults("vispr", tmp_path) == [
        f"{tmp_path}/images/val2017/2017_10000002.jpg is missing",
        f"{tmp_path}/images/test2017 is missing, a folder that should hold 4 files",
    ]


def test_broken_files_are_named_only_when_they_are_decoded(tmp_path: Path) -> None:
    disk.make_ucf101(tmp_path)
    video = tmp_path / "UCF-101" / "HandstandPushups" / f"{disk.UCF_VIDEOS[2]}.avi"
    video.write_bytes(b"RIFF\0\0\0\0AVI LIST" + bytes(100))
    assert faults("ucf101", tmp_path) == []
    (fault,) = faults("ucf101", tmp_path, decode=True)
    assert fault.startswith(f"{video} cannot be processed as a video")


def test_a_broken_frame_in_the_middle_of_a_folder_is_named(tmp_path: Path) -> None:
    disk.make_ucf101(tmp_path, "")
    frame = tmp_path / "UCF-101" / "ApplyEyeMakeup" / disk.UCF_VIDEOS[0] / "00005.png"
    frame.write_bytes(frame.read_bytes()[:60])
    (fault,) = faults("ucf101", tmp_path, decode=True)
    assert fault.startswith(f"{frame} cannot be decoded as a picture")


def test_an_annotation_that_runs_past_its_video_is_named(tmp_path: Path) -> None:
    annotation = {name: [[0, 39, 1]] for name in ("skin_color", "relationship", "face", "nudity", "gender")}
    disk.make_pa_hmdb51(tmp_path / "pa", annotation)
    disk.make_hmdb51(tmp_path / "hmdb")
    root = f"{tmp_path / 'pa'}?videos={tmp_path / 'hmdb'}"
    named = [fault for fault in faults("pa-hmdb51", root, decode=True) if "json is missing" not in fault]
    assert len(named) == 1
    assert named[0].endswith(f"{disk.CLIMBER} has 10 frames, but 30 or more are annotated")


def test_a_question_without_ten_answers_is_named(tmp_path: Path) -> None:
    disk.make_okvqa(tmp_path)
    file = tmp_path / "mscoco_val2014_annotations.json"
    answer = '{"answer_id": 10, "raw_answer": "ball", "answer_confidence": "yes", "answer": "ball"}'
    file.write_text(file.read_text().replace(f", {answer}", ""))
    (fault,) = faults("okvqa", tmp_path)
    assert fault.endswith("OpenEnded_mscoco_val2014_questions.json: question 0 has 9 answers, not 10")


def test_the_command_names_the_faults_and_where_to_get_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk.make_okvqa(tmp_path)
    (tmp_path / "annotations.json").unlink()
    assert main(["data", "check", "okvqa-privacy", str(tmp_path), "--decode"]) == 1
    told = capsys.readouterr().out
    assert f"WRONG  {tmp_path}/annotations.json is missing." in told
    assert "https://github.com/phoebehxf/okvqa-privacy-attribute" in told


def test_the_command_says_when_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["data", "check", "folder", str(make_photographs(tmp_path))]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all well"
    monkeypatch.setattr(checking, "_OKVQA_COUNTS", {"train": 2, "val": 2})
    assert main(["data", "check", "okvqa", str(disk.make_okvqa(tmp_path / "okvqa")), "--decode"]) == 0
    assert main(["data", "check", "okvqa", str(tmp_path / "nowhere")]) == 1
    assert "nowhere is no folder" in capsys.readouterr().out


def test_a_fault_in_a_folder_of_ones_own_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_photographs(tmp_path)
    (tmp_path / "coffee.png").unlink()
    assert main(["data", "check", "folder", str(tmp_path)]) == 1
    assert f"WRONG  {tmp_path}/attributes.csv:3: {tmp_path}/coffee.png is missing." in capsys.readouterr().out
