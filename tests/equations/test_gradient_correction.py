"""SPSA-GC by hand, and against torch's Nesterov momentum, which is the same update."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import zoopt_mo as zo
from tests.equations.given_gradients import dense, run

MOMENTUM, LR, STEPS = 0.9, 0.01, 50
CURVATURE = torch.tensor([1.0, 2.0, 0.5, 3.0, 0.1], dtype=torch.float64)


def bowl(theta: torch.Tensor) -> float:
    return float((CURVATURE * (theta - 1) ** 2).sum())


def spsa(seed: int = 3) -> zo.SPSA:
    return zo.SPSA(radius=0.01, directions=zo.segmented_uniform, seed=seed)


def path(estimator: zo.Estimator, **options: Any) -> torch.Tensor:
    """Points ``[steps, p]`` of ``backward`` with torch's SGD."""
    theta = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    box = zo.BlackBox(lambda: bowl(theta), estimator=estimator)
    optimizer = torch.optim.SGD([theta], lr=LR, **options)
    points = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        zo.backward([box], zo.WeightedSum(weights=[1.0]), theta)
        optimizer.step()
        points.append(theta.detach().clone())
    return torch.stack(points)


def test_three_steps_by_hand():
    """b = 0.5, g = 1, 2, -1: m = 1, 2.5, 0.25 and g + b m = 1.5, 3.25, -0.875."""
    estimates = run(lambda given: zo.GradientCorrection(given, momentum=0.5), [[1.0], [2.0], [-1.0]])
    assert [dense(estimate)[0] for estimate in estimates] == [1.5, 3.25, -0.875]


def test_cosine_between_raw_and_corrected_gradient():
    """g = (1, 0) then (0, 1), b = 0.5: m = (0.5, 1), corrected (0.25, 1.5)."""
    first, second = run(lambda given: zo.GradientCorrection(given, momentum=0.5), [[1.0, 0.0], [0.0, 1.0]])
    assert first.cosine == 1.0
    assert second.cosine == pytest.approx(1.5 / np.hypot(0.25, 1.5))


def test_fed_with_the_same_estimates_torchs_nesterov_takes_the_same_steps_to_the_last_digits():
    gradients = np.random.default_rng(0).normal(size=(STEPS, 7)).tolist()
    ours = torch.zeros(7, dtype=torch.float64)
    theirs = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([theirs], lr=LR, momentum=MOMENTUM, nesterov=True, dampening=0)
    corrected = run(lambda given: zo.GradientCorrection(given, momentum=MOMENTUM), gradients)
    for gradient, estimate in zip(gradients, corrected, strict=True):
        ours.add_(torch.tensor(dense(estimate), dtype=torch.float64), alpha=-LR)
        theirs.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-14, atol=1e-16)  # torch rounds a product less


def test_in_backward_it_is_torchs_nesterov_on_spsa():
    with_wrapper = path(zo.GradientCorrection(spsa(), momentum=MOMENTUM))
    with_optimizer = path(spsa(), momentum=MOMENTUM, nesterov=True, dampening=0)
    torch.testing.assert_close(with_wrapper, with_optimizer, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(with_wrapper, path(spsa()), rtol=0.1)
    assert bowl(with_wrapper[-1]) < 0.1 * bowl(torch.zeros(5, dtype=torch.float64))


def test_momentum_of_zero_changes_nothing():
    assert torch.equal(path(zo.GradientCorrection(spsa(), momentum=0.0)), path(spsa()))


def test_a_steady_gradient_becomes_ten_times_as_long():
    """g + b m with m -> g / (1 - b): 1 + 0.9 / 0.1 = 10."""
    estimates = run(lambda given: zo.GradientCorrection(given, momentum=0.9), [[1.0]] * 400)
    assert dense(estimates[-1])[0] == pytest.approx(10.0)


def test_an_earlier_estimate_stays_as_it_was():
    estimates = run(zo.GradientCorrection, [[1.0], [2.0]])
    assert dense(estimates[0]) == [1.9]


@pytest.mark.parametrize("bad", [-0.1, 1.0])
def test_a_momentum_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=rf"^`momentum` must be in \[0, 1\), got {bad}\.$"):
        zo.GradientCorrection(spsa(), momentum=bad)


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got float\.$"):
        zo.GradientCorrection(0.1)  # type: ignore[arg-type]
