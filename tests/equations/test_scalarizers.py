"""Equations 1, 4, 5 and 6: value and weights, by hand."""

from __future__ import annotations

import pytest
import torch

import zoopt_mo as zo
from tests.equations.scalarized import value_and_weights


def test_equation_4_the_weighted_sum():
    """0.25 * 2 + 0.75 * 4 = 3.5; its derivatives are the weights."""
    value, weights = value_and_weights(zo.WeightedSum(weights=[0.25, 0.75]), [2.0, 4.0])
    assert value == 3.5
    assert weights == [0.25, 0.75]


@pytest.mark.parametrize(
    ("losses", "value", "weights"),
    [
        ([2.0, 4.0], 2.625, [0.0, 0.75]),
        ([9.0, 2.0], 2.125, [0.25, 0.0]),
    ],
)
def test_equations_1_and_5_the_tchebycheff_norm(losses, value, weights):
    """Ideal (1, 1), margin 0.5: distances L - 0.5.

    (2, 4): 0.25 * 1.5 = 0.375 and 0.75 * 3.5 = 2.625, so the second leads. (9, 2): 0.25 * 8.5 = 2.125 and
    0.75 * 1.5 = 1.125, so the first leads.
    """
    scalarizer = zo.Tchebycheff(weights=[0.25, 0.75], ideal=[1.0, 1.0], margin=0.5)
    assert value_and_weights(scalarizer, losses) == (value, weights)


def test_equation_5_the_margin_can_decide_who_leads():
    """Losses at (1, 0) from ideal (0, 0), weights (0.25, 0.75).

    Margin 0.1: 0.25 * 1.1 = 0.275 and 0.75 * 0.1 = 0.075, the first leads. Margin 1: 0.25 * 2 = 0.5 and
    0.75 * 1 = 0.75, the second leads.
    """
    losses = torch.tensor([1.0, 0.0])
    leaders = [
        zo.Tchebycheff(weights=[0.25, 0.75], ideal=[0.0, 0.0], margin=margin).active_objective(losses)
        for margin in (0.1, 1.0)
    ]
    assert leaders == [0, 1]


def test_equation_5_a_running_ideal():
    """Losses (4, 2): the ideal is (4, 2), distances the margin 0.5; (2, 3): ideal (2, 2), distances 0.5 and 1.5."""
    scalarizer = zo.Tchebycheff(weights=[1.0, 1.0], margin=0.5)
    assert float(scalarizer(torch.tensor([4.0, 2.0]))) == 0.5
    assert float(scalarizer(torch.tensor([2.0, 3.0]))) == 1.5
    assert scalarizer.ideal.value.tolist() == [2.0, 2.0]


def test_equation_6_the_augmented_norm():
    """Equation 5 gives 2.625; 0.1 * (0.25 * 2 + 0.75 * 4) = 0.35; weights 0.1 * 0.25 and 0.75 + 0.1 * 0.75."""
    scalarizer = zo.AugmentedTchebycheff(weights=[0.25, 0.75], ideal=[1.0, 1.0], margin=0.5, augmentation=0.1)
    value, weights = value_and_weights(scalarizer, [2.0, 4.0])
    assert value == pytest.approx(2.975)
    assert weights == pytest.approx([0.025, 0.825])


def test_equation_6_the_sum_is_over_losses_and_not_over_distances():
    """Moving the ideal from (0, 0) to (-1, -1) adds 0.5 * 1 to the maximum and nothing to the sum."""
    values = [
        float(zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=ideal, augmentation=0.2)(torch.tensor([1.0, 2.0])))
        for ideal in ([0.0, 0.0], [-1.0, -1.0])
    ]
    assert values[1] - values[0] == pytest.approx(0.5)


def test_equation_6_without_augmentation_is_equation_5():
    """sigma = 0 leaves the maximum: 0.75 * 3.5."""
    scalarizer = zo.AugmentedTchebycheff(weights=[0.25, 0.75], ideal=[1.0, 1.0], margin=0.5, augmentation=0.0)
    assert value_and_weights(scalarizer, [2.0, 4.0]) == (2.625, [0.0, 0.75])


def test_equation_6_with_three_objectives():
    """Distances 1 * 3, 2 * 1, 3 * 2 = 6 lead; 6 + 0.5 * (3 + 2 + 6) = 11.5; weights 0.5, 1, 3 + 1.5."""
    scalarizer = zo.AugmentedTchebycheff(weights=[1.0, 2.0, 3.0], ideal=[1e-9] * 3, margin=1e-9, augmentation=0.5)
    value, weights = value_and_weights(scalarizer, [3.0, 1.0, 2.0])
    assert value == pytest.approx(11.5)
    assert weights == pytest.approx([0.5, 1.0, 4.5])


def test_the_augmentation_tells_weakly_optimal_points_apart():
    """(2, 1) and (2, 0) have the same maximum 1; the sums 0.05 * 1.5 and 0.05 * 1 decide for (2, 0)."""
    scalarizer = zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], augmentation=0.05)
    better, worse = scalarizer(torch.tensor([2.0, 0.0]).double()), scalarizer(torch.tensor([2.0, 1.0]).double())
    assert float(worse - better) == pytest.approx(0.025)
