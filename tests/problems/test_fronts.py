"""Whole runs on two objectives, one black and one white, whose front is known."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

import zoopt_mo as zo

SIZE = 10
MARGIN = 0.01
WEIGHTS = (0.2, 0.5, 0.8)


# --- two quadratics: a convex front, sqrt(F1) + sqrt(F2) = 1 ---------------------------------------------------------


def to_one(x: np.ndarray) -> float:
    return float(((x - 1) ** 2).mean())


to_zero = zo.WhiteBox(lambda x: float((x**2).mean()), grad=lambda x: 2 * x / x.size)


GAINS = zo.SpallGains(lr=1.0, radius=0.1, stability=20)
SPSA = zo.SPSA(radius=GAINS.radius_at)


def run(scalarizer: zo.Scalarizer, estimator: zo.Estimator):
    return zo.minimize(
        [to_one, to_zero],
        np.full(SIZE, 2.0),
        lr=GAINS.lr_at,
        scalarizer=scalarizer,
        estimator=estimator,
        budget=601,
    )


@functools.cache
def found(weight: float) -> tuple[float, float]:
    """Losses at the end of a run of the paper's method with this weight for the black box."""
    scalarizer = zo.AugmentedTchebycheff(weights=[weight, 1 - weight], ideal=[0.0, 0.0], margin=MARGIN)
    first, second = run(scalarizer, zo.CriticalHistory(SPSA, capacity=5)).F
    return float(first), float(second)


def best_point(weight: float) -> tuple[float, float]:
    """Where the front ((1 - t)^2, t^2) meets weight (F1 + margin) = (1 - weight) (F2 + margin), by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        t = (low + high) / 2
        first, second = weight * ((1 - t) ** 2 + MARGIN), (1 - weight) * (t**2 + MARGIN)
        low, high = (t, high) if first > second else (low, t)
    return (1 - low) ** 2, low**2


@pytest.mark.parametrize("weight", WEIGHTS)
def test_augmented_tchebycheff_finds_the_point_of_the_front_that_its_weights_name(weight):
    assert np.sqrt(found(weight)).sum() == pytest.approx(1.0, abs=0.06)
    assert found(weight) == pytest.approx(best_point(weight), abs=0.07)


def test_weights_order_the_points_found():
    firsts = [found(weight)[0] for weight in WEIGHTS]
    assert firsts[0] > firsts[1] + 0.05 > firsts[2] + 0.1


def test_a_running_ideal_also_ends_on_the_front():
    scalarizer = zo.AugmentedTchebycheff(weights=[0.5, 0.5])
    result = run(scalarizer, SPSA)
    assert np.sqrt(result.F).sum() == pytest.approx(1.0, abs=0.06)
    smallest = np.min([report.losses for report in result.history], axis=0)
    assert (scalarizer.tchebycheff.ideal.value.numpy() == np.minimum(smallest, result.F)).all()


def test_the_weighted_sum_finds_its_point_of_a_convex_front():
    """On the segment t from 1 to 0 the sum w (1 - t)^2 + (1 - w) t^2 is least at t = w: (0.49, 0.09) for w = 0.3.

    With SPSA alone: the gain of a critical history multiplies the black box's gradient, and so also its weight.
    """
    losses = run(zo.WeightedSum(weights=[0.3, 0.7]), SPSA).F
    assert losses == pytest.approx([0.49, 0.09], abs=0.05)


def test_points_found_with_different_weights_do_not_dominate_each_other():
    assert zo.non_dominated([found(weight) for weight in WEIGHTS]).all()


# --- Fonseca and Fleming: a concave front, from (0, 1 - e^-4) to (1 - e^-4, 0) through (1 - 1/e, 1 - 1/e) -------------

FF_SIZE = 4
CORNER = 1 / math.sqrt(FF_SIZE)
END = 1 - math.exp(-4)
MIDDLE = 1 - math.exp(-1)


def hill(x: np.ndarray, centre: float) -> float:
    return 1 - math.exp(-float(((x - centre) ** 2).sum()))


def concave(scalarizer: zo.Scalarizer, seed: int) -> np.ndarray:
    white = zo.WhiteBox(
        lambda x: hill(x, -CORNER), grad=lambda x: 2 * (x + CORNER) * (1 - hill(x, -CORNER)), name="white"
    )
    gains = zo.SpallGains(lr=0.5, radius=0.05, stability=20)
    start = np.random.default_rng(seed).normal(scale=0.3, size=FF_SIZE)
    return zo.minimize(
        [lambda x: hill(x, CORNER), white],
        start,
        lr=gains.lr_at,
        scalarizer=scalarizer,
        estimator=zo.SPSA(radius=gains.radius_at),
        budget=801,
        seed=seed,
    ).F


@pytest.mark.parametrize("seed", [0, 1])
def test_the_weighted_sum_finds_only_an_end_of_a_concave_front(seed):
    losses = concave(zo.WeightedSum(weights=[0.5, 0.5]), seed)
    assert sorted(losses) == pytest.approx([0.0, END], abs=0.05)


@pytest.mark.parametrize("seed", [0, 1])
def test_augmented_tchebycheff_finds_the_middle_of_a_concave_front(seed):
    losses = concave(zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0]), seed)
    assert losses == pytest.approx([MIDDLE, MIDDLE], abs=0.08)


def test_a_large_augmentation_is_the_weighted_sum_again():
    losses = concave(zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], augmentation=1.0), 0)
    assert min(losses) < 0.1
