"""Indicators of a front, worked by hand."""

from __future__ import annotations

import math

import pytest

import zoopt_mo as zo

POINTS = [[1.0, 3.0], [2.0, 2.0]]


def test_hypervolume_is_the_area_up_to_the_reference():
    """Up to (4, 4): (1, 3) covers 3 x 1 = 3, (2, 2) covers 2 x 2 = 4, both share 2 x 1 = 2; 3 + 4 - 2 = 5."""
    assert zo.hypervolume(POINTS, reference=[4.0, 4.0]) == pytest.approx(5.0)


def test_hypervolume_of_one_point_is_the_box_to_the_reference():
    """(1, 2, 3) up to (2, 4, 6): 1 x 2 x 3 = 6."""
    assert zo.hypervolume([[1.0, 2.0, 3.0]], reference=[2.0, 4.0, 6.0]) == pytest.approx(6.0)


def test_hypervolume_leaves_out_points_that_do_not_beat_the_reference():
    """(5, 0) is worse than the reference (4, 4) in the first loss; (4, 0) ties there and has width 0."""
    assert zo.hypervolume([*POINTS, [5.0, 0.0], [4.0, 0.0]], reference=[4.0, 4.0]) == pytest.approx(5.0)
    assert zo.hypervolume([[5.0, 0.0]], reference=[4.0, 4.0]) == 0.0


def test_igd_plus_counts_only_what_is_worse():
    """From (0, 2): (1, 3) is worse by (1, 1), (2, 2) by (2, 0); the nearer is sqrt(2). From (3, 1): (1, 3) is worse
    by (0, 2), (2, 2) by (0, 1); the nearer is 1. Mean (sqrt(2) + 1) / 2."""
    assert zo.igd_plus(POINTS, front=[[0.0, 2.0], [3.0, 1.0]]) == pytest.approx((math.sqrt(2) + 1) / 2)


def test_epsilon_is_the_shift_that_covers_the_front():
    """From (0, 2): (1, 3) is off by max(1, 1) = 1, (2, 2) by 2. From (3, 1): (1, 3) by max(-2, 2) = 2, (2, 2) by 1.
    The nearer each time are 1 and 1; the larger of them is 1."""
    assert zo.epsilon_indicator(POINTS, front=[[0.0, 2.0], [3.0, 1.0]]) == pytest.approx(1.0)


def test_epsilon_is_negative_where_the_points_are_ahead():
    """(1, 3) is ahead of (2, 5) by 1 and 2: a shift by -1 still covers it."""
    assert zo.epsilon_indicator(POINTS, front=[[2.0, 5.0]]) == pytest.approx(-1.0)


def test_a_set_is_at_no_distance_from_itself():
    assert zo.igd_plus(POINTS, front=POINTS) == 0.0
    assert zo.epsilon_indicator(POINTS, front=POINTS) == 0.0
