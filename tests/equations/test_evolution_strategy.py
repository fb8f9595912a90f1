"""OpenAI-ES: centred ranks of a mirrored population."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import zoopt_mo as zo

ROWS = [[1.0, 2.0], [-1.0, 3.0]]


def fixed(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection(torch.tensor(ROWS[number % 2]))


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def told(losses, **options) -> Tensor:
    """The gradient from these losses of one population."""
    estimator = zo.EvolutionStrategy(radius=0.5, population=len(losses), **options)
    estimator.ask(2)
    return dense(estimator.tell(losses).gradient)


def centred_ranks(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """As in the paper's own program: places in the sorted order, scaled to -1/2 ... 1/2."""
    ranks = np.empty(len(losses))
    ranks[losses.argsort()] = np.arange(len(losses))
    return ranks / (len(losses) - 1) - 0.5


def test_a_population_of_four_by_hand():
    """Losses 9, 1 along d1 and 2, 3 along d2: u = 1/2, -1/2, -1/6, 1/6, so (d1 - d2 / 3) / (4 * 0.5)."""
    estimator = zo.EvolutionStrategy(radius=0.5, population=4, directions=fixed)
    assert [dense(probe).tolist() for probe in estimator.ask(2)] == [[0.5, 1.0], [-0.5, -1.0], [-0.5, 1.5], [0.5, -1.5]]
    estimate = estimator.tell([9.0, 1.0, 2.0, 3.0])
    assert dense(estimate.gradient).tolist() == pytest.approx([0.5 + 1 / 6, 1.0 - 0.5])
    assert (estimate.value, estimate.num_directions) == (3.75, 2)


def test_raw_losses_by_hand():
    """(9 - 1) d1 + (2 - 3) d2, over 4 * 0.5: 4 d1 - d2 / 2 = (4.5, 6.5)."""
    assert told([9.0, 1.0, 2.0, 3.0], shaping="raw", directions=fixed).tolist() == [4.5, 6.5]


def test_equal_losses_share_their_rank():
    """2, 1, 1, 0 have ranks 3, 1.5, 1.5, 0: u = 1/2, 0, 0, -1/2, so (d1 / 2 + d2 / 2) / 2."""
    assert told([2.0, 1.0, 1.0, 0.0], directions=fixed).tolist() == pytest.approx([0.0, 1.25])


def test_on_a_plateau_the_estimate_is_zero():
    assert told([7.0] * 6).tolist() == [0.0, 0.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6, unique=True))
def test_it_is_the_sum_of_the_papers_ranks_times_the_noise(losses):
    estimator = zo.EvolutionStrategy(radius=0.5, population=6, seed=4)
    noise = torch.stack([dense(probe) for probe in estimator.ask(3)]) / 0.5
    ranks = torch.from_numpy(centred_ranks(np.array(losses)))
    torch.testing.assert_close(dense(estimator.tell(losses).gradient), ranks @ noise / (6 * 0.5))


def test_an_increasing_map_of_the_loss_changes_nothing():
    losses = [0.3, -1.2, 2.0, 0.1, 5.0, -0.4]
    assert torch.equal(told([math.exp(3 * loss) for loss in losses]), told(losses))
    assert not torch.equal(told([-loss for loss in losses]), told(losses))


def test_raw_losses_give_random_gradient_estimation_bit_for_bit():
    one = zo.EvolutionStrategy(radius=0.3, population=6, shaping="raw", seed=2)
    other = zo.RGE(radius=0.3, num_directions=3, seed=2)
    numbers = np.random.default_rng(1)
    for _ in range(5):
        assert [dense(probe).tolist() for probe in one.ask(4)] == [dense(probe).tolist() for probe in other.ask(4)]
        losses = numbers.normal(size=6)
        assert torch.equal(dense(one.tell(losses).gradient), dense(other.tell(losses).gradient))


def test_steps_against_it_go_down():
    """A wrong sign would climb: from (3, 3) on a bowl around (1, 1), as far as ranks with a shrinking step come."""
    lr = zo.SpallGains(lr=0.5, radius=0.1).lr_at
    estimator = zo.EvolutionStrategy(radius=0.1, population=8)
    result = zo.minimize(lambda x: float(((x - 1) ** 2).sum()), [3.0, 3.0], lr=lr, estimator=estimator, budget=1601)
    assert result.fun < 0.01


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"population": 0}, ValueError, r"^`population` must be at least 2, got 0\.$"),
        ({"population": 5}, ValueError, r"^`population` must be even, for mirrored pairs, got 5\.$"),
        ({"population": 4.0}, TypeError, r"^`population` must be a whole number, got 4\.0\.$"),
        ({"shaping": "log"}, ValueError, r"^`shaping` must be 'ranks' or 'raw', got 'log'\.$"),
        (
            {"directions": zo.segmented_uniform},
            ValueError,
            r"^`directions` must have entries of mean square 1, got segmented_uniform",
        ),
    ],
)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        zo.EvolutionStrategy(**{"radius": 0.1, **options})
