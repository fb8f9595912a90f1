"""Published data sets as clips: what is trained on, what is tested on, what is asked, what is private."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from privacy_mllm.data.lazy import LazyFrames
from privacy_mllm.data.sources import candidates_of, check_source, check_sources, load_clips, parse_source
from privacy_mllm.data.splits import check_disjoint, is_validation
from privacy_mllm.drawing import draw_batches
from privacy_mllm.media import MediaError
from privacy_mllm.reviewing import review, train_reviewer
from tests.app import data_fixtures as disk
from tests.app.folders import Talker, make_photographs

QUESTION = "what is the person doing"


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("data")
    return {
        "hmdb51": disk.make_hmdb51(folder / "hmdb"),
        "ucf101": disk.make_ucf101(folder / "ucf"),
        "vispr": disk.make_vispr(folder / "vispr"),
        "pa-hmdb51": disk.make_pa_hmdb51(folder / "pa"),
        "okvqa": disk.make_okvqa(folder / "okvqa"),
    }


def test_videos_of_hmdb51_are_asked_what_is_done_in_them(roots: dict[str, Path]) -> None:
    source = f"hmdb51:{roots['hmdb51']}?frames=2&size=24"
    clips = load_clips(source, "train", 10)
    assert isinstance(clips.frames, LazyFrames)
    assert clips.frames.shape == (3, 2, 3, 24, 24)
    assert clips.attributes.shape == (3, 0)
    assert dict(zip(clips.names, clips.answers, strict=True))[disk.CLIMBER] == {QUESTION: ("climb",)}
    assert {QUESTION: ("climb stairs",)} in clips.answers
    (test,) = load_clips(source, "test", 10).names
    assert test == "B_climb_u_nm_np1_fr_goo_1"
    candidates = candidates_of(source)
    assert len(candidates[QUESTION]) == 51
    assert "ride horse" in candidates[QUESTION]


def test_pixels_of_a_data_set_are_those_on_the_disk(roots: dict[str, Path]) -> None:
    hmdb, ucf = (load_clips(f"{kind}:{roots[kind]}?frames=4&size=32", "train", 9) for kind in ("hmdb51", "ucf101"))
    for clips in (hmdb, ucf):
        levels = clips.frames.float().mean((2, 3, 4))
        assert levels.sub(torch.tensor([0.0, 60.0, 120.0, 180.0])).abs().max() < 3


def test_ucf101_names_its_actions_in_words(roots: dict[str, Path]) -> None:
    source = f"ucf101:{roots['ucf101']}?split=3"
    clips = load_clips(source, "test", 10)
    answers = dict(zip(clips.names, clips.answers, strict=True))
    assert answers["v_HandStandPushups_g01_c01"] == {QUESTION: ("handstand pushups",)}
    assert candidates_of(source) == {QUESTION: ("apply eye makeup", "handstand pushups")}


def test_images_of_vispr_have_the_attributes_of_the_subset_and_no_question(roots: dict[str, Path]) -> None:
    clips = load_clips(f"vispr:{roots['vispr']}?attributes=wu5", "validation", 10)
    labels = dict(zip(clips.names, clips.attributes.tolist(), strict=True))
    assert labels == {
        "2017_10000001": [1, 1, 0, 1, 0],
        "2017_10000002": [0, 0, 0, 0, 0],
        "2017_10000003": [0, 1, 0, 0, 1],
        "2017_10000004": [0, 0, 0, 0, 0],
    }
    assert clips.attribute_names == ("gender", "face", "nudity", "skin_color", "relationship")
    assert clips.answers == ({},) * 4
    assert clips.frames.shape == (4, 1, 3, 64, 64)


def test_images_of_vispr_are_found_where_others_keep_them(tmp_path: Path) -> None:
    clips = load_clips(f"vispr:{disk.make_vispr(tmp_path, '{}2017')}", "test", 10)
    assert clips.frames[0].float().std() > 10  # noise, not nothing
    assert len(clips.attribute_names) == 7


def test_frames_of_pa_hmdb51_are_labelled_ones_and_their_labels_are_joined(roots: dict[str, Path]) -> None:
    source = f"pa-hmdb51:{roots['pa-hmdb51']}?videos={roots['hmdb51']}"
    clips = load_clips(f"{source}&frames=2", "test", 10)
    assert clips.names == (disk.CLIMBER,)
    assert clips.frames[0].float().mean((1, 2, 3)).tolist() == [0, 180]
    # Frame 0 has half a face and frame 9 all of it: in the clip both can be seen.
    assert clips.attributes.tolist() == [[1, 1, 1, 1, 1, 0]]
    single = load_clips(f"{source}&frames=1", "test", 10)
    assert single.frames[0].float().mean() == 80  # frame 4, the middle one of the nine that are labelled
    assert single.attributes.tolist() == [[1, 1, 1, 0, 1, 0]]
    wu = load_clips(f"{source}&frames=1&scheme=wu5", "test", 10)
    assert wu.attribute_names == ("gender", "face", "nudity", "skin_color", "relationship")
    assert wu.attributes.tolist() == [[1, 1, 1, 1, 0]]


def test_the_last_frames_of_a_long_annotation_are_left_out(tmp_path: Path) -> None:
    annotation = {name: [[0, 39, 1]] for name in ("skin_color", "relationship", "face", "nudity", "gender")}
    disk.make_pa_hmdb51(tmp_path, annotation)
    disk.write_clip(tmp_path / "frames" / "climb" / disk.CLIMBER, disk.grey_frames(30, 32, 32) // 20 * 8)
    clips = load_clips(f"pa-hmdb51:{tmp_path}?frames=3", "test", 10)
    assert clips.frames.load().shape == (1, 3, 3, 64, 64)  # type: ignore[attr-defined]


def test_reviewers_for_pa_hmdb51_learn_from_vispr_with_the_same_columns(roots: dict[str, Path]) -> None:
    source = f"pa-hmdb51:{roots['pa-hmdb51']}?vispr={roots['vispr']}&videos={roots['hmdb51']}"
    train, test = load_clips(source, "train", 10), load_clips(source, "test", 10)
    assert train.attribute_names == test.attribute_names
    assert train.names[0].startswith("2017_0")
    assert (train.frames.shape[1], test.frames.shape[1]) == (1, 4)  # pictures have one frame
    with pytest.raises(ValueError, match=r"published for testing only: give training pictures with \?vispr=DIR"):
        load_clips(f"pa-hmdb51:{roots['pa-hmdb51']}", "train", 10)


def test_no_video_of_pa_hmdb51_is_trained_on_whatever_its_code(roots: dict[str, Path]) -> None:
    for split in (1, 2):  # the annotated video is in the training of the first and in the test of the second
        source = f"hmdb51:{roots['hmdb51']}?split={split}&pa={roots['pa-hmdb51']}"
        names = [*load_clips(source, "train", 10).names]
        assert names
        assert disk.CLIMBER not in names
        assert load_clips(source, "test", 10).names == (disk.CLIMBER,)


def test_training_on_what_another_source_tests_on_is_refused(roots: dict[str, Path]) -> None:
    asked, private = f"hmdb51:{roots['hmdb51']}", f"pa-hmdb51:{roots['pa-hmdb51']}?vispr={roots['vispr']}"
    with pytest.raises(ValueError, match=r"no clip in common, got 1, the first 'Foo\(1\)_bar!.* With hmdb51:DIR\?pa="):
        check_sources(asked, private)
    check_sources(f"{asked}?pa={roots['pa-hmdb51']}", private)
    check_sources(asked, "")
    check_sources("world", private)


def test_a_list_that_trains_and_tests_on_one_image_is_refused(tmp_path: Path) -> None:
    disk.make_vispr(tmp_path)
    shared = (tmp_path / "train2017.txt").read_text().splitlines()[0]
    image = tmp_path / shared.replace("train", "test")
    image.write_text((tmp_path / shared).read_text())
    with (tmp_path / "test2017.txt").open("a") as file:
        file.write(shared.replace("train", "test") + "\n")
    with pytest.raises(ValueError, match=r"Training and test must have no clip in common, got 1, the first '2017_0"):
        load_clips(f"vispr:{tmp_path}", "test", 10)


def test_questions_of_okvqa_keep_all_ten_answers(roots: dict[str, Path]) -> None:
    source = f"okvqa:{roots['okvqa']}"
    clips = load_clips(source, "test", 10)
    answers = dict(zip(clips.names, clips.answers, strict=True))
    assert answers["COCO_val2014_000000000008"] == {"What fruit?": ("apple",) * 10}
    assert len(answers["COCO_val2014_000000000007"]["What sport is this?"]) == 10
    assert candidates_of(source) == {}
    only = load_clips(f"{source}?categories=sports and recreation|People and everyday life", "test", 10)
    assert only.names == ("COCO_val2014_000000000007",)


def test_private_attributes_of_okvqas_images_are_a_source_of_their_own(roots: dict[str, Path]) -> None:
    source = f"okvqa-privacy:{roots['okvqa']}?vispr={roots['vispr']}"
    clips = load_clips(source, "test", 10)
    labels = dict(zip((name[-1] for name in clips.names), clips.attributes.tolist(), strict=True))
    assert labels == {"7": [1, 1, 0, 0, 0, 0, 0], "8": [0] * 7, "9": [0, 1, 1, 0, 0, 0, 0]}
    assert load_clips(source, "train", 10).attribute_names == clips.attribute_names


def test_a_few_clips_of_a_sorted_list_are_of_all_kinds(tmp_path: Path) -> None:
    videos = {action: {f"{number}_{action}_x_{number}": 1 for number in range(8)} for action in ("catch", "wave")}
    disk.make_hmdb51(tmp_path, videos=videos)
    clips = load_clips(f"hmdb51:{tmp_path}", "train", 6)
    assert len({answers[QUESTION] for answers in clips.answers}) == 2
    assert load_clips(f"hmdb51:{tmp_path}", "train", 6).names == clips.names


def test_a_recording_is_in_training_or_in_validation_never_in_both(tmp_path: Path) -> None:
    videos = {"wave": {f"film {film}_wave_x_{cut}": 1 for film in range(30) for cut in range(2)}}
    disk.make_hmdb51(tmp_path, ".npy", videos=videos)
    parts = [load_clips(f"hmdb51:{tmp_path}", split, 99).names for split in ("train", "validation")]
    assert sum(map(len, parts)) == 60
    films = [{name.partition("_")[0] for name in names} for names in parts]
    assert films[0]
    assert films[1]
    assert not films[0] & films[1]


def test_a_tenth_of_all_recordings_is_for_validation() -> None:
    # Three standard deviations of a binomial share of 10,000 are below 90.
    assert sum(is_validation(f"film {number}") for number in range(10_000)) == pytest.approx(1000, abs=90)


def test_shared_names_are_counted_and_the_first_is_told() -> None:
    check_disjoint(["a"], ["b"])
    with pytest.raises(ValueError, match=r"no clip in common, got 2, the first 'b'\. Take another\."):
        check_disjoint("abc", "cbd", hint="Take another.")


def test_files_that_are_missing_are_named_before_anything_is_read(tmp_path: Path) -> None:
    disk.make_ucf101(tmp_path, "")
    for frame in (tmp_path / "UCF-101" / "ApplyEyeMakeup" / disk.UCF_VIDEOS[0]).iterdir():
        frame.unlink()
    (tmp_path / "UCF-101" / "ApplyEyeMakeup" / disk.UCF_VIDEOS[0]).rmdir()
    with pytest.raises(
        MediaError, match=r"g08_c01\.avi is missing, as are 0 more of 1 clips: `privacy-mllm data check"
    ):
        load_clips(f"ucf101:{tmp_path}", "train", 10)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hmdb:x", r"`data` must be 'world' or one of 'folder:DIR', 'hmdb51:DIR', .* got 'hmdb:x'"),
        ("hmdb51:", r"`data` must be .* got 'hmdb51:'"),
        ("hmdb51:x?splits=1", r"`data` may have the options .*split, pa for hmdb51, got 'splits'"),
        ("hmdb51:x?split", r"options of the form name=value, got 'split'"),
        ("folder:x?crop=squash", r"may have the options frames, size, cache for folder, got 'crop'"),
        ("vispr:x?attributes=vispr9", r"`attributes` must be one of vispr1, vispr2, wu5, vispr6, all, got 'vispr9'"),
        ("pa-hmdb51:x?scheme=six", r"`scheme` must be one of wu5, vispr6, vispr6-partial-nudity, got 'six'"),
        ("ucf101:x?split=one", r"`split` must be a whole number, got 'one'"),
        ("ucf101:x?size=big", r"`size` must be a whole number, got 'big'"),
    ],
)
def test_a_slip_in_the_name_of_a_source_is_told(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_clips(source, "test", 1)
    assert parse_source("world").kind == "world"


def test_a_folder_whose_name_has_a_question_mark_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "what?frames=9"
    folder.mkdir()
    make_photographs(folder)
    assert load_clips(f"folder:{folder}", "train", 9).frames.shape[1:] == (4, 3, 64, 64)
    assert load_clips(f"folder:{folder}?frames=2&size=16", "train", 9).frames.shape[1:] == (2, 3, 16, 16)


def test_an_answer_that_only_a_test_clip_has_may_be_given(tmp_path: Path) -> None:
    make_photographs(tmp_path)
    lines = (tmp_path / "attributes.csv").read_text().splitlines()
    splits = ["split", "train", "train", "test"]
    (tmp_path / "attributes.csv").write_text("".join(f"{a},{b}\n" for a, b in zip(lines, splits, strict=True)))
    said = {"astronaut": "waving", "coffee": "standing", "chelsea": "sleeping"}
    entries = [{"file": f"{name}.png", "question": QUESTION, "answers": [answer]} for name, answer in said.items()]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert candidates_of(f"folder:{tmp_path}") == {QUESTION: ("sleeping", "standing", "waving")}


def test_a_folder_may_have_attributes_and_questions_of_its_own(tmp_path: Path) -> None:
    make_photographs(tmp_path)
    clips = load_clips(f"folder:{tmp_path}", "train", 9)
    assert clips.attribute_names == ("face", "skin_color")
    assert candidates_of(f"folder:{tmp_path}") == {QUESTION: ("waving",)}
    (tmp_path / "questions.jsonl").write_text(
        "".join(
            json.dumps({"file": f"{name}.png", "question": QUESTION, "answers": ["flying"]}) + "\n"
            for name in ("astronaut", "coffee", "chelsea")
        )
    )
    with pytest.raises(ValueError, match=r"questions\.jsonl:1: the oracle can never answer 'flying'"):
        check_source(f"folder:{tmp_path}", load_clips(f"folder:{tmp_path}", "train", 9), Talker())


def test_reviewers_learn_from_lazy_frames_as_from_those_in_memory(roots: dict[str, Path]) -> None:
    clips = load_clips(f"vispr:{roots['vispr']}?attributes=wu5", "train", 9)
    memory = clips.frames[torch.arange(len(clips))]
    drawn = [
        next(draw_batches(frames, clips.attributes, 1, 5, torch.Generator().manual_seed(3)))
        for frames in (clips.frames, memory)
    ]
    assert torch.equal(drawn[0][0], drawn[1][0])
    lazy, plain = (
        train_reviewer(frames, clips.attributes, steps=2, seed=0, init=None, batch=4)
        for frames in (clips.frames, memory)
    )
    assert torch.equal(review(lazy, clips.frames), review(plain, memory))
