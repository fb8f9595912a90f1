"""Definitions 1 and 2: dominance, and what no point dominates."""

from __future__ import annotations

import zoopt_mo as zo


def test_definition_1_better_somewhere_and_worse_nowhere():
    """(1, 2) and (1, 3): 1 <= 1, 2 <= 3, and 2 < 3, so the first dominates and the second does not."""
    assert zo.dominates([1.0, 2.0], [1.0, 3.0])
    assert not zo.dominates([1.0, 3.0], [1.0, 2.0])


def test_definition_1_equal_points_do_not_dominate_each_other():
    """(1, 2) and (1, 2): no loss is smaller."""
    assert not zo.dominates([1.0, 2.0], [1.0, 2.0])


def test_definition_1_a_trade_off_is_no_dominance():
    """(1, 3) and (2, 2): 1 < 2, but 3 > 2."""
    assert not zo.dominates([1.0, 3.0], [2.0, 2.0])
    assert not zo.dominates([2.0, 2.0], [1.0, 3.0])


def test_definition_2_the_front_of_five_points():
    """(3, 3) is beaten by (2, 2), (1, 5) by (1, 4); nothing beats (1, 4), (2, 2), (4, 1)."""
    points = [[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [3.0, 3.0], [1.0, 5.0]]
    assert zo.non_dominated(points).tolist() == [True, True, True, False, False]


def test_definition_2_equal_points_stay_together():
    """Neither of two equal points dominates the other."""
    assert zo.non_dominated([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]]).tolist() == [True, True, False]
