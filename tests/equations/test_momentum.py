"""Exponential moving average of the estimates, by hand and against the first moment of torch's Adam."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import zoopt_mo as zo
from tests.equations.given_gradients import dense, run


def averaged(gradients, **options):
    return run(lambda given: zo.Momentum(given, **options), gradients)


def test_two_steps_by_hand():
    """decay 0.5, g = 1, 3: v = 0.5, 1.75; over 1/2 and 3/4 they are 1 and 7/3."""
    assert [dense(e)[0] for e in averaged([[1.0], [3.0]], decay=0.5)] == pytest.approx([1.0, 7 / 3])
    assert [dense(e)[0] for e in averaged([[1.0], [3.0]], decay=0.5, debias=False)] == [0.5, 1.75]


def test_a_steady_gradient_comes_out_as_it_is_from_the_first_step_on():
    assert [dense(e)[0] for e in averaged([[2.0]] * 20)] == pytest.approx([2.0] * 20)
    assert dense(averaged([[2.0]] * 20, debias=False)[0]) == pytest.approx([0.2])


def test_cosine_between_raw_and_averaged_gradient():
    """g = (1, 0) then (0, 1), decay 0.5: v = (0.25, 0.5), whose cosine with (0, 1) is 0.5 / sqrt(0.3125)."""
    first, second = averaged([[1.0, 0.0], [0.0, 1.0]], decay=0.5)
    assert (first.cosine, second.cosine) == (1.0, pytest.approx(0.5 / math.sqrt(0.3125)))


def test_it_is_the_first_moment_of_torchs_adam():
    gradients = np.random.default_rng(0).normal(size=(30, 4)).tolist()
    theta = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([theta], betas=(0.8, 0.999))
    for gradient, estimate in zip(gradients, averaged(gradients, decay=0.8, debias=False), strict=True):
        theta.grad = torch.tensor(gradient, dtype=torch.float64)
        adam.step()
        assert dense(estimate) == pytest.approx(adam.state[theta]["exp_avg"].tolist(), rel=1e-12, abs=1e-15)


def test_a_decay_of_zero_changes_nothing():
    gradients = np.random.default_rng(1).normal(size=(5, 4)).tolist()
    assert [dense(estimate) for estimate in averaged(gradients, decay=0.0)] == gradients


def test_an_earlier_estimate_stays_as_it_was():
    assert dense(averaged([[1.0], [3.0]])[0]) == pytest.approx([1.0])


@pytest.mark.parametrize("bad", [-0.1, 1.0])
def test_a_decay_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=rf"^`decay` must be in \[0, 1\), got {bad}\.$"):
        zo.Momentum(zo.SPSA(radius=0.1), decay=bad)


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got int\.$"):
        zo.Momentum(3)  # type: ignore[arg-type]
