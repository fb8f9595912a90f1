"""Stopping: a run that settled stops, one that falls goes on, noise or not."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import zoopt_mo as zo


def stops_at(losses: np.ndarray, **options: Any) -> int | None:
    """The number of steps after which it stops, None if it never does."""
    stable = zo.StableTrajectory(**options)
    return next((step + 1 for step, loss in enumerate(losses) if stable.update(float(loss))), None)


def runs(count: int, length: int) -> np.ndarray:
    """Standard normal noise ``[count, length]``."""
    return np.random.default_rng(0).standard_normal((count, length))


def test_a_converged_noisy_run_stops_at_the_first_test_in_nine_of_ten_cases():
    found = [stops_at(noise) for noise in runs(400, 300)]
    assert np.mean([stop == 80 for stop in found]) > 0.85
    assert all(stop is not None and stop <= 140 for stop in found)


def test_a_run_that_falls_by_more_than_the_noise_goes_on():
    """2 spreads from the old window to the new one; the rate of false stops with a test at each of 220 steps."""
    falling = runs(400, 300) - 2.0 / 60 * np.arange(300)
    assert np.mean([stops_at(losses) is not None for losses in falling]) < 0.03


def test_twice_the_patience_sees_a_fall_half_as_fast():
    falling = runs(400, 300) - 2.0 / 120 * np.arange(300)
    assert np.mean([stops_at(losses, patience=6) is not None for losses in falling]) < 0.03
    assert np.mean([stops_at(losses) is not None for losses in falling]) > 0.2  # too slow for the default


@pytest.mark.parametrize("decay", [0.9, 0.99, 0.999])
def test_without_noise_any_fall_goes_on(decay):
    assert stops_at(decay ** np.arange(600.0) + 5.0) is None or decay == 0.9  # 0.9^400 is lost in rounding
    assert stops_at(100.0 * decay ** np.arange(80.0)) is None


def test_a_loss_that_stays_stops():
    assert stops_at(np.full(200, 3.0), window=5, patience=2) == 15


def test_a_run_that_falls_and_then_settles_stops_after_it_has_settled():
    curve = 50 * 0.97 ** np.arange(600.0) + runs(50, 600)
    found = [stops_at(losses) for losses in curve]
    assert min(stop for stop in found if stop) > 100  # 50 * 0.97^100 is 2.4 spreads
    assert max(stop or 10**6 for stop in found) < 300


def test_outliers_neither_stop_nor_keep_a_run():
    noise = runs(200, 300)
    struck = np.random.default_rng(1).random(noise.shape) < 0.1
    noise[struck] = 1e6
    assert np.mean([stops_at(losses) is not None for losses in noise]) == 1.0
    falling = runs(200, 300) - 3.0 / 60 * np.arange(300)
    falling[struck] = 1e6
    assert np.mean([stops_at(losses) is not None for losses in falling]) < 0.05


def test_a_gain_below_the_least_one_is_not_worth_going_on():
    losses = 100 - 0.01 * np.arange(300)
    assert stops_at(losses) is None
    assert stops_at(losses, least_gain=0.7) == 80
    assert stops_at(losses, least_gain=0.5) is None  # 0.6 between windows


@pytest.mark.parametrize(("slope", "stops"), [(0.0, True), (-0.1, False), (0.1, False)])
def test_cosines_that_still_change_keep_a_run(slope, stops):
    stable, noise = zo.StableTrajectory(), runs(2, 80)
    said = [stable.update(noise[0, step], slope * step + 0.1 * noise[1, step]) for step in range(80)]
    assert not any(said[:-1])
    assert stable.is_stable == said[-1] == stops


def test_as_a_callback_it_ends_a_minimization():
    noise = np.random.default_rng(0)
    result = zo.minimize(
        lambda x: float(x @ x) + 0.01 * noise.standard_normal(),
        np.ones(5),
        lr=0.05,
        estimator=zo.SPSA(radius=0.3),
        budget=5000,
        callback=zo.StableTrajectory(),
    )
    assert result.status == 99
    assert result.nfev[0] < 1000
    assert float(result.x @ result.x) < 0.1


def test_as_a_callback_it_serves_scipy_too():
    from scipy.optimize import minimize

    result = minimize(
        lambda x: float((x - 1) @ (x - 1)),
        np.zeros(3),
        method="Nelder-Mead",
        callback=zo.StableTrajectory(window=10, patience=1, least_gain=1e-3),
    )
    assert result.status == 99
    assert result.fun < 1e-2


def test_a_saved_trajectory_goes_on_and_a_reset_one_starts_anew():
    losses = runs(1, 200)[0]
    whole, first = zo.StableTrajectory(), zo.StableTrajectory()
    expected = [whole.update(loss, loss / 10) for loss in losses]
    for loss in losses[:50]:
        first.update(loss, loss / 10)
    second = zo.StableTrajectory()
    second.update(99.0)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert [second.update(loss, loss / 10) for loss in losses[50:]] == expected[50:]
    second.reset()
    assert second.state_dict() == zo.StableTrajectory().state_dict()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 2}, r"^`window` must be at least 3, got 2\.$"),
        ({"tolerance": -0.1}, r"^`tolerance` must not be negative, got -0\.1\.$"),
        ({"patience": 0}, r"^`patience` must be at least 1, got 0\.$"),
        ({"least_gain": math.nan}, r"^`least_gain` must be finite, got nan\.$"),
    ],
)
def test_a_trajectory_refuses_bad_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        zo.StableTrajectory(**options)


def test_a_trajectory_refuses_losses_that_are_no_numbers():
    with pytest.raises(ValueError, match=r"^`loss` must be finite, got nan\.$"):
        zo.StableTrajectory().update(math.nan)
