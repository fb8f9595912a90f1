"""The metrics against hand-worked numbers and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score

from privacy_mllm.metrics import accuracy, average_precision, class_mean_average_precision, normalise_answer

SCORES = [[0.9, 0.2, 0.7], [0.1, 0.8, 0.6], [0.8, 0.4, 0.9], [0.3, 0.5, 0.1]]
LABELS = [[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]]


def test_average_precision_by_hand() -> None:
    # Thresholds .9 (1/1), .8 (1/2), .7 (2/3), .3 with both ties at once (3/5): (1 + 2/3 + 3/5) / 3.
    value = average_precision([0.9, 0.8, 0.7, 0.3, 0.3], [1, 0, 1, 1, 0])
    assert value == pytest.approx((1 + 2 / 3 + 3 / 5) / 3, abs=1e-15)


def test_average_precision_of_the_published_fixture_to_ten_digits() -> None:
    assert round(average_precision([0.9, 0.8, 0.7, 0.3, 0.3], [1, 0, 1, 1, 0]), 10) == 0.7555555556
    assert [
        round(average_precision(s, y), 7)
        for s, y in zip(zip(*SCORES, strict=True), zip(*LABELS, strict=True), strict=True)
    ] == [1.0, 0.8333333, 0.5833333]


def test_equal_scores_give_the_base_rate() -> None:
    assert average_precision([0.5] * 4, [0, 1, 1, 0]) == 0.5


def test_average_precision_without_positives_is_nan() -> None:
    assert math.isnan(average_precision([0.1, 0.2], [0, 0]))


def test_cmap_by_hand() -> None:
    cmap = class_mean_average_precision(SCORES, LABELS)
    assert cmap.per_class == pytest.approx((100, 83.333333333, 58.333333333))
    assert cmap.value == pytest.approx(80.55555555)
    assert cmap.chance == pytest.approx(50)
    assert cmap.excluded == ()


def test_cmap_takes_tensors() -> None:
    cmap = class_mean_average_precision(torch.tensor(SCORES), torch.tensor(LABELS))
    assert cmap.value == pytest.approx(80.5555555)


def test_a_class_without_positives_is_excluded_and_reported() -> None:
    labels = np.array(LABELS)
    labels[:, 1] = 0
    cmap = class_mean_average_precision(SCORES, labels)
    assert cmap.excluded == (1,)
    assert math.isnan(cmap.per_class[1])
    assert cmap.value == pytest.approx((100 + 58.333333333) / 2)
    assert cmap.chance == pytest.approx(50)


def test_a_class_without_positives_counts_as_zero_on_request_as_in_scikit_learn() -> None:
    labels = np.array(LABELS)
    labels[:, 1] = 0
    cmap = class_mean_average_precision(SCORES, labels, absent="zero")
    with pytest.warns(UserWarning, match="No positive class found"):
        theirs = average_precision_score(labels, np.array(SCORES), average="macro")
    assert cmap.value == pytest.approx(100 * theirs)
    assert cmap.per_class[1] == 0
    assert cmap.excluded == ()
    assert cmap.chance == pytest.approx(100 * (0.5 + 0 + 0.5) / 3)
    with pytest.raises(ValueError, match="`absent` must be one of exclude, zero, got 'nan'"):
        class_mean_average_precision(SCORES, labels, absent="nan")


def test_the_chance_of_each_class_is_its_prevalence() -> None:
    assert class_mean_average_precision(SCORES, [[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]]).per_class_chance == (
        25,
        0,
        75,
    )


def test_chance_is_the_mean_prevalence_of_the_scored_classes() -> None:
    labels = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]])
    assert class_mean_average_precision(SCORES, labels).chance == pytest.approx(100 * (1 / 4 + 3 / 4) / 2)


def test_random_scores_reach_chance_on_average() -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random((2000, 3)) < [0.2, 0.5, 0.8]).astype(float)
    values = [class_mean_average_precision(generator.random((2000, 3)), labels).value for _ in range(20)]
    standard_error = np.std(values, ddof=1) / np.sqrt(len(values))
    chance = class_mean_average_precision(generator.random((2000, 3)), labels).chance
    # The expectation exceeds the prevalence by O(log n / n), far below a point here.
    assert abs(np.mean(values) - chance) < 4 * standard_error + 0.3


@st.composite
def scored_labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A few examples with many ties among the scores and at least one positive."""
    count = draw(st.integers(1, 30))
    scores = draw(arrays.arrays(np.float64, count, elements=st.integers(-4, 4).map(lambda value: value / 8)))
    labels = draw(arrays.arrays(np.int64, count, elements=st.integers(0, 1)))
    labels[draw(st.integers(0, count - 1))] = 1
    return scores, labels


@given(scored_labels())
def test_average_precision_equals_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    reference = average_precision_score(labels, scores)
    assert average_precision(scores, labels) == pytest.approx(reference, abs=1e-12)


@given(scored_labels())
def test_average_precision_sees_only_the_order(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    assert average_precision(1 / (1 + np.exp(-8 * scores)), labels) == average_precision(scores, labels)
    turned = average_precision(scores[::-1], labels[::-1])
    assert turned == pytest.approx(average_precision(scores, labels), abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, 0.2], [1], r"same non-empty shape \[n\], got \[2\] and \[1\]"),
        ([], [], r"non-empty shape \[n\], got \[0\]"),
        ([[0.1]], [[1]], r"shape \[n\], got \[1, 1\]"),
        ([float("nan"), 0.2], [1, 0], "`scores` must be finite, got nan"),
        ([0.1, 0.2], [1, 2], r"`labels` must be 0 or 1, got 2\.0"),
    ],
)
def test_average_precision_refuses(scores: list[float], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        average_precision(scores, labels)


def test_cmap_refuses_labels_without_any_positive() -> None:
    with pytest.raises(ValueError, match="at least one class, got none"):
        class_mean_average_precision(SCORES, np.zeros((4, 3)))


def test_cmap_refuses_vectors() -> None:
    with pytest.raises(ValueError, match=r"shape \[n, k\], got \[2\] and \[2\]"):
        class_mean_average_precision([0.1, 0.2], [0, 1])


def test_accuracy_counts_any_accepted_answer() -> None:
    said = ["Waving.", " the  Ball ", "two", "ping-pong"]
    assert accuracy(said, [["waving"], ["a ball", "a cup"], ["one"], ["tennis", "ping pong"]]) == 75


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("A ball.", "ball"),
        ("The  Park\n", "park"),
        ("A", "a"),
        ("don't", "don't"),
        ("ice-cream", "ice cream"),
    ],
)
def test_normalised_answers(text: str, normal: str) -> None:
    assert normalise_answer(text) == normal


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise_answer(normalise_answer(text)) == normalise_answer(text)


@pytest.mark.parametrize(
    ("answers", "accepted", "message"),
    [
        ([], [], "`answers` must not be empty"),
        (["one"], [], r"one entry an answer \(1\), got 0"),
        (["one"], [[]], r"`accepted\[0\]` must be a non-empty sequence"),
        (["one"], ["one"], r"`accepted\[0\]` must be a non-empty sequence of answers, got 'one'"),
    ],
)
def test_accuracy_refuses(answers: list[str], accepted: list[list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy(answers, accepted)
