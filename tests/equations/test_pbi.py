"""Penalty-based boundary intersection of Zhang and Li (2007): value and weights, by hand."""

from __future__ import annotations

import pytest
import torch

import zoopt_mo as zo
from tests.equations.scalarized import value_and_weights


def test_the_distance_along_the_ray_and_the_penalised_distance_to_it():
    """Ray (3, 4) / 5 from (1, 1), losses (6, 1): (5, 0) goes 3 along and lies (3.2, -2.4), so 4, away.

    3 + 2 * 4 = 11. Weights: the ray plus 2 times the unit vector away, (0.6, 0.8) + 2 (0.8, -0.6) = (2.2, -0.4).
    """
    scalarizer = zo.PBI(weights=[3.0, 4.0], ideal=[1.0, 1.0], penalty=2.0)
    value, weights = value_and_weights(scalarizer, [6.0, 1.0])
    assert value == pytest.approx(11.0)
    assert weights == pytest.approx([2.2, -0.4])


def test_without_penalty_it_is_a_weighted_sum_of_distances():
    """(0.6, 0.8) . (5, 5) = 7."""
    value, weights = value_and_weights(zo.PBI(weights=[3.0, 4.0], ideal=[1.0, 1.0], penalty=0.0), [6.0, 6.0])
    assert value == pytest.approx(7.0)
    assert weights == pytest.approx([0.6, 0.8])


def test_on_the_ray_the_weights_are_the_ray():
    """(3, 4) from (0, 0) lies 5 along the ray and 0 away, where the norm has no derivative."""
    value, weights = value_and_weights(zo.PBI(weights=[0.75, 1.0], ideal=[0.0, 0.0], penalty=5.0), [3.0, 4.0])
    assert value == pytest.approx(5.0)
    assert weights == pytest.approx([0.6, 0.8])


def test_at_the_ideal_point_nothing_is_nan():
    value, weights = value_and_weights(zo.PBI(weights=[3.0, 4.0], ideal=[1.0, 1.0]), [1.0, 1.0])
    assert value == 0.0
    assert weights == pytest.approx([0.6, 0.8])


def test_a_single_objective_has_nowhere_else_to_go():
    """Ray 1 from 1: the loss 4 lies 3 along."""
    assert value_and_weights(zo.PBI(weights=[7.0], ideal=[1.0]), [4.0]) == (3.0, [1.0])


def test_three_objectives():
    """Ray (1, 1, 1) / sqrt 3, losses (1, 1, 4): sqrt 12 along; (-1, -1, 2) away, sqrt 6."""
    value, _ = value_and_weights(zo.PBI(weights=[1.0, 1.0, 1.0], ideal=[0.0] * 3, penalty=2.0), [1.0, 1.0, 4.0])
    assert value == pytest.approx(12**0.5 + 2 * 6**0.5)


def test_a_dominated_point_on_the_ray_can_win():
    """On the ray (2, 2) costs sqrt 8; the better (2, 0) lies sqrt 2 along and sqrt 2 away: 6 sqrt 2."""
    scalarizer = zo.PBI(weights=[1.0, 1.0], ideal=[0.0, 0.0], penalty=5.0)
    assert float(scalarizer(torch.tensor([2.0, 2.0]))) == pytest.approx(8**0.5)
    assert float(scalarizer(torch.tensor([2.0, 0.0]))) == pytest.approx(6 * 2**0.5)


def test_the_penalty_must_not_be_negative():
    with pytest.raises(ValueError, match=r"^`penalty` must not be negative, got -1\.0\.$"):
        zo.PBI(weights=[1.0, 1.0], ideal=[0.0, 0.0], penalty=-1.0)
