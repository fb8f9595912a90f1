"""Equations 3, 11 and 12: one step over a black and a white box, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import zoopt_mo as zo

LAMBDA = (0.25, 0.75)
SIGMA = 0.1
RATE = 0.5


class Scene:
    """theta = (1, 2); black box 3 x1 + x2 probed along (1, -1) at c = 0.5; white box x1^2 + offset."""

    def __init__(self, offset: float, **history: Any) -> None:
        self.theta = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
        self.offset = offset
        spsa = zo.SPSA(radius=0.5, directions=lambda size, *_: zo.SignDirection(np.array([1], dtype=np.uint64), size))
        self.black = zo.BlackBox(
            lambda: float(3 * self.theta[0] + self.theta[1]),
            estimator=zo.CriticalHistory(spsa, **history) if history else spsa,
        )
        self.white = zo.WhiteBox(lambda: self.theta[0] ** 2 + self.offset)
        self.scalarizer = zo.AugmentedTchebycheff(weights=LAMBDA, ideal=[0.0, 0.0], margin=0.01, augmentation=SIGMA)

    def backward(self) -> zo.StepReport:
        return zo.backward([self.black, self.white], self.scalarizer, self.theta)


# The slope along (1, -1) is 3 - 1 = 2, so the estimate is (2, -2); the exact gradient is (2, 0).
ESTIMATE, EXACT = np.array([2.0, -2.0]), np.array([2.0, 0.0])


def grad_of(theta: torch.Tensor) -> np.ndarray:
    assert theta.grad is not None
    return theta.grad.numpy()


def test_equation_11_the_black_box_leads():
    """Losses 5 and 1: 0.25 * 5.01 = 1.2525 > 0.75 * 1.01 = 0.7575, so i_max = 1 (index 0).

    g = 0.25 (2, -2) + 0.75 (2, 0) = (2, -0.5); 0.25 (2, -2) + 0.1 (2, -0.5) = (0.7, -0.55).
    """
    scene = Scene(offset=0.0)
    report = scene.backward()
    assert report.i_max == 0
    assert report.losses == pytest.approx((5.0, 1.0))
    assert grad_of(scene.theta) == pytest.approx([0.7, -0.55])


def test_equation_11_the_white_box_leads():
    """Losses 5 and 4: 0.25 * 5.01 = 1.2525 < 0.75 * 4.01 = 3.0075, so i_max = 2 (index 1).

    g = (2, -0.5) as before; 0.75 (2, 0) + 0.1 (2, -0.5) = (1.7, -0.05).
    """
    scene = Scene(offset=3.0)
    report = scene.backward()
    assert report.i_max == 1
    assert grad_of(scene.theta) == pytest.approx([1.7, -0.05])


@pytest.mark.parametrize(("offset", "leader"), [(0.0, 0), (3.0, 1)])
def test_equation_11_the_gain_multiplies_the_estimate_alone(offset, leader):
    """The second step at the same theta: raw and blended gradient agree, I = 1.5 / pi * arctan(2 pi).

    g = 0.25 (1 + I) (2, -2) + 0.75 (2, 0), plus 0.25 (1 + I) (2, -2) or 0.75 (2, 0), whichever leads.
    """
    scene = Scene(offset=offset, magnitude=1.5, capacity=2)
    scene.backward()
    scene.theta.grad = None
    report = scene.backward()
    gain = 1 + 1.5 / math.pi * math.atan(2 * math.pi)
    parts = [LAMBDA[0] * gain * ESTIMATE, LAMBDA[1] * EXACT]
    assert report.gains == pytest.approx((gain, 1.0))
    assert report.cosines[0] == pytest.approx(1.0)
    assert report.cosines[1] is None
    assert report.i_max == leader
    assert grad_of(scene.theta) == pytest.approx(parts[leader] + SIGMA * (parts[0] + parts[1]))


def test_equation_12_the_update():
    """theta - a times the gradient of equation 11: (1, 2) - 0.5 (0.7, -0.55) = (0.65, 2.275)."""
    scene = Scene(offset=0.0)
    optimizer = torch.optim.SGD([scene.theta], lr=RATE)
    scene.backward()
    optimizer.step()
    assert scene.theta.tolist() == pytest.approx([0.65, 2.275])


def test_equation_12_in_minimize():
    """The same step: only its direction is drawn, along (1, 1) or (1, -1), with slopes 4 or 2.

    Along (1, 1) the estimate is (4, 4): 0.35 * 4 + 0.075 * 2 = 1.55 and 1.4, so (1, 2) - 0.5 (1.55, 1.4).
    """
    result = zo.minimize(
        [lambda x: float(3 * x[0] + x[1]), zo.WhiteBox(lambda x: float(x[0] ** 2), grad=lambda x: [2 * x[0], 0.0])],
        [1.0, 2.0],
        lr=RATE,
        scalarizer=zo.AugmentedTchebycheff(weights=LAMBDA, ideal=[0.0, 0.0], margin=0.01, augmentation=SIGMA),
        estimator=zo.SPSA(radius=0.5),
        max_steps=1,
    )
    assert result.x.tolist() in (pytest.approx([0.65, 2.275]), pytest.approx([0.225, 1.3]))


def test_equation_3_both_losses_are_taken_at_the_same_theta():
    """x1 + x2 is 3 at theta = (1, 2) for both, though the black box was moved to its probes in between."""
    theta = torch.tensor([1.0, 2.0], requires_grad=True)
    objectives = [
        zo.BlackBox(lambda: float(theta.sum()), estimator=zo.SPSA(radius=0.5)),
        zo.WhiteBox(lambda: torch.sum(theta)),
        zo.BlackBox(lambda: float(theta.sum()), estimator=zo.SPSA(radius=0.25, seed=1)),
    ]
    report = zo.backward(objectives, zo.WeightedSum(weights=[1.0, 1.0, 1.0]), theta)
    assert report.losses == pytest.approx((3.0, 3.0, 3.0))


def test_equation_11_with_two_black_boxes_and_a_weighted_sum():
    """Both estimates are (2, -2) and (4, -4): 0.5 * (2, -2) + 0.25 * (4, -4) = (2, -2)."""
    scene, theta = Scene(offset=0.0), torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    boxes = [
        zo.BlackBox(
            lambda factor=factor: factor * float(3 * theta[0] + theta[1]),
            estimator=zo.SPSA(radius=0.5, directions=scene.black.estimator.directions),  # type: ignore[attr-defined]
        )
        for factor in (1.0, 2.0)
    ]
    zo.backward(boxes, zo.WeightedSum(weights=[0.5, 0.25]), theta)
    assert grad_of(theta) == pytest.approx([2.0, -2.0])
