"""Smooth Tchebycheff of Lin et al. (2024): value and weights, by hand."""

from __future__ import annotations

import math

import pytest
import torch

import zoopt_mo as zo
from tests.equations.scalarized import value_and_weights


def test_the_smooth_maximum_of_two_weighted_distances():
    """Ideal (1, 1), margin 0.5, losses (2.5, 1.5): distances (2, 1), weighted by (1, 2): 2 and 2.

    With mu = 0.5: 0.5 log(e^4 + e^4) = 2 + 0.5 log 2. Each half of the softmax times its weight: 0.5 and 1.
    """
    scalarizer = zo.SmoothTchebycheff(weights=[1.0, 2.0], ideal=[1.0, 1.0], smoothing=0.5, margin=0.5)
    value, weights = value_and_weights(scalarizer, [2.5, 1.5])
    assert value == pytest.approx(2.0 + 0.5 * math.log(2.0))
    assert weights == pytest.approx([0.5, 1.0])


def test_the_weights_are_shares_of_a_softmax():
    """Weighted distances log 3 and 0 at mu = 1: log(3 + 1) = log 4, shares 3/4 and 1/4."""
    scalarizer = zo.SmoothTchebycheff(weights=[1.0, 1.0], ideal=[0.0, 0.0], smoothing=1.0, margin=1.0)
    value, weights = value_and_weights(scalarizer, [math.log(3.0) - 1.0, -1.0])
    assert value == pytest.approx(math.log(4.0))
    assert weights == pytest.approx([0.75, 0.25])


def test_a_running_ideal_moves_with_the_losses():
    """Losses (4, 2), then (2, 3): ideal (2, 2), distances 0.5 and 1.5; log(e^0.5 + e^1.5) at mu = 1."""
    scalarizer = zo.SmoothTchebycheff(weights=[1.0, 1.0], smoothing=1.0, margin=0.5)
    scalarizer(torch.tensor([4.0, 2.0]))
    value, _ = value_and_weights(scalarizer, [2.0, 3.0])
    assert value == pytest.approx(math.log(math.exp(0.5) + math.exp(1.5)))


@pytest.mark.parametrize("count", [2, 3, 7])
def test_it_lies_above_the_maximum_by_at_most_mu_log_n(count):
    """All distances equal: the gap is the whole mu log n; one far ahead: the gap is nearly zero."""
    plain = zo.Tchebycheff(weights=[1.0] * count, ideal=[0.0] * count)
    smooth = zo.SmoothTchebycheff(weights=[1.0] * count, ideal=[0.0] * count, smoothing=0.1)
    tie = torch.ones(count, dtype=torch.float64)
    ahead = torch.cat([tie[:1] * 9.0, tie[1:]])
    assert float(smooth(tie) - plain(tie)) == pytest.approx(0.1 * math.log(count))
    assert float(smooth(ahead) - plain(ahead)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("smoothing", [1e-12, 1e-305])
@pytest.mark.parametrize("size", [1.0, 1e6, -1e6])
def test_a_tiny_smoothing_of_large_losses_is_the_maximum_and_overflows_nowhere(smoothing, size):
    """exp(1e6 / 1e-12) overflows, and 1e6 / 1e-305 too; centred on the maximum they are 1 and 0."""
    scalarizer = zo.SmoothTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], smoothing=smoothing, margin=1.0)
    value, weights = value_and_weights(scalarizer, [size, size - 1.0])
    assert value == pytest.approx(0.5 * (size + 1.0))
    assert weights == [0.5, 0.0]


@pytest.mark.parametrize("smoothing", [0.0, -1.0])
def test_the_smoothing_must_be_positive(smoothing):
    with pytest.raises(ValueError, match=rf"^`smoothing` must be positive, got {smoothing}\.$"):
        zo.SmoothTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], smoothing=smoothing)


def test_the_margin_must_be_positive():
    with pytest.raises(ValueError, match=r"^`margin` must be positive, got 0\.0\.$"):
        zo.SmoothTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], margin=0.0)
