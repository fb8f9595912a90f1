"""Clipping of losses by hand: limits, the running median, and one outlier that does not become a long step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import zoopt_mo as zo


class Heard(zo.Estimator):
    """An estimator that notes what it is told."""

    def __init__(self, num_probes: int) -> None:
        super().__init__()
        self.num_probes = num_probes
        self.told: list[list[float]] = []

    def _ask(self, size: int, prior: zo.Combination | None) -> list[zo.Combination]:
        return [zo.Combination([(1.0, zo.DenseDirection(torch.ones(size)))])] * self.num_probes

    def _tell(self, losses: Any, exact: Any) -> zo.Estimate:
        self.told.append(losses.tolist())
        return zo.Estimate(zo.Combination([(1.0, zo.DenseDirection(torch.ones(1)))]), value=float(losses.mean()))

    def _reset(self, seed: int | None) -> None:
        self.told = []

    def _state(self) -> dict[str, Any]:
        return {}

    def _load_state(self, state: Any) -> None:
        pass


def told(rows: list[list[float]], **options: Any) -> list[list[float]]:
    """What the wrapped estimator hears of these losses, a step a row."""
    heard = Heard(len(rows[0]))
    clip = zo.Clip(heard, **options)
    for row in rows:
        clip.ask(1)
        clip.tell(row)
    return heard.told


QUIET = [[-1.0, 1.0]] * 5  # ten deviations of 1


def test_a_pair_far_apart_is_drawn_to_the_factor_times_the_median_deviation():
    """Deviations so far are all 1; a pair (0, 8) has median 4 and is drawn to 4 +- 2.5."""
    assert told([*QUIET, [0.0, 8.0]])[-1] == [1.5, 6.5]
    assert told([*QUIET, [14.0, 0.0]], factor=4.0)[-1] == [11.0, 3.0]


def test_beyond_twice_the_limit_a_deviation_is_dropped():
    """Twice 2.5: a pair (0, 10) is drawn to 5 +- 2.5, a pair (0, 11) to 5.5 and 5.5."""
    assert told([*QUIET, [0.0, 10.0]])[-1] == [2.5, 7.5]
    assert told([*QUIET, [0.0, 11.0]])[-1] == [5.5, 5.5]


def test_a_pair_within_the_limit_is_told_as_it_is():
    """A deviation of 2.5 is the limit itself."""
    assert told([*QUIET, [3.0, 8.0]])[-1] == [3.0, 8.0]
    assert told([*QUIET, [0.1, 0.3]])[-1] == [0.1, 0.3]


def test_of_a_block_only_the_outlier_moves():
    """Median 2 of 1, 2, 2, 3, 9; the deviations known are 1, 0, 0, 1, 2 twice, of median 1: within 2 +- 4."""
    rows = [[-1.0, 0.0, 0.0, 1.0, 2.0]] * 2
    assert told([*rows, [1.0, 2.0, 2.0, 3.0, 9.0]], factor=4.0)[-1] == [1.0, 2.0, 2.0, 3.0, 6.0]
    assert told([*rows, [1.0, 2.0, 2.0, 3.0, -5.0]], factor=4.0)[-1] == [1.0, 2.0, 2.0, 3.0, -2.0]
    assert told([*rows, [1.0, 2.0, 2.0, 3.0, 90.0]], factor=4.0)[-1] == [1.0, 2.0, 2.0, 3.0, 2.0]


def test_the_first_ten_deviations_are_told_as_they_are():
    rows = [[-1.0, 1.0]] * 4 + [[0.0, 8.0], [0.0, 8.0]]
    assert told(rows)[4] == [0.0, 8.0]  # eight are known
    assert told(rows)[5] == [1.5, 6.5]  # ten are: eight of 1 and two of 4, of median 1


def test_the_median_is_over_the_last_deviations_as_they_were_before_clipping():
    """Ten of 1, then six of 5 (clipped to 2.5, remembered as 5): in a window of ten, four of 1 and six of 5."""
    rows = [*QUIET, *[[-5.0, 5.0]] * 3, [-20.0, 20.0]]
    assert told(rows, window=10)[5] == [-2.5, 2.5]
    assert told(rows, window=10)[-1] == [-12.5, 12.5]
    assert told(rows, window=16)[-1] == [0.0, 0.0]  # ten of 1 and six of 5: 20 is beyond 5


def test_a_loss_that_grows_is_followed_after_half_a_window():
    rows = [*QUIET, *[[-8.0, 8.0]] * 20]
    assert told(rows, window=20)[5] == [0.0, 0.0]
    assert told(rows, window=20)[-1] == [-8.0, 8.0]


def test_for_a_pair_it_clips_the_slope_of_spsa():
    """Slopes of 2 and then of 9 become 2 and 5, 2.5 times as long; one of 1000 becomes 0."""
    estimator = zo.Clip(zo.SPSA(radius=0.5, directions=lambda *_: zo.DenseDirection(torch.ones(1))))
    slopes = []
    for slope in [2.0] * 5 + [9.0, -9.0, 1000.0]:
        plus, minus = (float(displacement.dense()) for displacement in estimator.ask(1))
        slopes.append(estimator.tell([slope * plus, slope * minus]).gradient.dense().item())
    assert slopes == [2.0] * 5 + [5.0, -5.0, 0.0]


@pytest.mark.parametrize(("factor", "share"), [(2.5, 0.09), (4.0, 0.007)])
def test_of_normal_slopes_few_are_touched(factor, share):
    """The median of |z| is 0.674; P(|z| > 2.5 * 0.674) is 0.092 and P(|z| > 4 * 0.674) is 0.007."""
    rows = [[-z, z] for z in np.random.default_rng(0).normal(size=4000)]
    heard = told(rows, factor=factor)
    touched = np.mean([one != other for one, other in zip(rows, heard, strict=True)])
    assert touched == pytest.approx(share, abs=3 * np.sqrt(share / 4000) + 0.1 * share)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"factor": 0.0}, ValueError, r"^`factor` must be positive, got 0\.0\.$"),
        ({"window": 9}, ValueError, r"^`window` must be at least 10, got 9\.$"),
        ({"window": 10.5}, TypeError, r"^`window` must be a whole number, got 10\.5\.$"),
    ],
)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        zo.Clip(zo.SPSA(radius=0.1), **options)


def test_it_wraps_estimators_only():
    with pytest.raises(TypeError, match=r"^`estimator` must be an Estimator, got float\.$"):
        zo.Clip(0.1)  # type: ignore[arg-type]
