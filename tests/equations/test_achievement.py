"""Achievement functions of Wierzbicki (1980), and weights that divide: by hand."""

from __future__ import annotations

import pytest
import torch

import zoopt_mo as zo
from tests.equations.scalarized import value_and_weights


@pytest.mark.parametrize(
    ("losses", "value", "weights"),
    [
        ([3.0, 3.0], 4.0, [2.0, 0.0]),
        ([1.5, 9.0], 2.0, [0.0, 0.25]),
    ],
)
def test_the_largest_divided_excess(losses, value, weights):
    """Reference (1, 1), weights (0.5, 4).

    (3, 3): 2 / 0.5 = 4 and 2 / 4 = 0.5, the first leads, derivative 1 / 0.5. (1.5, 9): 0.5 / 0.5 = 1 and 8 / 4 = 2,
    the second leads, derivative 1 / 4.
    """
    scalarizer = zo.Achievement(weights=[0.5, 4.0], reference=[1.0, 1.0])
    assert value_and_weights(scalarizer, losses) == (value, weights)


def test_a_reference_point_in_reach_is_overtaken():
    """Reference (5, 5), losses (1, 3), weights (1, 2): -4 and -1; the second leads, and lower is better still."""
    scalarizer = zo.Achievement(weights=[1.0, 2.0], reference=[5.0, 5.0])
    assert value_and_weights(scalarizer, [1.0, 3.0]) == (-1.0, [0.0, 0.5])
    assert float(scalarizer(torch.tensor([1.0, 2.0]))) == -1.5
    assert scalarizer.active_objective(torch.tensor([1.0, 3.0])) == 1


def test_the_augmented_excess():
    """Reference (1, 1), weights (0.5, 4), losses (3, 3): 4 + 0.1 (4 + 0.5) = 4.45; 2 (1 + 0.1) and 0.25 * 0.1."""
    scalarizer = zo.AugmentedAchievement(weights=[0.5, 4.0], reference=[1.0, 1.0], augmentation=0.1)
    value, weights = value_and_weights(scalarizer, [3.0, 3.0])
    assert value == pytest.approx(4.45)
    assert weights == pytest.approx([2.2, 0.025])
    assert scalarizer.active_objective(torch.tensor([3.0, 3.0])) == 0


def test_the_augmentation_tells_weakly_optimal_points_apart():
    """(2, 1) and (2, 0) have the same largest excess 2; the sums 0.05 * 3 and 0.05 * 2 decide for (2, 0)."""
    scalarizer = zo.AugmentedAchievement(weights=[1.0, 1.0], reference=[0.0, 0.0], augmentation=0.05)
    values = [float(scalarizer(torch.tensor([2.0, loss]).double())) for loss in (1.0, 0.0)]
    assert values == pytest.approx([2.15, 2.1])


def test_the_augmentation_must_not_be_negative():
    with pytest.raises(ValueError, match=r"^`augmentation` must not be negative, got -0\.1\.$"):
        zo.AugmentedAchievement(weights=[1.0, 1.0], reference=[0.0, 0.0], augmentation=-0.1)


@pytest.mark.parametrize("family", [zo.Achievement, zo.AugmentedAchievement])
def test_the_reference_point_has_one_loss_for_each_weight(family):
    with pytest.raises(ValueError, match=r"^`reference` must hold 2 values, got 3\.$"):
        family(weights=[1.0, 1.0], reference=[0.0, 0.0, 0.0])


def test_reciprocal_weights_by_hand():
    """1/1, 1/2, 1/4 are 4, 2, 1 sevenths of their sum 7/4."""
    assert zo.reciprocal_weights([1.0, 2.0, 4.0]) == pytest.approx([4 / 7, 2 / 7, 1 / 7])


def test_reciprocal_weights_twice_are_the_weights_with_a_sum_of_one():
    assert zo.reciprocal_weights(zo.reciprocal_weights([1.0, 2.0, 5.0])) == pytest.approx([0.125, 0.25, 0.625])


def test_reciprocal_weights_make_a_divisor_of_a_factor():
    """Weights (0.2, 0.8) multiply (3, 1) to 0.6 and 0.8; 1/0.2 + 1/0.8 = 6.25, and 6.25 * 0.8 = 5 is the excess."""
    weights = [0.2, 0.8]
    divided = zo.Achievement(weights=zo.reciprocal_weights(weights), reference=[0.0, 0.0])
    value, factors = value_and_weights(divided, [3.0, 1.0])
    assert value == pytest.approx(5.0)
    assert factors == pytest.approx([0.0, 5.0])


@pytest.mark.parametrize("weights", [[1.0, 0.0], [0.0, 0.0], [1.0, -1.0]])
def test_reciprocals_of_weights_that_are_not_positive_are_refused(weights):
    with pytest.raises(ValueError, match=r"^`weights` must (be positive|not be negative)"):
        zo.reciprocal_weights(weights)
