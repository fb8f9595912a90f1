"""The weighted L_p distance from the ideal point: value and weights, by hand."""

from __future__ import annotations

import pytest

import zoopt_mo as zo
from tests.equations.scalarized import value_and_weights


def test_the_euclidean_distance():
    """Ideal (1, 1), losses (4, 3), weights (1, 2): (3, 4), length 5; derivatives 1 * 3/5 and 2 * 4/5."""
    value, weights = value_and_weights(zo.PNorm(weights=[1.0, 2.0], ideal=[1.0, 1.0], p=2.0), [4.0, 3.0])
    assert value == pytest.approx(5.0)
    assert weights == pytest.approx([0.6, 1.6])


def test_the_cubic_distance():
    """(3, 4, 5): 27 + 64 + 125 = 216 = 6^3; derivatives (3/6)^2, (4/6)^2, (5/6)^2."""
    value, weights = value_and_weights(zo.PNorm(weights=[1.0] * 3, ideal=[0.0] * 3, p=3.0), [3.0, 4.0, 5.0])
    assert value == pytest.approx(6.0)
    assert weights == pytest.approx([1 / 4, 4 / 9, 25 / 36])


def test_at_p_1_it_is_the_weighted_sum_of_distances():
    """1 * 3 + 2 * 2 = 7."""
    assert value_and_weights(zo.PNorm(weights=[1.0, 2.0], ideal=[1.0, 1.0], p=1.0), [4.0, 3.0]) == (7.0, [1.0, 2.0])


@pytest.mark.parametrize("p", [200.0, 1e4])
def test_at_a_large_p_it_is_the_largest_distance_and_overflows_nowhere(p):
    """(3000, 4000) to the power of 200 is beyond floats; the largest is 4000."""
    value, weights = value_and_weights(zo.PNorm(weights=[1.0, 2.0], ideal=[0.0, 0.0], p=p), [3000.0, 2000.0])
    assert value == pytest.approx(4000.0)
    assert weights == pytest.approx([0.0, 2.0], abs=1e-12)


def test_below_the_ideal_the_distance_counts_too():
    """Losses (-3, 4) from (0, 0): 5; derivatives -3/5 and 4/5."""
    value, weights = value_and_weights(zo.PNorm(weights=[1.0, 1.0], ideal=[0.0, 0.0], p=2.0), [-3.0, 4.0])
    assert value == pytest.approx(5.0)
    assert weights == pytest.approx([-0.6, 0.8])


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 200.0])
def test_at_distance_zero_the_gradient_is_zero(p):
    assert value_and_weights(zo.PNorm(weights=[1.0, 2.0], ideal=[1.0, 1.0], p=p), [1.0, 1.0]) == (0.0, [0.0, 0.0])


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_one_distance_of_zero_leaves_the_other_its_whole_weight(p):
    value, weights = value_and_weights(zo.PNorm(weights=[1.0, 2.0], ideal=[1.0, 1.0], p=p), [1.0, 3.0])
    assert value == pytest.approx(4.0)
    assert weights == pytest.approx([0.0, 2.0])


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.5, r"^`p` must be in \[1, inf\), got 0\.5\.$"),
        (float("inf"), r"^`p` must be finite, got inf\.$"),
    ],
)
def test_an_order_that_is_no_norm_is_refused(p, words):
    with pytest.raises(ValueError, match=words):
        zo.PNorm(weights=[1.0, 1.0], ideal=[0.0, 0.0], p=p)
