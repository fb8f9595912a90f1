"""The step from curvature: traces, gains, the check of the last step, and what all of it costs, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import zoopt_mo as zo

CURVATURES = torch.tensor([1.0, 4.0, 0.5, 2.5], dtype=torch.float64)  # of trace 8


FACTOR = zo.TuningFree(zo.SPSA(radius=0.1)).factor


def dense(combination: zo.Combination) -> Tensor:
    return combination.dense(dtype=torch.float64)


def ones(size: int, seed: int, number: int) -> zo.DenseDirection:
    return zo.DenseDirection(torch.ones(size))


def quadratic(x: Tensor) -> float:
    return float(0.5 * (CURVATURES * x**2).sum() + 3 * x.sum())


def step(estimator: zo.Estimator, loss, size: int = 4) -> zo.Estimate:
    return estimator.tell([loss(dense(displacement)) for displacement in estimator.ask(size)])


def gains(estimator: zo.Estimator, loss, steps: int, size: int = 4) -> list[float]:
    return [step(estimator, loss, size).gain for _ in range(steps)]


def counts(estimator: zo.Estimator, steps: int) -> list[int]:
    found = []
    for number in range(steps):
        found.append(len(estimator.ask(8)))
        estimator.tell(np.arange(found[-1], dtype=float) + number)
    return found


# --- curvature and gain ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [1.0, 0.01])
def test_along_signs_the_trace_of_a_diagonal_hessian_is_exact(radius):
    """One pair: gain rho * 2 / 8."""
    assert step(zo.TuningFree(zo.SPSA(radius=radius)), quadratic).gain == pytest.approx(FACTOR * 2 / 8)


def test_the_gain_grows_with_the_number_of_queries_and_the_factor():
    """Three pairs: 0.2 * 6 / 8; a one-sided block of four: 0.3 * 4 / 8."""
    assert step(zo.TuningFree(zo.SPSA(radius=0.1, num_pairs=3), factor=0.2), quadratic).gain == pytest.approx(0.15)
    assert step(zo.TuningFree(zo.CentredBlock(radius=0.1, num_probes=4), factor=0.3), quadratic).gain == pytest.approx(
        0.15
    )


def test_a_pair_by_hand():
    """Losses 5, 2 and 3 at the centre, c = 0.5: t = (5 + 2 - 6) / 0.25 = 4, gain 0.3 * 2 / 4; the gradient is left."""
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, directions=ones), factor=0.3)
    asked = [dense(displacement).tolist() for displacement in estimator.ask(2)]
    assert asked == [[0.5, 0.5], [-0.5, -0.5], [0.0, 0.0]]
    estimate = estimator.tell([5.0, 2.0, 3.0])
    assert estimate.gain == pytest.approx(0.15)
    assert dense(estimate.gradient).tolist() == [3.0, 3.0]
    assert estimate.value == 3.5  # the wrapped estimator's


def test_a_block_without_pairs_has_its_first_probe_reflected():
    """Losses 5, 1 of two probes, centre 3, reflection 2: t = (5 + 2 - 6) / 0.25 = 4."""
    estimator = zo.TuningFree(zo.CentredBlock(radius=0.5, num_probes=2))
    asked = torch.stack([dense(displacement) for displacement in estimator.ask(2)])
    assert torch.equal(asked[2], torch.zeros(2).double())
    assert torch.equal(asked[3], -asked[0])
    assert estimator.tell([5.0, 1.0, 3.0, 2.0]).gain == pytest.approx(FACTOR * 2 / 4)


def test_curvatures_of_both_signs_do_not_cancel():
    """Two pairs with centre 0: (1, 1) and (-1, -0.9) have t = 2 and -1.9 over c^2 = 0.25, of mean size 7.8. The step of
    their sum would be forty times as long."""
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, num_pairs=2))
    estimator.ask(2)
    assert estimator.tell([1.0, 1.0, -1.0, -0.9, 0.0]).gain == pytest.approx(FACTOR * 4 / 7.8)


def test_the_curvature_is_a_running_mean_whose_newest_weighs_at_least_a_tenth():
    """Traces 2, 6, ... are averaged evenly over the first ten, then 0.9 to 0.1."""
    estimator = zo.TuningFree(zo.SPSA(radius=1.0, directions=ones), warmup=12, check_every=100)
    found = [FACTOR * 2 / gain for gain in gains_of_traces(estimator, [2.0, 6.0, *[4.0] * 8, 14.0])]
    assert found == pytest.approx([2.0, *[4.0] * 9, 5.0])


def gains_of_traces(estimator: zo.Estimator, traces: list[float]) -> list[float]:
    found = []
    for trace in traces:
        estimator.ask(1)
        found.append(estimator.tell([trace / 2, trace / 2, 0.0]).gain)
    return found


def test_between_measurements_the_gain_stays():
    estimator = zo.TuningFree(zo.SPSA(radius=0.1), warmup=1, measure_every=3, check_every=100)
    scale = iter([1.0, 9.0, 9.0, 3.0])
    found = []
    for _ in range(4):
        factor = next(scale)
        found.append(step(estimator, lambda x, factor=factor: factor * quadratic(x)).gain)
    assert found == pytest.approx([FACTOR / 4, FACTOR / 4, FACTOR / 4, FACTOR / 8])  # the mean of traces 8 and 24


def test_on_a_plateau_there_is_no_step():
    assert gains(zo.TuningFree(zo.SPSA(radius=0.1)), lambda _x: 1.0, 6) == [0.0] * 6


def test_the_gain_multiplies_that_of_the_wrapped_estimator():
    class Doubling(zo.SPSA):
        def _tell(self, losses, exact):
            raw = super()._tell(losses, exact)
            return zo.Estimate(raw.gradient, raw.value, gain=2.0)

    assert step(zo.TuningFree(Doubling(radius=0.1)), quadratic).gain == pytest.approx(2 * FACTOR * 2 / 8)


# --- the check of the last step --------------------------------------------------------------------------------------


def checked(ahead: float, behind: float) -> float:
    """The factor kappa after one check, with losses 3 and 1 of a pair and c = 0.5."""
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, directions=ones), warmup=1, check_every=1)
    estimator.ask(1)
    first = estimator.tell([3.0, 1.0, 1.0])
    asked = [float(dense(displacement)) for displacement in estimator.ask(1)]
    assert asked == [0.5, -0.5, -0.5, 0.5]  # the last step went against the gradient of 2
    return estimator.tell([3.0, 1.0, ahead, behind]).gain / first.gain


def test_a_step_after_which_the_loss_climbs_shrinks_the_next_ones():
    """Expected: 2 sqrt(1) times the deviation sqrt(2) of the losses 3 and 1. A climb of sqrt(2) is half of it."""
    shrunk = math.exp(-zo.TuningFree.SHRINK * 0.5)
    assert checked(ahead=math.sqrt(2), behind=0.0) == pytest.approx(shrunk)


def test_more_directions_make_the_expected_slope_longer_by_their_root():
    """Two pairs of 3 and 1: 2 sqrt(2) times the deviation 2 / sqrt(3). A climb of sqrt(8/3) is half of it."""
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, num_pairs=2, directions=ones), warmup=1, check_every=1)
    estimator.ask(1)
    first = estimator.tell([3.0, 1.0, 3.0, 1.0, 1.0]).gain
    estimator.ask(1)
    half = estimator.tell([3.0, 1.0, 3.0, 1.0, math.sqrt(8 / 3), 0.0]).gain / first
    assert half == pytest.approx(math.exp(-zo.TuningFree.SHRINK / 2))


def test_the_slope_counts_up_to_the_one_expected():
    assert checked(ahead=1000.0, behind=0.0) == pytest.approx(math.exp(-zo.TuningFree.SHRINK))


@pytest.mark.parametrize("behind", [0.0, 1.0, 1000.0])
def test_a_step_after_which_the_loss_still_falls_does_not_lengthen_the_first_step(behind):
    assert checked(ahead=0.0, behind=behind) == 1.0


def test_what_was_shrunk_comes_back():
    estimator = zo.TuningFree(zo.SPSA(radius=0.5, directions=ones), warmup=1, check_every=1)
    estimator.ask(1)
    first = estimator.tell([3.0, 1.0, 1.0]).gain
    found = []
    for ahead, behind in [(1000.0, 0.0), (0.0, math.sqrt(2)), (0.0, 1000.0)]:
        estimator.ask(1)
        found.append(math.log(estimator.tell([3.0, 1.0, ahead, behind]).gain / first) / zo.TuningFree.SHRINK)
    assert found == pytest.approx([-1.0, -0.5, 0.0], abs=1e-12)


def test_the_check_looks_along_the_last_step_as_far_as_a_probe():
    estimator = zo.TuningFree(zo.Momentum(zo.SPSA(radius=0.1)), check_every=1, warmup=1)
    went = -dense(step(estimator, quadratic).gradient)
    ahead, behind = (dense(displacement) for displacement in estimator.ask(4)[-2:])
    torch.testing.assert_close(ahead, 0.1 * 2 * went / went.norm(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(behind, -ahead)


def test_after_a_gradient_of_zero_nothing_is_checked():
    estimator = zo.TuningFree(zo.SPSA(radius=0.1), check_every=1, warmup=1)
    step(estimator, lambda x: float(x @ x))
    assert len(estimator.ask(4)) == 2


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_the_number_of_queries_of_each_step():
    """One more in the first five steps and every tenth, for curvature; two more every fourth, for the check."""
    found = counts(zo.TuningFree(zo.SPSA(radius=0.1), warmup=5, measure_every=10, check_every=4), 22)
    expected = [2 + (k < 5 or k % 10 == 0) + 2 * (k > 0 and k % 4 == 0) for k in range(22)]
    assert found == expected
    assert sum(found) - 44 == 7 + 10


def test_a_one_sided_block_needs_two_more_for_its_curvature():
    found = counts(zo.TuningFree(zo.CentredBlock(radius=0.1, num_probes=4), warmup=2, check_every=3), 7)
    assert found == [6, 6, 4, 6, 4, 4, 6]


# --- it needs no step size -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_loss_does_not_matter(unit):
    def run(unit: float) -> list[float]:
        loss = lambda x: unit * float((x**2 * np.arange(1, 6)).sum())  # noqa: E731
        return zo.minimize(
            loss, np.ones(5), lr=1.0, estimator=zo.TuningFree(zo.SPSA(radius=0.01)), budget=200
        ).x.tolist()

    assert run(unit) == pytest.approx(run(1.0), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"factor": 0.0}, ValueError, r"^`factor` must be positive, got 0\.0\.$"),
        ({"warmup": 0}, ValueError, r"^`warmup` must be at least 1, got 0\.$"),
        ({"measure_every": 0}, ValueError, r"^`measure_every` must be at least 1, got 0\.$"),
        ({"check_every": 1.5}, TypeError, r"^`check_every` must be a whole number, got 1\.5\.$"),
    ],
)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        zo.TuningFree(zo.SPSA(radius=0.1), **options)


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got float\.$"):
        zo.TuningFree(0.1)  # type: ignore[arg-type]
