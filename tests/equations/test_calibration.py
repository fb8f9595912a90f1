"""Noise, radius and step from a few queries, by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch

import zoopt_mo as zo

CURVATURES = np.array([1.0, 4.0, 0.5, 2.5])  # of trace 8
START = np.array([1.0, 2.0, 4.0, 8.0])  # no signs of these add up to zero, so every pair differs


class Counted:
    """A loss with given noise on its first calls, that counts its calls."""

    def __init__(self, loss: Callable[[np.ndarray], float], noise: Iterable[float] = ()) -> None:
        self.loss, self.noise, self.calls = loss, iter(noise), 0

    def __call__(self, x: np.ndarray) -> float:
        self.calls += 1
        return self.loss(x) + next(self.noise, 0.0)


def bowl(x: np.ndarray) -> float:
    """A quadratic of trace 400."""
    return float(50 * x @ x)


# --- noise, radius, curvature, step ----------------------------------------------------------------------------------


def test_without_noise_the_radius_stays_and_the_curvature_is_the_trace():
    """Signs along a diagonal Hessian: 1 + 4 + 0.5 + 2.5 = 8, and the step 1 / 16. Six queries and one pair."""
    found = zo.calibrate(lambda x: float(0.5 * CURVATURES @ x**2), START, radius=0.1)
    assert (found.noise, found.radius, found.num_queries) == (0.0, 0.1, 8)
    assert found.curvature == pytest.approx(8.0)
    assert found.lr == pytest.approx(1 / 16)
    assert found.value == pytest.approx(0.5 * (1 + 16 + 8 + 160))


def test_a_curvature_below_zero_counts_by_its_size():
    assert zo.calibrate(lambda x: -bowl(x), START, radius=0.1).curvature == pytest.approx(400.0)


def test_a_linear_loss_has_no_curvature_and_no_step():
    found = zo.calibrate(lambda x: float(x[0]), np.zeros(1), radius=0.25, max_radius=0.25)
    assert (found.curvature, found.lr, found.radius) == (0.0, 0.0, 0.25)


def test_the_noise_is_the_spread_of_the_repeats_and_the_radius_stands_out_of_it():
    """Repeats of +-0.01: sigma = 0.01 sqrt(4/3) = 0.0115.

    Second differences 400 c^2 at 0.001, 0.004, 0.016 and 0.064 are 0.0004, 0.0064, 0.1 and 1.6; the last is the first
    above 49 sigma. Set back: c = 7 sqrt(0.0115 / 400) = 0.0376; at a contrast of 10 it is 0.0537.
    """
    sigma = 0.01 * math.sqrt(4 / 3)
    found = zo.calibrate(Counted(bowl, [0.01, -0.01, 0.01, -0.01]), START, num_repeats=4)
    assert found.noise == pytest.approx(sigma)
    assert found.radius == pytest.approx(7 * math.sqrt(sigma / 400))
    wider = zo.calibrate(Counted(bowl, [0.01, -0.01, 0.01, -0.01]), START, num_repeats=4, contrast=10)
    assert wider.radius == pytest.approx(10 * math.sqrt(sigma / 400))
    assert found.curvature == pytest.approx(400.0)
    assert found.lr == pytest.approx(1 / 800)
    assert found.value == pytest.approx(bowl(START))
    assert found.num_queries == 4 + 2 * 4


def test_the_curvature_is_measured_where_noise_leaves_it():
    """Quartic x^4 at 0.1: second difference over c^2 is 12 x^2 + 2 c^2, at the pair's own radius."""
    noise = [1e-4, -1e-4] * 3
    found = zo.calibrate(Counted(lambda x: float(x[0] ** 4), noise), np.array([0.1]), radius=0.5, max_radius=0.5)
    assert found.curvature == pytest.approx(12 * 0.1**2 + 2 * 0.5**2)


@pytest.mark.parametrize(("max_radius", "pairs"), [(0.001, 1), (0.004, 2), (0.005, 3), (0.064, 4)])
def test_the_radius_grows_fourfold_up_to_the_largest(max_radius, pairs):
    """Noise of 10 drowns all: the last radius tried is the largest."""
    found = zo.calibrate(Counted(bowl, [10.0, -10.0] * 3), START, max_radius=max_radius)
    assert (found.radius, found.num_queries) == (max_radius, 6 + 2 * pairs)


def test_a_flat_loss_ends_at_the_largest_radius_without_a_step():
    found = zo.calibrate(lambda _x: 3.0, START, max_radius=0.25)
    assert (found.radius, found.curvature, found.lr, found.value) == (0.25, 0.0, 0.0, 3.0)


# --- rounding --------------------------------------------------------------------------------------------------------


def test_where_the_loss_is_rounded_to_whole_numbers_the_pair_differs_at_the_radius_found():
    """The squared distance is 85 and its slope 30 at most: half a number is not reached below c = 0.016."""

    def loss(x: np.ndarray) -> float:
        return float(round(float(x @ x)))

    found = zo.calibrate(loss, START)
    assert found.noise == 0.0
    assert found.radius > 0.016


def test_in_single_precision_the_second_difference_stands_out_of_rounding():
    """Squares at 100: loss 40000, rounding 2^-23 of it, 0.0048, curvature 8: c = 7 sqrt(0.0048 / 8) = 0.17 or more."""
    theta = torch.full((4,), 100.0)
    theta[0] = 101.0  # no signs that add up to zero
    box = zo.BlackBox(lambda: float(theta.square().sum()), estimator=zo.SPSA(radius=0.1))
    found = zo.calibrate(box, theta)
    assert found.noise == 0.0
    assert found.radius >= 0.99 * 7 * math.sqrt(2**-23 * 40_000 / 8)


def test_single_precision_measures_the_curvature_where_rounding_leaves_it():
    """As above; a pair at 0.001 would hold nothing but rounding."""
    theta = torch.full((4,), 100.0)
    theta[0] = 101.0
    box = zo.BlackBox(lambda: float(theta.square().sum()), estimator=zo.SPSA(radius=0.1))
    assert zo.calibrate(box, theta).curvature == pytest.approx(8.0, rel=0.02)


# --- what it leaves --------------------------------------------------------------------------------------------------


def test_the_queries_are_the_losses_own_count_and_those_before_are_not_its():
    loss = Counted(bowl, [0.01, -0.01] * 3)
    theta = torch.from_numpy(START.copy())
    box = zo.BlackBox(lambda: loss(theta.numpy()), estimator=zo.SPSA(radius=0.1))
    box.evaluate(zo.Parameters(theta))
    found = zo.calibrate(box, theta)
    assert found.num_queries == loss.calls - 2 == box.num_queries - 2


def test_the_parameters_and_buffers_of_a_module_are_restored_bit_for_bit():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    batch = torch.randn(8, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    estimator = zo.SPSA(radius=0.1, seed=5)
    state = estimator.state_dict()
    box = zo.BlackBox(lambda: float(model(batch).square().mean()), estimator=estimator)
    assert zo.calibrate(box, model).curvature > 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert estimator.state_dict() == state


def test_a_function_gets_copies_and_the_vector_stays():
    x = START.copy()

    def spoiler(x: np.ndarray) -> float:
        x += 1.0
        return bowl(x)

    zo.calibrate(spoiler, x)
    assert x.tolist() == START.tolist()


def test_the_same_seed_asks_at_the_same_places_and_another_elsewhere():
    def places(seed: int) -> list[list[float]]:
        seen: list[list[float]] = []

        def watching(x: np.ndarray) -> float:
            seen.append(x.tolist())
            return bowl(x)

        zo.calibrate(watching, np.ones(64), seed=seed)
        return seen

    assert places(1) == places(1) != places(2)
    assert places(1)[:6] == [[1.0] * 64] * 6


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"radius": 0.0}, ValueError, r"^`radius` must be positive, got 0\.0\.$"),
        (
            {"radius": 0.5, "max_radius": 0.25},
            ValueError,
            r"^`max_radius` must be at least `radius`, 0\.5, got 0\.25\.$",
        ),
        ({"max_radius": math.inf}, ValueError, r"^`max_radius` must be "),
        ({"num_repeats": 1}, ValueError, r"^`num_repeats` must be at least 2, got 1\.$"),
        ({"num_repeats": 2.5}, TypeError, r"^`num_repeats` must be a whole number, got 2\.5\.$"),
        ({"seed": -1}, ValueError, r"^`seed` must be "),
    ],
)
def test_bad_arguments_are_refused_before_any_query(options, error, words):
    loss = Counted(bowl)
    with pytest.raises(error, match=words):
        zo.calibrate(loss, START, **options)
    assert loss.calls == 0


def test_what_is_no_function_is_refused():
    number: Any = 1.0
    with pytest.raises(TypeError, match=r"^`black_box` must be a BlackBox or a function, got float\.$"):
        zo.calibrate(number, START)


@pytest.mark.parametrize(("call", "num_queries"), [(1, 8), (6, 8), (7, 10)])
def test_a_failed_query_is_left_out_and_a_failed_pair_is_asked_again(call, num_queries):
    loss = Counted(bowl, [math.nan if number == call else 0.0 for number in range(1, 9)])
    found = zo.calibrate(loss, START)
    assert found.num_queries == num_queries
    assert found.value == pytest.approx(bowl(START))
    assert found.curvature == pytest.approx(400.0)


@pytest.mark.parametrize("good", [1, 6])
def test_a_loss_that_is_hardly_ever_finite_is_refused(good):
    loss = Counted(bowl, [0.0] * good + [math.nan] * 500)
    with pytest.raises(RuntimeError, match=r"^Calibration needs two losses|failed in a row"):
        zo.calibrate(loss, START)
