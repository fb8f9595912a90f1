"""The mean of a sliding window of estimates, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import zoopt_mo as zo
from tests.equations.given_gradients import dense, run


def averaged(gradients, window):
    return run(lambda given: zo.Averaging(given, window=window), gradients)


def test_a_window_of_two_by_hand():
    """g = 1, 3, 5, 7: the first alone, then (1 + 3) / 2, (3 + 5) / 2, (5 + 7) / 2."""
    assert [dense(estimate)[0] for estimate in averaged([[1.0], [3.0], [5.0], [7.0]], 2)] == [1.0, 2.0, 4.0, 6.0]


def test_cosine_between_raw_and_averaged_gradient():
    """(1, 0) and (0, 1) have the mean (1, 1) / 2, at 45 degrees; (1, 0) and (-1, 0) cancel, and the cosine is 0."""
    first, second, third = averaged([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], 2)
    assert (first.cosine, second.cosine, third.cosine) == (1.0, pytest.approx(np.sqrt(0.5)), 0.0)


def test_a_window_of_one_changes_nothing():
    gradients = np.random.default_rng(0).normal(size=(5, 4)).tolist()
    assert [dense(estimate) for estimate in averaged(gradients, 1)] == gradients


def test_the_window_stays_packed_and_bounded():
    estimator = zo.Averaging(zo.SPSA(radius=0.1, num_pairs=2), window=3)
    for _ in range(6):
        estimator.ask(100)
        estimate = estimator.tell([2.0, 1.0, 3.0, 1.0])
    directions = [direction for _, direction in estimate.gradient.terms]
    assert len(directions) == 6
    assert all(isinstance(direction, zo.SignDirection) for direction in directions)


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (0, ValueError, r"^`window` must be at least 1, got 0\.$"),
        (2.5, TypeError, r"^`window` must be a whole number, got 2\.5\.$"),
    ],
)
def test_a_window_that_is_no_count_is_refused(bad, error, words):
    with pytest.raises(error, match=words):
        zo.Averaging(zo.SPSA(radius=0.1), window=bad)


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got str\.$"):
        zo.Averaging("spsa")  # type: ignore[arg-type]
