"""Macro-F1, severity and bits, by hand, against scikit-learn and against integrals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss

from privacy_mllm.metrics import (
    CMAP,
    class_mean_average_precision,
    fit_platt,
    fit_temperature,
    information,
    macro_f1,
    report_leakage,
    severity_leakage,
    worst_attribute,
)
from privacy_mllm.metrics.calibration import PlattScaling, smoothed_targets

LOGITS = [[2.0, -1.0, 3.0], [-1.0, 1.0, 0.0], [0.5, 2.0, -2.0], [-3.0, -0.5, 1.0]]
LABELS = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_macro_f1_by_hand() -> None:
    # First class: yes to clips 0 and 2, true are 0 and 1: 2 / 4. Second: exact. Third: nobody shows it.
    f1 = macro_f1(LOGITS, LABELS)
    assert f1.per_class[:2] == (50, 100)
    assert math.isnan(f1.per_class[2])
    assert f1.value == 75
    assert f1.chance == pytest.approx(100 * 2 * 0.5 / 1.5)
    assert macro_f1(LOGITS, LABELS, absent="zero").value == 50


@given(st.lists(st.tuples(st.integers(-2, 2), st.booleans()), min_size=1, max_size=20))
def test_f1_equals_scikit_learn(items: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([[score] for score, _ in items]), np.array([[int(label)] for _, label in items])
    if not labels.any():
        labels[0] = 1
    theirs = f1_score(labels[:, 0], scores[:, 0] >= 0)
    assert macro_f1(scores, labels).value == pytest.approx(100 * theirs)


def test_the_threshold_of_probabilities_is_one_half() -> None:
    chances = 1 / (1 + np.exp(-np.array(LOGITS)))
    assert macro_f1(chances, LABELS, threshold=0.5).value == macro_f1(LOGITS, LABELS).value


def test_saying_yes_to_everything_reaches_the_chance_level() -> None:
    labels = (np.random.default_rng(0).random((50, 3)) < [0.2, 0.5, 0.9]).astype(int)
    f1 = macro_f1(np.ones((50, 3)), labels)
    assert f1.value == pytest.approx(f1.chance)


NAMES = ("face", "skin", "card")
LEAKAGE = CMAP(value=70.0, per_class=(90.0, 60.0, 60.0), chance=50.0, per_class_chance=(60.0, 50.0, 40.0))


def test_severities_weigh_attributes_by_hand() -> None:
    found = severity_leakage(LEAKAGE, NAMES, {"face": 1, "skin": 0, "card": 3})
    assert found.value == pytest.approx((90 + 3 * 60) / 4)
    assert found.chance == pytest.approx((60 + 3 * 40) / 4)
    assert found.per_attribute == pytest.approx({"face": 75, "skin": 20, "card": 100 / 3})
    assert found.above_chance == pytest.approx((75 + 100) / 4)


def test_equal_severities_give_the_cmap_and_their_scale_does_not_matter() -> None:
    one, many = (severity_leakage(LEAKAGE, NAMES, dict.fromkeys(NAMES, weight)) for weight in (1, 7))
    assert one.value == pytest.approx(LEAKAGE.value)
    assert one.chance == pytest.approx(LEAKAGE.chance)
    assert many.value == pytest.approx(one.value)


def test_the_worst_attribute_is_the_one_highest_above_its_own_chance() -> None:
    worst = worst_attribute(LEAKAGE, NAMES)
    assert (worst.name, worst.value, worst.chance, worst.above_chance) == ("face", 90, 60, 75)
    assert worst_attribute(LEAKAGE, NAMES, {"face": 1, "skin": 1, "card": 3}).name == "card"


def test_attributes_that_were_not_judged_or_that_all_show_do_not_count() -> None:
    leakage = CMAP(80.0, (math.nan, 100.0, 80.0), 70.0, (0.0, 100.0, 40.0))
    found = severity_leakage(leakage, NAMES, {"face": 5, "skin": 1, "card": 1})
    assert (found.value, found.chance) == (90, 70)
    assert math.isnan(found.per_attribute["face"])
    assert found.per_attribute["skin"] == 0
    assert worst_attribute(leakage, NAMES).name == "card"


@pytest.mark.parametrize(
    ("names", "severities", "message"),
    [
        (NAMES, {"face": 1, "skin": 1}, "weight for every attribute, but 'card' has none"),
        (NAMES, {"face": 1, "skin": -1, "card": 1}, r"`severities\['skin'\]` must be finite and not negative, got -1"),
        (NAMES, {"face": 1, "skin": math.inf, "card": 1}, "must be finite and not negative, got inf"),
        (NAMES, dict.fromkeys(NAMES, 0), "must be positive for at least one attribute"),
        (NAMES, dict.fromkeys((*NAMES, "gait"), 1), "got the unknown 'gait'"),
        (NAMES[:2], dict.fromkeys(NAMES, 1), r"`names` must be 3 different names, one a class, got \['face', 'skin'\]"),
        (("face", "face", "card"), {"face": 1, "card": 1}, "`names` must be 3 different names"),
    ],
)
def test_severities_that_do_not_fit_are_refused(names: Any, severities: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        severity_leakage(LEAKAGE, names, severities)


def _noisy(count: int = 60, seed: int = 0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=count) * 3
    labels = (generator.random(count) < 1 / (1 + np.exp(-slope * (scores + 1)))).astype(float)
    return scores, labels


def test_platt_scaling_is_the_logistic_regression_on_smoothed_targets() -> None:
    scores, labels = _noisy()
    targets = smoothed_targets(labels)
    both = np.concatenate([scores, scores])[:, None]
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        both, np.repeat([1, 0], len(scores)), sample_weight=np.concatenate([targets, 1 - targets])
    )
    ours = fit_platt(scores, labels)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=1e-4)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], rel=1e-4)


def test_smoothed_targets_by_hand() -> None:
    assert smoothed_targets(np.array([1.0, 0.0, 0.0, 0.0])).tolist() == [2 / 3, 1 / 5, 1 / 5, 1 / 5]


def test_log_loss_equals_scikit_learn() -> None:
    scores, labels = _noisy()
    scaling = PlattScaling(0.7, -0.3)
    chances = 1 / (1 + np.exp(-(0.7 * scores - 0.3)))
    assert scaling.log_loss(scores, labels).mean() == pytest.approx(log_loss(labels, chances))


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e4])
def test_scaling_undoes_a_change_of_units(factor: float) -> None:
    scores, labels = _noisy()
    plain, scaled = fit_platt(scores, labels), fit_platt(scores * factor + 5, labels)
    assert scaled.slope * factor == pytest.approx(plain.slope, rel=1e-3)
    cool, hot = fit_temperature(scores, labels), fit_temperature(scores * factor, labels)
    assert hot.slope * factor == pytest.approx(cool.slope, rel=1e-4)


def test_scores_that_separate_the_labels_get_a_finite_slope() -> None:
    scaling = fit_platt([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1])
    assert 0 < scaling.slope < 10


def test_a_temperature_is_never_negative() -> None:
    scores, labels = _noisy()
    assert fit_temperature(-scores, labels).slope == 0
    assert fit_platt(-scores, labels).slope < 0
    assert fit_temperature([0.0, 0.0], [0, 1]).slope == 0


def _gaussian(distance: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two normal distributions that lie `distance` apart, and labels."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(float)
    return generator.normal(size=count) + distance * (labels - 0.5), labels


def _mutual_information(distance: float) -> float:
    """In bits, of a fair label and a score as above: the surprise of the exact posterior, integrated."""
    score = np.linspace(-12, 12, 20001)
    density = np.exp(-((score - distance / 2) ** 2) / 2) / math.sqrt(2 * math.pi)
    surprise = np.logaddexp(0, -distance * score) / math.log(2)
    return 1 - float((density * surprise).sum() * (score[1] - score[0]))


@pytest.mark.parametrize("distance", [0.5, 1.5, 3.0])
def test_bits_are_the_mutual_information_where_the_attacker_is_as_good_as_can_be(distance: float) -> None:
    scores, labels = _gaussian(distance, 8000)
    found = information(scores[:, None], labels[:, None], num_shuffles=2)
    surprise = np.logaddexp(0, -distance * scores * (2 * labels - 1)) / math.log(2)
    error = surprise.std() / math.sqrt(len(scores))
    assert found.bits[0] == pytest.approx(_mutual_information(distance), abs=4 * error)
    assert found.prior[0] == pytest.approx(1.0, abs=1e-3)


def test_bits_do_not_depend_on_how_sure_the_attacker_claims_to_be() -> None:
    scores, labels = _gaussian(1.5, 400)
    modest, boasting = (information((k * scores)[:, None], labels[:, None], num_shuffles=1) for k in (1, 50))
    assert modest.bits == pytest.approx(boasting.bits, abs=1e-5)
    assert modest.bits[0] > 0.2


def test_an_attacker_who_knows_nothing_reads_no_more_than_chance() -> None:
    generator = np.random.default_rng(3)
    labels = (generator.random((300, 12)) < 0.4).astype(float)
    found = information(generator.normal(size=(300, 12)), labels)
    assert all(bits >= 0 for bits in found.bits)
    assert any(bits < 0 for bits in found.unclipped)
    # One in twenty lies above the 95th percentile: of twelve, more than three do in one run of 450.
    assert sum(bits > chance for bits, chance in zip(found.bits, found.chance, strict=True)) <= 3
    assert max(found.chance) < 0.03


def test_equal_scores_carry_exactly_no_bit_and_the_total_adds_attributes() -> None:
    scores, labels = _gaussian(3.0, 200)
    found = information(np.stack([scores, np.zeros(200)], axis=1), np.stack([labels, labels], axis=1))
    assert found.bits[1] == 0
    assert found.chance[1] == 0
    assert found.total == found.bits[0] > 0.5


def test_an_attacker_who_errs_reliably_knows_something_unless_only_the_temperature_may_change() -> None:
    scores, labels = _gaussian(3.0, 400)
    assert information(-scores[:, None], labels[:, None], num_shuffles=1).bits[0] > 0.5
    assert information(-scores[:, None], labels[:, None], calibration="temperature", num_shuffles=1).bits[0] == 0


def test_an_attribute_that_all_or_none_show_has_next_to_no_bits() -> None:
    scores, _ = _gaussian(1.0, 200)
    found = information(np.stack([scores, scores], axis=1), np.stack([np.ones(200), np.zeros(200)], axis=1))
    assert max(found.bits) < 0.01
    assert max(found.prior) < 0.03


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_random_state_alone() -> None:
    scores, labels = _gaussian(1.0, 100)
    state = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002 - it must not be touched
    first, second, other = (information(scores[:, None], labels[:, None], seed=seed) for seed in (1, 1, 2))
    assert first == second != other
    assert (np.random.get_state(legacy=False)["state"]["key"] == state).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: information([[1.0]] * 3, [[1]] * 3), "`scores` must be of 4 clips or more, got 3"),
        (lambda: information([[1.0]] * 4, [[1]] * 4, calibration="none"), "`calibration` must be one of platt, temper"),
        (lambda: information([[1.0]] * 4, [[1]] * 4, num_shuffles=0), "`num_shuffles` must be positive, got 0"),
        (lambda: information([[1.0]] * 4, [[2]] * 4), "`labels` must be 0 or 1"),
        (lambda: fit_platt([1.0], [1, 0]), r"same non-empty shape \[n\]"),
        (lambda: macro_f1([[1.0]], [[0]]), "at least one class, got none"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_report_holds_every_measure_and_is_plain_json() -> None:
    generator = np.random.default_rng(0)
    labels = np.stack([np.arange(40) % 2, np.zeros(40), np.arange(40) % 3 == 0], axis=1).astype(int)
    logits = generator.normal(size=(40, 3)) + labels
    report = report_leakage(logits, labels, NAMES, severities={"face": 1, "skin": 1, "card": 4})
    cmap = class_mean_average_precision(logits, labels)
    assert report.cmap.value == cmap.value
    assert report.severity.value == pytest.approx((cmap.per_class[0] + 4 * cmap.per_class[2]) / 5)
    assert report.worst.name in ("face", "card")
    assert report.information == information(logits, labels)
    shown = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert shown["cmap"]["per_class"][1] is None
    assert shown["severity"]["per_attribute"]["skin"] is None
    assert shown["f1"]["value"] == report.f1.value
    alike = report_leakage(logits, labels, NAMES)
    assert alike.severity.value == pytest.approx(cmap.value)
