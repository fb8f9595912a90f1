"""What is left of a step in which queries failed, by hand: NaN is the loss of a query that failed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import zoopt_mo as zo
from zoopt_mo.estimators import NothingMeasured

FAILED = math.nan
ROWS = [[1.0, 2.0], [-1.0, 3.0], [2.0, 0.0], [1.0, 1.0]]


def fixed(size: int, seed: int, number: int) -> zo.DenseDirection:
    """d1 to d4, again and again."""
    return zo.DenseDirection(torch.tensor(ROWS[number % 4]))


def ones(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection(torch.ones(size))


def vector(entries) -> zo.Combination:
    return zo.Combination([(1.0, zo.DenseDirection(torch.as_tensor(entries, dtype=torch.float64)))])


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def told(estimator: zo.Estimator, losses: list[float], *, size: int = 2) -> tuple[list[float], float, int]:
    """Gradient, value and number of directions."""
    estimator.ask(size)
    estimate = estimator.tell(losses)
    return dense(estimate.gradient).tolist(), estimate.value, estimate.num_directions


def lose(estimator: zo.Estimator, losses: list[float], *, left: int, of: int) -> None:
    estimator.ask(2)
    words = rf"^Too many queries of the step failed to tell a slope: {left} left of {of}\.$"
    with pytest.raises(NothingMeasured, match=words):
        estimator.tell(losses)


# --- pairs and blocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("losses", [[5.0, 2.0, FAILED, 3.0], [5.0, 2.0, 9.0, FAILED], [5.0, 2.0, FAILED, FAILED]])
def test_a_pair_of_spsa_with_a_failed_side_is_left_out(losses):
    """(5 - 2) / (2 * 0.25) = 6, over (1, 2); value 3.5."""
    assert told(zo.SPSA(radius=0.25, num_pairs=2, directions=fixed), losses) == ([6.0, 3.0], 3.5, 1)


def test_two_pairs_of_three_are_averaged():
    """Slopes 6 along d1 and -4 along d3: (6 d1 - 4 d3) / 2 = (-1, 6), value 11 / 4."""
    estimator = zo.RGE(radius=0.25, num_directions=3, directions=fixed)
    assert told(estimator, [5.0, 2.0, FAILED, 7.0, 1.0, 3.0]) == ([-1.0, 6.0], 2.75, 2)


def test_one_sided_a_failed_probe_is_left_out():
    """2 at theta, 3 at c = 0.25 along d2: slope 4."""
    estimator = zo.RGE(radius=0.25, num_directions=2, directions=fixed, sides=1)
    assert told(estimator, [2.0, FAILED, 3.0]) == ([-4.0, 12.0], 2.0, 1)


def test_one_sided_nothing_is_known_without_the_loss_at_theta():
    lose(zo.RGE(radius=0.25, num_directions=2, directions=fixed, sides=1), [FAILED, 5.0, 3.0], left=0, of=2)


def test_a_centred_block_is_of_the_probes_left():
    """Losses 5, 2 along d1, d3, mean 3.5: 2/1 (1.5, -1.5) / 0.5 = (6, -6), and (6 d1 - 6 d3) / 2 = (-3, 6)."""
    estimator = zo.CentredBlock(radius=0.5, num_probes=3, directions=fixed)
    assert told(estimator, [5.0, FAILED, 2.0]) == ([-3.0, 6.0], 3.5, 2)


def test_a_centred_block_of_one_says_nothing():
    lose(zo.CentredBlock(radius=0.5, num_probes=3, directions=fixed), [5.0, FAILED, FAILED], left=1, of=3)


def test_an_adaptive_block_in_pairs():
    """Losses 3, 1 along d1, c = 0.5: 2 d1."""
    estimator = zo.AdaptiveBlock(radius=0.5, num_probes=4, directions=fixed)
    assert told(estimator, [3.0, 1.0, FAILED, 5.0]) == ([2.0, 4.0], 2.0, 1)


def test_an_adaptive_block_on_one_side():
    """Losses 1, 3, 6 along d1, d3, d4, mean 10/3: s = 3/2 (-7, -1, 8) / 3 / 0.5 = (-7, -1, 8), over 3: (-1/3, -2).

    The first block is of pairs along d1 and d2 and moves the source on: the second one has d3, d4, d1, d2.
    """
    estimator = zo.AdaptiveBlock(radius=0.5, num_probes=4, warmup=0, interval=2, directions=fixed)
    told(estimator, [9.0, 0.0, 9.0, 0.0])
    gradient, value, count = told(estimator, [3.0, 6.0, 1.0, FAILED])
    assert gradient == pytest.approx([-1 / 3, -2.0])
    assert value == pytest.approx(10 / 3)
    assert count == 3


def test_an_adaptive_block_measures_in_pairs_until_two_pairs_say_how_losses_spread():
    estimator = zo.AdaptiveBlock(radius=0.5, num_probes=4, warmup=0, interval=100, directions=zo.hadamard)
    sides = []
    for losses in ([9.0, 0.0, FAILED, 0.0], [FAILED] * 4, [9.0, 0.0, 9.0, 0.0], [1.0, 2.0, 3.0, 4.0]):
        asked = [dense(displacement) for displacement in estimator.ask(8)]
        sides.append(torch.equal(asked[0], -asked[1]))
        if not all(map(math.isnan, losses)):
            estimator.tell(losses)
        else:
            with pytest.raises(NothingMeasured, match=r"0 left of 2"):
                estimator.tell(losses)
    assert sides == [True, True, True, False]


def test_an_evolution_strategy_ranks_the_population_left():
    """9 and 1 along d1 of a population of two: u = 1/2 and -1/2, so d1 / (2 * 0.5); raw: 8 d1."""
    losses = [9.0, 1.0, FAILED, 10.0]
    ranks = zo.EvolutionStrategy(radius=0.5, population=4, directions=fixed)
    raw = zo.EvolutionStrategy(radius=0.5, population=4, directions=fixed, shaping="raw")
    assert told(ranks, losses) == ([1.0, 2.0], 5.0, 1)
    assert told(raw, losses) == ([8.0, 16.0], 5.0, 1)


# --- wrappers --------------------------------------------------------------------------------------------------------


def test_clip_takes_the_median_of_what_is_read():
    """Twelve deviations of 1; 0 and 8 are drawn to 4 +- 2.5, whatever stands beside the failed query."""
    estimator = zo.Clip(zo.SPSA(radius=0.5, num_pairs=2, directions=ones))
    for _ in range(3):
        told(estimator, [-1.0, 1.0, -1.0, 1.0])
    assert told(estimator, [0.0, 8.0, 100.0, FAILED]) == ([-5.0, -5.0], 4.0, 1)


@pytest.mark.parametrize("lost", [[3.0, FAILED], [FAILED, FAILED]])
def test_lost_steps_do_not_narrow_the_limit_of_clip(lost):
    estimator = zo.Clip(zo.CentredBlock(radius=0.5, num_probes=2, directions=fixed))
    for _ in range(5):
        told(estimator, [-1.0, 1.0])
    for _ in range(31):
        lose(estimator, lost, left=2 - sum(map(math.isnan, lost)), of=2)
    assert told(estimator, [0.0, 8.0]) == ([-10.0, 5.0], 4.0, 2)  # -5 d1 + 5 d2


def test_a_control_variate_regresses_on_what_is_read():
    """h = (3, 1), d1 = (1, 2), h.d = 5, losses 9 and -1, so s = 5: kappa = 1, nothing is left, the gradient is h."""
    estimator = zo.ControlVariate(zo.SPSA(radius=1.0, num_pairs=2, directions=fixed))
    estimator.ask(2)
    estimate = estimator.tell([9.0, -1.0, -12.0, FAILED], exact=[vector([3.0, 1.0])])
    assert dense(estimate.gradient).tolist() == pytest.approx([3.0, 1.0])
    assert estimate.value == pytest.approx(4.0)


def test_curvature_and_queries_are_those_of_the_pairs_left():
    """Losses 5, 2 and 3 at the centre, c = 0.5: t = 4, and the gain of one pair is 0.3 * 2 / 4."""
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, num_pairs=2, directions=ones), factor=0.3)
    estimator.ask(2)
    assert estimator.tell([5.0, 2.0, FAILED, 70.0, 3.0]).gain == pytest.approx(0.15)


def test_until_a_curvature_is_known_it_is_asked_for_and_no_step_is_taken():
    """With a warmup of one step the second would do without the centre."""
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, directions=ones), factor=0.3, warmup=1, check_every=100)
    counts, gains = [], []
    for losses in ([5.0, 2.0, FAILED], [5.0, 2.0, FAILED], [5.0, 2.0, 3.0], [5.0, 2.0]):
        counts.append(len(estimator.ask(2)))
        gains.append(estimator.tell(losses).gain)
    assert counts == [3, 3, 3, 2]
    assert gains == pytest.approx([0.0, 0.0, 0.15, 0.15])


@pytest.mark.parametrize("losses", [[3.0, 1.0, FAILED, 0.0], [3.0, 1.0, 9.0, FAILED]])
def test_a_check_with_a_failed_side_judges_nothing(losses):
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, directions=ones), warmup=1, check_every=1)
    estimator.ask(1)
    first = estimator.tell([3.0, 1.0, 1.0])
    estimator.ask(1)
    assert estimator.tell(losses).gain == first.gain


def test_a_check_expects_what_the_pairs_left_say():
    """Expected of a pair of 3 and 1: 2 sqrt(1) times sqrt(2). A climb of sqrt(2) is half of it."""
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, num_pairs=2, directions=ones), warmup=1, check_every=1)
    estimator.ask(1)
    first = estimator.tell([3.0, 1.0, FAILED, 1.0, 1.0])
    estimator.ask(1)
    shrunk = estimator.tell([3.0, 1.0, FAILED, 70.0, math.sqrt(2), 0.0])
    assert shrunk.gain / first.gain == pytest.approx(math.exp(-zo.TuningFree.SHRINK / 2))


@pytest.mark.parametrize(
    ("failed", "weight", "gradient"),
    [
        (0, None, [0.0, 4.0, 4.0, 4.0]),  # the rest alone
        (1, 1.0, [0.0, 4.0, 4.0, 4.0]),
        (2, None, [12.0, 0.0, 0.0, 0.0]),  # the guess alone counts in full: w = p
        (3, 1.0, [3.0, 0.0, 0.0, 0.0]),
    ],
)
def test_a_guess_and_the_rest_stand_in_for_each_other(failed, weight, gradient):
    """Slopes (3, 1, -2, 5) and u = (2, 0, 0, 0): the pair gives w / 4 * 6 u, the rest (0, 4, 4, 4)."""
    slopes = torch.tensor([3.0, 1.0, -2.0, 5.0], dtype=torch.float64)
    estimator = zo.PriorGuided(zo.SPSA(radius=0.5, directions=ones), radius=0.25, weight=weight)
    losses = [1 + float(slopes @ dense(probe)) for probe in estimator.ask(4, prior=vector([7.0, 0.0, 0.0, 0.0]))]
    losses[failed] = FAILED
    estimate = estimator.tell(losses)
    assert dense(estimate.gradient).tolist() == pytest.approx(gradient)
    assert estimate.value == pytest.approx(1.0)
    assert estimate.num_directions == 1


def test_without_the_guess_and_the_rest_nothing_is_known():
    estimator = zo.PriorGuided(zo.SPSA(radius=0.5, directions=ones), radius=0.25)
    estimator.ask(4, prior=vector([7.0, 0.0, 0.0, 0.0]))
    with pytest.raises(NothingMeasured, match=r"0 left of 1"):
        estimator.tell([1.0, FAILED, FAILED, 1.0])


def test_momentum_waits_through_a_lost_step():
    """A slope of 4, a lost step, a slope of -1: (0.5 * 4 - 1) / 1.5, as if nothing had been between."""
    estimator = zo.Momentum(zo.SPSA(radius=0.5, directions=ones), decay=0.5)
    told(estimator, [4.0, 0.0])
    lose(estimator, [FAILED, 9.0], left=0, of=1)
    gradient, _, _ = told(estimator, [0.0, 1.0])
    assert gradient == pytest.approx([2 / 3, 2 / 3])
