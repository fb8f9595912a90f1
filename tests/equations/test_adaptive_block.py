"""A block that is one-sided where the loss allows it: both estimates, and what makes it change sides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import zoopt_mo as zo

ROWS = [[1.0, 2.0], [-1.0, 3.0], [2.0, 0.0], [1.0, 1.0]]


def fixed(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection(torch.tensor(ROWS[number % 4]))


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def block(**options) -> zo.AdaptiveBlock:
    return zo.AdaptiveBlock(**{"radius": 0.5, "num_probes": 4, **options})


def is_in_pairs(displacements: list[zo.Combination]) -> bool:
    """Whether every second probe lies opposite to the one before."""
    points = torch.stack([dense(displacement) for displacement in displacements])
    return torch.equal(points[::2], -points[1::2])


def sides(estimator: zo.AdaptiveBlock, losses: list[list[float]]) -> list[bool]:
    """Which blocks are pairs when told these losses."""
    seen = []
    for row in losses:
        asked = estimator.ask(2)
        seen.append(is_in_pairs(asked))
        estimator.tell(row)
    return seen


def measured_by(estimator: zo.AdaptiveBlock, loss, size: int, steps: int) -> list[bool]:
    seen = []
    for _ in range(steps):
        asked = estimator.ask(size)
        seen.append(is_in_pairs(asked))
        estimator.tell([loss(dense(displacement)) for displacement in asked])
    return seen


# --- the two estimates -----------------------------------------------------------------------------------------------


def test_a_block_of_two_pairs_by_hand():
    """Losses 3, 1 along d1 and 2, 5 along d2, c = 0.5: s = 2, -3 and (2 d1 - 3 d2) / 2 = (2.5, -2.5)."""
    estimator = block(directions=fixed)
    asked = [dense(displacement).tolist() for displacement in estimator.ask(2)]
    assert asked == [[0.5, 1.0], [-0.5, -1.0], [-0.5, 1.5], [0.5, -1.5]]
    estimate = estimator.tell([3.0, 1.0, 2.0, 5.0])
    assert dense(estimate.gradient).tolist() == [2.5, -2.5]
    assert (estimate.value, estimate.num_directions) == (2.75, 2)


def test_a_one_sided_block_by_hand():
    """Losses 1, 2, 3, 6 of mean 3, c = 0.5: s = 4/3 (-4, -2, 0, 6), over 4 with d1 .. d4: (4, -8) / 3."""
    estimator = block(directions=fixed, warmup=0, interval=2)
    estimator.ask(2)
    estimator.tell([9.0, 0.0, 9.0, 0.0])  # every second block is pairs, and their even part is 4.5 in both directions
    asked = [dense(displacement).tolist() for displacement in estimator.ask(2)]
    assert asked == [[1.0, 0.0], [0.5, 0.5], [0.5, 1.0], [-0.5, 1.5]]  # d3, d4, d1, d2
    estimate = estimator.tell([3.0, 6.0, 1.0, 2.0])
    expected = np.array([-4, -2, 0, 6]) @ np.array(ROWS) / 3
    assert dense(estimate.gradient).tolist() == pytest.approx(expected.tolist())
    assert (estimate.value, estimate.num_directions) == (3.0, 4)


def test_a_one_sided_block_is_a_centred_block_along_the_same_directions():
    one = block(warmup=0, interval=4)
    for losses in ([1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0], [0.3, -1.0, 2.0, 0.7]):
        asked = one.ask(2)
        estimate = one.tell(losses)
    directions = [displacement.terms[0][1] for displacement in asked]
    same = zo.CentredBlock(radius=0.5, num_probes=4, directions=lambda _size, _seed, number: directions[number])
    same.ask(2)
    expected = same.tell(losses)
    assert torch.equal(dense(estimate.gradient), dense(expected.gradient))
    assert (estimate.value, estimate.num_directions) == (expected.value, 4)


# --- how many probes -------------------------------------------------------------------------------------------------


def test_the_number_of_probes_doubles_every_two_blocks_up_to_that_of_a_full_one():
    estimator = zo.AdaptiveBlock(radius=0.1, num_probes=20)
    counts = []
    for _ in range(8):
        counts.append(len(estimator.ask(100)))
        estimator.tell(np.zeros(counts[-1]))
    assert counts == [4, 4, 8, 8, 16, 16, 20, 20]


@pytest.mark.parametrize(("size", "expected"), [(1, 4), (4, 4), (5, 6), (6, 6), (16, 16), (99, 16)])
def test_a_block_has_no_more_probes_than_there_are_parameters_but_at_least_two_pairs(size, expected):
    assert len(zo.AdaptiveBlock(radius=0.1, start_probes=16).ask(size)) == expected


# --- when it is in pairs ---------------------------------------------------------------------------------------------


def test_on_a_linear_loss_blocks_are_pairs_in_the_warmup_and_at_every_interval():
    pairs = measured_by(block(warmup=3, interval=5), lambda x: float(x @ torch.arange(8.0).double()), 8, 16)
    assert [step for step, value in enumerate(pairs) if value] == [0, 1, 2, 5, 10, 15]


def test_curvature_off_the_diagonal_makes_every_block_pairs():
    """x1 x2: along signs it is +1 or -1 at random. Without interval nobody would notice, two being equal by chance."""
    pairs = measured_by(block(warmup=5, num_probes=8), lambda x: float(x[0] * x[1] + 0.1 * x[2]), 8, 30)
    assert all(pairs)


def test_curvature_on_the_diagonal_alone_is_the_same_in_every_direction_of_signs():
    """sum h x^2 is c^2 sum h along every sign direction: an even part without spread."""
    bowl = torch.tensor([1.0, 10.0, 3.0, 0.2], dtype=torch.float64)
    pairs = measured_by(block(warmup=1, interval=100), lambda x: float((bowl * (x - 1) ** 2).sum()), 4, 12)
    assert pairs == [True] + [False] * 11


def test_noise_makes_every_block_pairs():
    noise = np.random.default_rng(0)
    estimator = block(warmup=1, interval=100, num_probes=8)
    pairs = measured_by(estimator, lambda x: float(0.01 * x.sum() + noise.normal()), 8, 30)
    assert np.mean(pairs) > 0.9


@pytest.mark.parametrize(("threshold", "expected"), [(0.26, True), (0.27, False)])
def test_the_threshold_is_on_the_ratio_of_the_two_variances(threshold, expected):
    """Pairs (6, 2), (5, -1): even parts 4, 2 of variance 2; odd parts 2, 3 of mean square 6.5. Pairs (9, 1), (4, 2):
    even parts 5, 3 of variance 2; odd parts 4, 1 of mean square 8.5. Means 2 and 7.5, a ratio of 0.267."""
    losses = [[6.0, 2.0, 5.0, -1.0], [9.0, 1.0, 4.0, 2.0], [0.0] * 4]
    assert sides(block(warmup=2, interval=100, threshold=threshold), losses) == [True, True, expected]


def test_the_newest_block_weighs_at_least_two_fifths():
    """Weights 1, 1/2, then 0.4: odd parts of mean square 4, 16, 0 leave 0.6 * 10 = 6; even parts of variance 0, 0, 8
    leave 0.4 * 8 = 3.2, a ratio of 0.533."""
    losses = [[2.0, -2.0, 2.0, -2.0], [4.0, -4.0, 4.0, -4.0], [2.0, 2.0, 6.0, 6.0], [0.0] * 4]
    assert sides(block(warmup=3, interval=100, threshold=0.53), losses)[3]
    assert not sides(block(warmup=3, interval=100, threshold=0.54), losses)[3]


# --- the step --------------------------------------------------------------------------------------------------------


def test_the_radius_of_the_step_sets_probes_and_slopes():
    estimator = block(radius=lambda step: 1.0 / (step + 1))
    for step, expected in ((0, 1.0), (1, 0.5)):
        asked = estimator.ask(4)
        assert dense(asked[0]).abs().tolist() == [expected] * 4, step
        estimate = estimator.tell([2.0, 0.0, 0.0, 0.0])
        assert dense(estimate.gradient).abs().tolist() == [0.5 / expected] * 4


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"num_probes": 2}, ValueError, r"^`num_probes` must be at least 4, got 2\.$"),
        ({"num_probes": 7}, ValueError, r"^`num_probes` must be even, got 7\.$"),
        ({"start_probes": 5}, ValueError, r"^`start_probes` must be even, got 5\.$"),
        ({"start_probes": 4.0}, TypeError, r"^`start_probes` must be a whole number, got 4\.0\.$"),
        ({"threshold": 0.0}, ValueError, r"^`threshold` must be positive, got 0\.0\.$"),
        ({"warmup": -1}, ValueError, r"^`warmup` must be at least 0, got -1\.$"),
        ({"interval": 0}, ValueError, r"^`interval` must be at least 1, got 0\.$"),
        ({"radius": -1.0}, ValueError, r"^`radius` must be positive, got -1\.0\.$"),
    ],
)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        block(**options)
