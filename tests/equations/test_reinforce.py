"""REINFORCE's update worked by hand: Williams (1992), sections 4 and 6."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import zoopt_mo as zo

START = np.array([1.0, -1.0])


def begun(**options: Any) -> zo.REINFORCE:
    """A learner that has seen the loss 10 at its start."""
    method = zo.REINFORCE(sigma=0.5, lr=0.1, baseline_decay=0.75, **options)
    method.start(START)
    assert method.ask().tolist() == [START.tolist()]
    method.tell([10.0])
    return method


def test_one_update_by_hand():
    """Baseline 10. The loss 6 at x: the advantage is 10 - 6 = 4, the mean moves by 0.1 * 4 * (x - m), and the baseline
    becomes 0.75 * 10 + 0.25 * 6 = 9. The loss 11 at the next x: the advantage is 9 - 11 = -2."""
    method = begun()
    first = method.ask()[0]
    method.tell([6.0])
    mean = START + 0.4 * (first - START)
    assert method._mean == pytest.approx(mean)
    assert method._baseline == 9.0
    second = method.ask()[0]
    method.tell([11.0])
    assert method._mean == pytest.approx(mean - 0.2 * (second - mean))
    assert method._baseline == 9.5
    assert method._sigma == 0.5


def test_the_reward_less_the_expected_reward_is_the_baseline_less_the_loss():
    """Reward 10 - 6 = 4, expected 10 - 10 = 0; then reward 6 - 11 = -5, expected 6 - 9 = -3: advantage -2."""
    method = begun()
    for loss, expected in ((6.0, 4.0), (11.0, -2.0)):
        method.ask()
        before, noise = method._mean.copy(), method._noise.copy()
        method.tell([loss])
        assert (method._mean - before) / (0.1 * 0.5 * noise) == pytest.approx([expected, expected])


def test_a_learned_sigma_grows_when_a_far_point_is_good():
    """log sigma moves by lr * A * (|z|^2 / p - 1) / 2, with z the standard normal numbers of the point."""
    method = begun(learn_sigma=True)
    point = method.ask()[0]
    squared = float((((point - START) / 0.5) ** 2).sum())
    method.tell([6.0])
    assert math.log(method._sigma / 0.5) == pytest.approx(0.1 * 4.0 * (squared / 2 - 1) / 2)


def test_a_learned_sigma_changes_by_a_factor_of_e_at_most():
    method = begun(learn_sigma=True)
    method.ask()
    method.tell([-1e6])
    assert method._sigma in (pytest.approx(0.5 * math.e), pytest.approx(0.5 / math.e))


def test_points_are_normal_around_the_mean():
    """Constant losses leave the mean at the start: 2000 points of mean m and deviation sigma, within 4 errors."""
    method = begun()
    points = []
    for _ in range(2000):
        points.append(method.ask()[0])
        method.tell([10.0])
    sample = (np.array(points) - START) / 0.5
    assert np.abs(sample.mean(axis=0)).max() <= 4 / np.sqrt(2000)
    assert np.abs(sample.var(axis=0) - 1).max() <= 4 * np.sqrt(2 / 2000)
    assert abs(np.corrcoef(sample.T)[0, 1]) <= 4 / np.sqrt(2000)


def test_the_mean_step_is_the_gradient_of_a_linear_loss_times_minus_the_rate():
    """For L = s x the expected first step is -lr sigma^2 s, whatever the baseline; 4000 seeds, within 5 errors."""
    slope = np.array([2.0, -1.0])
    moves = []
    for seed in range(4000):
        method = begun(seed=seed)
        method.tell([float(slope @ point) for point in method.ask()])
        moves.append(method._mean - START)
    sample = np.array(moves) / (0.1 * 0.25)
    error = np.abs(sample.mean(axis=0) + slope)
    assert (error <= 5 * sample.std(axis=0) / np.sqrt(len(sample))).all()
