"""Equations 2 and 7: the two-sided difference, divided entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zoopt_mo as zo

SIGNS = [1.0, -1.0, -1.0, 1.0]


def fixed_signs(size: int, seed: int, number: int) -> zo.SignDirection:
    """+1, -1, -1, +1: the bits 1001."""
    return zo.SignDirection(np.array([0b1001], dtype=np.uint64), size)


def fixed_uniform(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection(torch.tensor([0.5, -1.0, 0.75, -0.625]))


def dense(combination: zo.Combination) -> list[float]:
    return combination.dense(dtype=torch.float64).tolist()


def test_equation_2_with_signs():
    """L+ = 5, L- = 2, c = 0.25: (5 - 2) / (2 * 0.25) = 6, and 6 / (+-1) = +-6."""
    estimator = zo.SPSA(radius=0.25, directions=fixed_signs)
    plus, minus = estimator.ask(4)
    assert dense(plus) == [0.25 * sign for sign in SIGNS]
    assert dense(minus) == [-0.25 * sign for sign in SIGNS]
    estimate = estimator.tell([5.0, 2.0])
    assert dense(estimate.gradient) == [6.0 * sign for sign in SIGNS]


def test_equation_2_divides_by_each_entry():
    """L+ = 5, L- = 2, c = 0.25: 6 / (0.5, -1, 0.75, -0.625) = (12, -6, 8, -9.6)."""
    estimator = zo.SPSA(radius=0.25, directions=fixed_uniform)
    plus, minus = estimator.ask(4)
    assert dense(plus) == [0.125, -0.25, 0.1875, -0.15625]
    assert dense(minus) == [-0.125, 0.25, -0.1875, 0.15625]
    assert dense(estimator.tell([5.0, 2.0]).gradient) == pytest.approx([12.0, -6.0, 8.0, -9.6], rel=1e-6)


def test_the_free_value_at_theta():
    """(5 + 2) / 2 = 3.5, without a third query."""
    estimator = zo.SPSA(radius=0.25, directions=fixed_signs)
    estimator.ask(4)
    estimate = estimator.tell([5.0, 2.0])
    assert (estimate.value, estimate.gain, estimate.cosine) == (3.5, 1.0, None)


def test_pairs_are_averaged():
    """Slopes (5 - 2) / 0.5 = 6 and (1 - 3) / 0.5 = -4 along the same signs: (6 - 4) / 2 = 1; value 11 / 4."""
    estimator = zo.SPSA(radius=0.25, num_pairs=2, directions=fixed_signs)
    assert [dense(probe)[0] for probe in estimator.ask(4)] == [0.25, -0.25, 0.25, -0.25]
    estimate = estimator.tell([5.0, 2.0, 1.0, 3.0])
    assert dense(estimate.gradient) == SIGNS
    assert estimate.value == 2.75


def test_the_radius_of_step_k_is_c_k():
    """c = 1 / (k + 1): with L+ - L- = 3 the slopes are 3 / 2, 3 / 1, 3 / (2 / 3)."""
    estimator = zo.SPSA(radius=lambda step: 1 / (step + 1), directions=fixed_signs)
    slopes = []
    for _ in range(3):
        estimator.ask(4)
        slopes.append(dense(estimator.tell([4.0, 1.0]).gradient)[0])
    assert slopes == pytest.approx([1.5, 3.0, 4.5])


def test_directions_are_drawn_for_size_seed_and_their_number_in_the_run():
    drawn = []

    def source(size: int, seed: int, number: int) -> zo.SignDirection:
        drawn.append((size, seed, number))
        return zo.rademacher(size, seed, number)

    estimator = zo.SPSA(radius=1.0, num_pairs=2, directions=source, seed=7)
    for _ in range(2):
        estimator.ask(4)
        estimator.tell([0.0] * 4)
    assert drawn == [(4, 7, 0), (4, 7, 1), (4, 7, 2), (4, 7, 3)]


def test_equation_7_on_a_black_box():
    """L = x1 + 2 x2 + 3 x3 + 4 x4, signs (+, -, -, +): slope 1 - 2 - 3 + 4 = 0; with 5 x4 instead it is 1."""
    theta = torch.tensor([1.0, 1.0, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    for last, slope in ((4.0, 0.0), (5.0, 1.0)):
        weights = torch.tensor([1.0, 2.0, 3.0, last], dtype=torch.float64)
        box = zo.BlackBox(lambda w=weights: float(w @ theta), estimator=zo.SPSA(radius=0.5, directions=fixed_signs))
        evaluation = box.evaluate(zo.Parameters(theta))
        assert dense(evaluation.gradient) == pytest.approx([slope * sign for sign in SIGNS])
        assert evaluation.value == pytest.approx(float(weights.sum()))
