"""Finding a person again: the metric by hand, and the people of the embedded world."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from privacy_mllm.data.people import render_people
from privacy_mllm.metrics import average_precision, expected_average_precision, reidentify
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.reviewing import embed

GALLERY = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]]


def test_rank_1_and_map_by_hand() -> None:
    # Order for (1, .1): 0, 1, 2, 3. Person 7 stands at places 2 and 4: (1/2 + 2/4) / 2; 8 at 1 and 3: (1 + 2/3) / 2.
    found = reidentify([[1.0, 0.1], [1.0, 0.1]], [7, 8], GALLERY, [8, 7, 8, 7])
    assert found.rank1 == 50
    assert found.mean_average_precision == pytest.approx(100 * (0.5 + 5 / 6) / 2)
    assert found.chance_rank1 == 50
    # Two of four: places 12, 13, 14, 23, 24, 34.
    by_hand = (1 + 5 / 6 + 3 / 4 + 7 / 12 + 1 / 2 + 5 / 12) / 6
    assert found.chance_mean_average_precision == pytest.approx(100 * by_hand)


def test_only_directions_of_features_count() -> None:
    plain = reidentify([[1.0, 0.1]], [7], GALLERY, [8, 7, 8, 7])
    scaled = reidentify([[30.0, 3.0]], [7], np.array(GALLERY) * [[1], [2], [3], [4]], [8, 7, 8, 7])
    assert scaled == plain


def test_equally_near_clips_share_the_first_place() -> None:
    found = reidentify([[1.0, 0.0]], [7], [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 1.0]], [7, 8, 8, 7])
    assert found.rank1 == pytest.approx(100 / 3)
    blind = reidentify([[0.0, 0.0]], [7], np.ones((4, 2)), [7, 8, 8, 8])
    assert (blind.rank1, blind.chance_rank1) == (25, 25)
    assert blind.mean_average_precision == pytest.approx(100 * (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert blind.mean_average_precision == pytest.approx(blind.chance_mean_average_precision)


def test_ties_are_averaged_over_all_their_orders() -> None:
    gallery = [[1.0, 0.0]] + [[1.0, 1.0]] * 4 + [[0.0, 1.0]] * 2
    people = np.array([8, 7, 7, 8, 8, 7, 8])
    orders = [
        [0, *middle, *last]
        for middle in itertools.permutations([1, 2, 3, 4])
        for last in itertools.permutations([5, 6])
    ]
    mean = np.mean([average_precision(-np.arange(7), people[order] == 7) for order in orders])
    assert reidentify([[1.0, 0.0]], [7], gallery, people).mean_average_precision == pytest.approx(100 * mean)


def test_map_equals_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    queries, gallery = generator.normal(size=(12, 5)), generator.normal(size=(30, 5))
    who, others = np.arange(12) % 6, np.arange(30) % 6
    cosines = [[q @ g / np.linalg.norm(q) / np.linalg.norm(g) for g in gallery] for q in queries]
    theirs = [average_precision_score(others == person, row) for person, row in zip(who, cosines, strict=True)]
    found = reidentify(queries, who, gallery, others)
    assert found.mean_average_precision == pytest.approx(100 * np.mean(theirs))
    assert found.rank1 == pytest.approx(
        100 * np.mean([others[np.argmax(row)] == p for p, row in zip(who, cosines, strict=True)])
    )


@pytest.mark.parametrize(("positives", "count"), [(1, 1), (1, 5), (2, 5), (3, 6), (6, 6)])
def test_the_expected_average_precision_is_the_mean_over_all_orders(positives: int, count: int) -> None:
    orders = [
        [1.0 if place in places else 0.0 for place in range(count)]
        for places in itertools.combinations(range(count), positives)
    ]
    mean = np.mean([average_precision(-np.arange(count), order) for order in orders])
    assert expected_average_precision(positives, count) == pytest.approx(mean)


def test_random_features_reach_the_chance_levels() -> None:
    generator = np.random.default_rng(1)
    who, others = np.arange(40) % 20, np.repeat(np.arange(20), 2)
    runs = [
        reidentify(generator.normal(size=(40, 30)), who, generator.normal(size=(40, 30)), others) for _ in range(40)
    ]
    for value, chance in (("rank1", "chance_rank1"), ("mean_average_precision", "chance_mean_average_precision")):
        values = np.array([getattr(run, value) for run in runs])
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - getattr(runs[0], chance)) < 4 * error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: reidentify([1.0], [0], GALLERY, [0] * 4),
            r"`queries` must have a non-empty shape \[n, d\], got \[1\]",
        ),
        (lambda: reidentify([[np.nan, 0]], [0], GALLERY, [0] * 4), "`queries` must be finite, got nan"),
        (lambda: reidentify([[1.0]], [0], GALLERY, [0] * 4), r"size of the queries' \(1\), got 2"),
        (lambda: reidentify([[1.0, 0]], [0, 1], GALLERY, [0] * 4), r"`query_people` must have shape \[1\], got \[2\]"),
        (lambda: reidentify([[1.0, 0]], [0], GALLERY, [0]), r"`gallery_people` must have shape \[4\], got \[1\]"),
        (lambda: reidentify([[1.0, 0]], [5], GALLERY, [0] * 4), "but person 5 is not in it"),
        (lambda: expected_average_precision(0, 3), "`positives` must be between 1 and 3, got 0"),
        (lambda: render_people("test", 1), "`num_people` must be 2 or more, got 1"),
        (lambda: render_people("test", 2, clips_each=1), "`clips_each` must be 2 or more, got 1"),
        (lambda: render_people("all", 2), "`split` must be one of mllm, train, validation, test, got 'all'"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_rendered_person_keeps_its_looks_and_changes_its_scene() -> None:
    found = render_people("test", 10, clips_each=3, size=16)
    assert found.people.tolist() == [*range(10)] * 3
    assert len(found.clips) == 30
    assert len(set(found.clips.names)) == 30
    assert found.clips.people is not None
    first, second = found.clips.answers[:10], found.clips.answers[10:20]
    assert first != second
    # Whoever has long hair has it in every clip: "gender_cue" is then at least there.
    alone = [
        all(answers["how many people are there"] == ("one",) for answers in clip)
        for clip in zip(first, second, strict=True)
    ]
    hair = found.clips.attributes[:, 2].reshape(3, 10)
    assert any(alone)
    assert all(bool(hair[0, person] == hair[1, person]) for person in range(10) if alone[person])


def test_people_are_the_same_however_many_are_rendered_and_differ_between_splits() -> None:
    few, many = render_people("test", 3, clips_each=2, size=16), render_people("test", 9, clips_each=2, size=16)
    assert torch.equal(few.clips.frames[:3], many.clips.frames[:3])
    assert torch.equal(few.clips.frames[3:], many.clips.frames[9:12])
    assert not torch.equal(few.clips.frames, render_people("train", 3, clips_each=2, size=16).clips.frames)
    assert not torch.equal(few.clips.frames[:3], few.clips.frames[3:])


def test_a_reviewers_features_find_people_on_raw_pictures_and_nobody_on_black_ones() -> None:
    found = render_people("test", 40, clips_each=3)
    reviewer = load_reviewer("reviewer")
    features = embed(reviewer, found.clips.frames)
    assert features.shape == (120, 192)
    raw = reidentify(features[:40], found.people[:40], features[40:], found.people[40:])
    assert raw.chance_rank1 == pytest.approx(2.5)
    assert raw.rank1 > 2 * raw.chance_rank1
    assert raw.mean_average_precision > 1.5 * raw.chance_mean_average_precision
    dark = embed(reviewer, torch.zeros_like(found.clips.frames[:80]))
    black = reidentify(dark[:40], found.people[:40], dark[40:], found.people[40:80])
    assert black.rank1 == pytest.approx(black.chance_rank1)
    assert black.mean_average_precision == pytest.approx(black.chance_mean_average_precision)
