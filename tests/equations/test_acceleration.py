"""Momentum that grows: its recursion by hand, Nesterov's method as its limit, and the restart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import zoopt_mo as zo
from tests.equations.given_gradients import Given, dense, run


class Exact(zo.Estimator):
    """The gradient of a quadratic at the point it is told through ``point``, as if along all directions."""

    def __init__(self, curvatures: np.ndarray) -> None:
        super().__init__()
        self.curvatures, self.point = curvatures, np.zeros_like(curvatures)

    def _ask(self, size, prior):
        return [zo.Combination([(1.0, zo.DenseDirection(torch.zeros(size)))])]

    def _tell(self, losses, exact):
        gradient = torch.from_numpy(self.curvatures * self.point)
        return zo.Estimate(zo.Combination([(1.0, zo.DenseDirection(gradient))]), 0.0, num_directions=gradient.numel())

    def _reset(self, seed):
        pass

    def _state(self):
        return {}

    def _load_state(self, state):
        pass


def accelerated(curvatures: np.ndarray, start: np.ndarray, lr: float, steps: int) -> np.ndarray:
    """Points ``[steps, p]`` of descent along accelerated exact gradients."""
    exact = Exact(curvatures)
    estimator, x, points = zo.Acceleration(exact), start.copy(), []
    for _ in range(steps):
        exact.point = x
        estimator.ask(len(x))
        x = x - lr * np.array(dense(estimator.tell([0.0])))
        points.append(x)
    return np.array(points)


def nesterov(curvatures: np.ndarray, start: np.ndarray, lr: float, steps: int) -> np.ndarray:
    """Nesterov's method: a gradient step, then k / (k + 3) of the way from the last such point on."""
    x, y, points = start.copy(), start.copy(), []
    for k in range(steps):
        new = x - lr * curvatures * x
        x, y = new + k / (k + 3) * (new - y), new
        points.append(x)
    return np.array(points)


def test_exact_gradients_along_all_directions_give_nesterovs_method():
    """The slowest curvature is too small for the momentum to turn uphill within these steps."""
    curvatures, start = np.array([1.0, 0.1, 0.003, 0.001]), np.array([0.01, 0.1, 5.0, 5.0])
    ours, theirs = (method(curvatures, start, 0.2, 40) for method in (accelerated, nesterov))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    plain = start * (1 - 0.2 * curvatures) ** 40
    assert np.abs(ours[-1] - plain).max() > 0.3  # plain descent is elsewhere


def test_four_steps_by_hand():
    """One direction of two and speed 1: nu = 1/2, tau_k = 2 / (k + 4): 1/2, 2/5, 1/3, 2/7, 1/4. With g = 1 each, m = 0,
    then 1/4, then 2/3 * 1/4 + 1/2 = 2/3, then 5/7 * 2/3 + 3/4 = 103/84; tau m adds 0, 1/12, 4/21, 103/336 to g."""
    estimates = run(lambda given: zo.Acceleration(given, speed=1.0), [[1.0, 1.0]] * 4)
    expected = [1.0, 1 + 1 / 12, 1 + 4 / 21, 1 + 103 / 336]
    assert [dense(estimate)[0] for estimate in estimates] == pytest.approx(expected, rel=1e-6)


def test_momentum_grows_by_the_share_of_the_directions_and_the_speed():
    """nu = min(1, v q / p): with p = 4, speeds of 4 and of 400 are both Nesterov's, and 2 is slower."""

    def last(speed: float) -> list[float]:
        return dense(run(lambda given: zo.Acceleration(given, speed=speed), [[1.0] * 4] * 3)[-1])

    at_limit, beyond, slower = map(last, (4.0, 400.0, 2.0))
    assert at_limit == beyond
    assert at_limit[0] == pytest.approx(1 + 0.4 * (0.5 * 0.5 + 1.0), rel=1e-6)  # m = 1/2 * 1/2 + 1, tau 2/5
    assert slower[0] == pytest.approx(1 + 2 / 7 * (2 / 3 * 0.25 + 0.5), rel=1e-6)


def test_momentum_that_points_uphill_is_dropped():
    """p = q = 1: g = 1, 1 give m = 1/2 and a running mean of -1/2. Then g = -0.01: tau m = 1/4 against s = 0.01,
    t = (0.0025 - 0.0001) / (0.0025 + 0.0001) = 0.923, mean (-0.5 + 0.923) / 2 > 0: a new start."""
    gradients = [[1.0], [1.0], [-0.01], [-0.01], [-0.01]]
    estimates = [dense(estimate)[0] for estimate in run(zo.Acceleration, gradients)]
    # As at the start: first m = 0, then 1/2 g with tau 1/2, then 1/2 * 1/2 g + g with tau 2/5.
    expected = [1.0, 1.25, -0.01, -0.0125, -0.01 * (1 + 0.4 * 1.25)]
    assert estimates == pytest.approx(expected, rel=1e-6)


def test_a_gradient_that_outweighs_the_momentum_does_not_drop_it():
    """Then g = -10 turns the step round by itself: t = (2.5 - 100) / (2.5 + 100) < 0, and m = 1/2 * 1/2 - 10 stays."""
    estimates = [dense(estimate)[0] for estimate in run(zo.Acceleration, [[1.0], [1.0], [-10.0]])]
    assert estimates == pytest.approx([1.0, 1.25, -10 + 0.4 * (0.25 - 10)], rel=1e-6)


def test_one_uphill_step_after_many_downhill_ones_is_forgiven():
    """The mean is half the last value: t = 0.28 after -0.9 or so is not enough, -0.01 of the test above was."""

    def last(final: float) -> float:
        return dense(run(zo.Acceleration, [[1.0], [1.0], [final]])[-1])[0]

    assert last(-0.15) != pytest.approx(-0.15)  # t = (0.0375 - 0.0225) / 0.06 = 0.25 < 0.5
    assert last(-0.05) == pytest.approx(-0.05)  # t = (0.0125 - 0.0025) / 0.015 = 0.67 > 0.5


def test_restarts_keep_it_from_swinging_on_a_narrow_bowl():
    """Nesterov's method without them overshoots: over these steps it is far above at its worst."""
    curvatures, start = np.array([1.0, 0.02]), np.array([1.0, 5.0])
    ours, theirs = (
        0.5 * (curvatures * method(curvatures, start, 0.9, 150) ** 2).sum(axis=1) for method in (accelerated, nesterov)
    )
    assert ours[100:].max() < 1e-3 * theirs[100:].max()


def test_value_and_number_of_directions_are_those_of_the_wrapped_estimator():
    first = run(zo.Acceleration, [[1.0, 2.0]])[0]
    assert (first.value, first.gain, first.num_directions) == (1.0, 1.0, 1)
    assert dataclasses.replace(first).cosine is None


def test_an_earlier_estimate_stays_as_it_was():
    estimates = run(zo.Acceleration, [[1.0], [1.0], [1.0]])
    assert dense(estimates[1]) == pytest.approx([1.25])


def test_gradients_of_zero_are_left_at_zero():
    assert [dense(estimate) for estimate in run(zo.Acceleration, [[0.0, 0.0]] * 3)] == [[0.0, 0.0]] * 3


def test_a_speed_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match=r"^`speed` must be positive, got 0\.0\.$"):
        zo.Acceleration(Given([[1.0]]), speed=0.0)


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got int\.$"):
        zo.Acceleration(3)  # type: ignore[arg-type]
