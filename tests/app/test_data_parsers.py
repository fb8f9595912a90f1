"""The records of the published data sets, with every trap of their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from privacy_mllm.data import hmdb51, okvqa, pa_hmdb51, ucf101, vispr
from privacy_mllm.data.attributes import SUBSETS, VISPR1, VISPR6, VISPR_ATTRIBUTES, WU5, to_targets
from privacy_mllm.metrics import vqa_accuracy
from tests.app import data_fixtures as disk


def test_the_lists_of_climb_and_climb_stairs_are_told_apart(tmp_path: Path) -> None:
    videos = hmdb51.read_hmdb51(disk.make_hmdb51(tmp_path))
    assert [(video.action, video.part) for video in videos] == [
        ("climb", "train"),
        ("climb", "test"),
        ("climb", "train"),
        ("climb_stairs", "train"),
        ("climb_stairs", "unused"),
    ]
    assert videos[0].name == disk.CLIMBER
    assert videos[4].name == "T & u_climb_stairs_f_cm_np1_ba_bad_2"


def test_labels_of_hmdb51_follow_the_sorted_actions_not_the_sorted_files(tmp_path: Path) -> None:
    assert len(hmdb51.ACTIONS) == 51
    assert list(hmdb51.ACTIONS) == sorted(hmdb51.ACTIONS)
    videos = hmdb51.read_hmdb51(disk.make_hmdb51(tmp_path))
    assert {video.action: video.label for video in videos} == {"climb": 5, "climb_stairs": 6}
    files = sorted(path.name for path in (tmp_path / "testTrainMulti_7030_splits").glob("*split1.txt"))
    assert files == ["climb_stairs_test_split1.txt", "climb_test_split1.txt"]  # the other way round: the trap


def test_the_three_splits_of_hmdb51_differ(tmp_path: Path) -> None:
    disk.make_hmdb51(tmp_path)
    first, second = ({v.name: v.part for v in hmdb51.read_hmdb51(tmp_path, split=split)} for split in (1, 2))
    assert first[disk.CLIMBER] == "train"
    assert second[disk.CLIMBER] == "test"
    assert hmdb51.read_hmdb51(tmp_path / "testTrainMulti_7030_splits") == hmdb51.read_hmdb51(tmp_path)


def test_the_recording_of_a_video_is_what_stands_before_its_action() -> None:
    video = hmdb51.HmdbVideo("Aussie_Hair_II_brush_hair_u_nm_np1_ba_goo_4", "brush_hair", "train", "")
    assert video.recording == "Aussie_Hair_II"
    assert hmdb51.HmdbVideo("odd", "climb", "train", "").recording == "odd"


def test_ucf101_is_labelled_by_folder_from_zero_and_its_line_ends_do_not_matter(tmp_path: Path) -> None:
    videos = ucf101.read_ucf101(disk.make_ucf101(tmp_path, ""))
    assert [(video.name, video.action, video.label, video.part) for video in videos] == [
        ("v_ApplyEyeMakeup_g08_c01", "ApplyEyeMakeup", 0, "train"),
        ("v_ApplyEyeMakeup_g01_c01", "ApplyEyeMakeup", 0, "test"),
        ("v_HandStandPushups_g01_c01", "HandstandPushups", 1, "test"),
    ]
    assert videos[0].recording == "v_ApplyEyeMakeup_g08"


@pytest.mark.parametrize(
    ("action", "name"),
    [("ApplyEyeMakeup", "apply eye makeup"), ("HandstandPushups", "handstand pushups"), ("YoYo", "yo yo")],
)
def test_actions_of_ucf101_are_displayed_as_words(action: str, name: str) -> None:
    assert ucf101.display_name(action) == name


def test_the_attributes_of_vispr_are_sparse_and_in_published_order() -> None:
    assert len(VISPR_ATTRIBUTES) == len(set(VISPR_ATTRIBUTES)) == 68
    assert VISPR_ATTRIBUTES[0] == "a0_safe"
    assert VISPR_ATTRIBUTES[14] == "a16_race"
    assert VISPR_ATTRIBUTES[48:50] == ("a99_legal_involvement", "a64_rel_personal")
    assert VISPR_ATTRIBUTES[67] == "a104_license_plate_partial"


def test_the_subsets_are_made_of_attributes_of_vispr() -> None:
    assert {name: len(subset) for name, subset in SUBSETS.items()} == {
        "vispr1": 7,
        "vispr2": 7,
        "wu5": 5,
        "vispr6": 6,
        "all": 67,
    }
    for subset in SUBSETS.values():
        assert {label for any_of in subset.values() for label in any_of} <= set(VISPR_ATTRIBUTES[1:])
    assert tuple(VISPR1)[:2] == ("a17_color", "a4_gender")
    assert {label for (label,) in VISPR6.values()} == set(VISPR1) - {"a65_rel_social"}


def test_an_image_with_half_a_face_and_friends_has_a_face_and_a_relationship() -> None:
    assert to_targets(["a10_face_partial", "a65_rel_social"], WU5) == (0, 1, 0, 0, 1)
    assert to_targets(["a10_face_partial", "a65_rel_social"], VISPR1) == (0, 0, 0, 1, 0, 0, 1)


def test_an_image_without_attributes_has_no_gender_either() -> None:
    assert to_targets([], WU5) == (0, 0, 0, 0, 0)


def test_both_ways_of_saying_that_an_image_is_safe_are_the_same(tmp_path: Path) -> None:
    images = vispr.read_vispr(disk.make_vispr(tmp_path), "train")
    assert [image.is_safe for image in images] == [False, True, False, True]
    assert images[1].labels == images[3].labels == frozenset()
    assert images[0].name == "2017_00000001.jpg"
    assert images[0].folder == "images/train2017"


def test_pa_hmdb51_keeps_the_frames_that_have_all_labels(tmp_path: Path) -> None:
    (video,) = pa_hmdb51.read_pa_hmdb51(disk.make_pa_hmdb51(tmp_path))
    assert (video.name, video.action, video.num_frames) == (disk.CLIMBER, "climb", 10)
    assert list(video.labels()) == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert video.labels()[0]["skin_color"] == (2, 3)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("wu5", {0: (1, 1, 1, 1, 0), 9: (0, 1, 1, 1, 0)}),
        ("vispr6", {0: (1, 1, 0, 1, 1, 0), 4: (1, 1, 1, 0, 1, 0), 9: (1, 0, 1, 0, 1, 0)}),
    ],
)
def test_the_binarisations_of_pa_hmdb51_are_those_of_the_literature(
    tmp_path: Path, scheme: str, expected: dict[int, tuple[int, ...]]
) -> None:
    (video,) = pa_hmdb51.read_pa_hmdb51(disk.make_pa_hmdb51(tmp_path))
    targets = video.targets(scheme)
    assert {frame: targets[frame] for frame in expected} == expected
    assert tuple(pa_hmdb51.SCHEMES["wu5"]) == ("gender", "face", "nudity", "skin_color", "relationship")


def test_nudity_in_part_counts_only_where_that_is_asked_for(tmp_path: Path) -> None:
    annotation = disk.PA_CLIMBER | {"nudity": [[0, 9, 1]]}
    (video,) = pa_hmdb51.read_pa_hmdb51(disk.make_pa_hmdb51(tmp_path, annotation))
    nudity = tuple(VISPR6).index("nudity")
    assert video.targets("vispr6")[0][nudity] == 0
    assert video.targets("vispr6-partial-nudity")[0][nudity] == 1


def test_where_segments_overlap_the_last_one_wins(tmp_path: Path) -> None:
    annotation = disk.PA_CLIMBER | {"face": [[0, 9, 0], [4, 5, 2]]}
    (video,) = pa_hmdb51.read_pa_hmdb51(disk.make_pa_hmdb51(tmp_path, annotation))
    assert [labels["face"] for labels in video.labels().values()] == [(0,)] * 4 + [(2,)] * 2 + [(0,)] * 3


def test_questions_and_answers_of_okvqa_are_joined_by_number(tmp_path: Path) -> None:
    sport, fruit = okvqa.read_okvqa(disk.make_okvqa(tmp_path), "val")
    assert (sport.number, sport.image, sport.question) == (75, "COCO_val2014_000000000007.jpg", "What sport is this?")
    assert sport.answers == ("tennis",) * 4 + ("racket",) * 3 + ("sport",) * 2 + ("ball",)
    assert fruit.category == "Plants and Animals"


def test_categories_of_okvqa_go_by_name_in_any_case(tmp_path: Path) -> None:
    wanted = ["sports and recreation", "People and Everyday life"]
    (sport,) = okvqa.read_okvqa(disk.make_okvqa(tmp_path), "val", categories=wanted)
    assert sport.category == "Sports and Recreation"
    with pytest.raises(ValueError, match=r"`categories` must be of People and Everyday life, .* got 'four'"):
        okvqa.read_okvqa(tmp_path, "val", categories=["four"])


@pytest.mark.parametrize(("said", "accuracy"), [("tennis", 1.0), ("racket", 0.9), ("sport", 0.6), ("ball", 0.3)])
def test_the_ten_answers_give_the_published_accuracy(tmp_path: Path, said: str, accuracy: float) -> None:
    sport, _ = okvqa.read_okvqa(disk.make_okvqa(tmp_path), "val")
    assert vqa_accuracy(said, sport.answers) == pytest.approx(accuracy)


def test_private_attributes_of_images_come_in_all_three_forms_and_once_an_image(tmp_path: Path) -> None:
    found = okvqa.read_image_attributes(disk.make_okvqa(tmp_path) / "annotations.json")
    assert [(one.image[-6:-4], set(one.labels)) for one in found] == [
        ("07", {"a4_gender", "a17_color"}),
        ("08", set()),
        ("09", {"a9_face_complete", "a4_gender"}),
    ]
