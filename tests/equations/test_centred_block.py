"""The centred block: one query a direction, the mean in the place of the loss at theta."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

import zoopt_mo as zo

SLOPE = torch.tensor([3.0, -1.0], dtype=torch.float64)


def signs_of(*rows: list[float]) -> zo.sampling.DirectionSource:
    """A source that gives these directions in turn."""
    directions = [zo.DenseDirection(torch.tensor(row, dtype=torch.float64)) for row in rows]

    def source(size: int, seed: int, number: int) -> zo.Direction:
        return directions[number % len(directions)]

    return source


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def estimate_of(loss, estimator, size=2):
    return estimator.tell([loss(dense(probe)) for probe in estimator.ask(size)])


def test_a_block_of_three_by_hand():
    """c = 0.5, losses 5, 2, 2 with mean 3: slopes 3/2 * (2, -1, -1) / 0.5 = 6, -3, -3; a third of their sum."""
    source = signs_of([1.0, -1.0], [1.0, 1.0], [-1.0, 1.0])
    estimator = zo.CentredBlock(radius=0.5, num_probes=3, directions=source)
    assert [dense(probe).tolist() for probe in estimator.ask(2)] == [[0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]
    estimate = estimator.tell([5.0, 2.0, 2.0])
    assert dense(estimate.gradient).tolist() == pytest.approx([2.0 - 1.0 + 1.0, -2.0 - 1.0 - 1.0])
    assert (estimate.value, estimate.num_directions) == (3.0, 3)


@pytest.mark.parametrize("num_probes", [2, 3])
@pytest.mark.parametrize("cross", [0.0, 5.0], ids=["linear", "crossed"])
def test_the_mean_over_all_blocks_of_signs_is_the_gradient(num_probes, cross):
    """Every block of independent signs counted once; a term x y of the loss, flat at theta, adds nothing."""
    blocks = list(itertools.product(itertools.product([1.0, -1.0], repeat=2), repeat=num_probes))
    total = torch.zeros(2, dtype=torch.float64)
    for block in blocks:
        estimator = zo.CentredBlock(radius=0.5, num_probes=num_probes, directions=signs_of(*map(list, block)))
        total += dense(estimate_of(lambda x: float(SLOPE @ x + cross * x[0] * x[1]), estimator).gradient)
    torch.testing.assert_close(total / len(blocks), SLOPE)


def test_a_diagonal_curvature_is_removed_with_the_mean_and_a_crossed_one_is_not():
    block = signs_of([1.0, 1.0], [1.0, -1.0], [-1.0, 1.0])

    def gradient(diagonal: float, crossed: float) -> Tensor:
        def loss(x: Tensor) -> float:
            return float(SLOPE @ x + diagonal * (x[0] ** 2 + 4 * x[1] ** 2) + crossed * x[0] * x[1])

        return dense(estimate_of(loss, zo.CentredBlock(radius=0.5, num_probes=3, directions=block)).gradient)

    torch.testing.assert_close(gradient(diagonal=7.0, crossed=0.0), gradient(0.0, 0.0))
    assert not torch.allclose(gradient(diagonal=0.0, crossed=7.0), gradient(0.0, 0.0))


def test_the_value_is_above_the_loss_by_half_the_trace_of_the_curvature():
    """L = 3 x^2 + y^2 at 0: tr H = 8, and c^2 tr H / 2 = 0.25 * 4 = 1."""
    estimate = estimate_of(lambda x: float(3 * x[0] ** 2 + x[1] ** 2), zo.CentredBlock(radius=0.5, num_probes=4))
    assert estimate.value == pytest.approx(1.0)


def test_a_sign_that_is_the_same_in_the_whole_block_is_never_seen():
    """The slope of x alone, probed at +x in both directions: equal losses, and nothing is left of them."""
    blind = zo.CentredBlock(radius=0.5, num_probes=2, directions=signs_of([1.0, 1.0], [1.0, -1.0]))
    assert dense(estimate_of(lambda x: float(x[0]), blind).gradient).tolist() == [0.0, 0.0]


def test_orthogonal_rows_see_every_parameter():
    """Without row signs column 0 would keep its sign in a whole cycle of 8, and entry 0 be zero."""
    slope = torch.linspace(1.0, 2.0, 8, dtype=torch.float64)
    estimator = zo.CentredBlock(radius=0.5, num_probes=8)
    sample = torch.stack(
        [dense(estimate_of(lambda x: float(slope @ x), estimator, size=8).gradient) for _ in range(200)]
    )
    error = (sample.mean(dim=0) - slope).abs()
    assert (error <= 5 * sample.std(dim=0) / np.sqrt(200)).all()
    assert (sample.mean(dim=0) > 0.5).all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"radius": 0.0}, ValueError, r"^`radius` must be positive, got 0\.0\.$"),
        ({"num_probes": 1}, ValueError, r"^`num_probes` must be at least 2, got 1\.$"),
        ({"num_probes": 4.0}, TypeError, r"^`num_probes` must be a whole number, got 4\.0\.$"),
        (
            {"directions": zo.segmented_uniform},
            ValueError,
            r"^`directions` must have entries of mean square 1, got segmented_uniform",
        ),
    ],
)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        zo.CentredBlock(**{"radius": 0.1, **options})
