"""Which samples are asked: as their shares say, none never, and the pool's mean where it is wanted."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo


def informed(losses, *, noise: float = 0.0, **options: Any) -> zo.SampleScheduler:
    """A scheduler that has seen each sample of the pool twice."""
    scheduler = zo.SampleScheduler(len(losses), **options)
    for sign in (1.0, -1.0):
        scheduler.tell(np.arange(len(losses)), np.asarray(losses) + sign * noise)
    return scheduler


def draws(scheduler: zo.SampleScheduler, size: int, count: int) -> np.ndarray:
    """How often each sample is drawn in steps that tell nothing new."""
    counts = np.zeros(scheduler.num_samples, dtype=int)
    for _ in range(count):
        drawn = scheduler.draw(size)
        assert len(set(drawn.tolist())) == size
        assert (np.sort(drawn) == drawn).all()
        counts[drawn] += 1
        scheduler.tell([], [])
    return counts


def test_nothing_known_draws_evenly():
    counts = draws(zo.SampleScheduler(10), 3, 4000)
    assert np.abs(counts - 1200).max() < 5 * math.sqrt(4000 * 0.3 * 0.7)


def test_samples_are_drawn_as_often_as_their_shares_say():
    scheduler = informed([0.0, 1.0, 2.0, 5.0], floor=0.2, uncertainty=0.0)
    assert scheduler.shares.tolist() == pytest.approx([0.05, 0.15, 0.25, 0.55])
    counts = draws(scheduler, 2, 4000)  # 2 * 0.55 is cut to 1, and the others share the other place by 5 : 15 : 25
    expected = 4000 * np.array([5 / 45, 15 / 45, 25 / 45, 1.0])
    assert counts[3] == 4000
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected * (1 - expected / 4000))).all()


def test_high_losses_and_uncertain_ones_each_count_by_their_weight():
    losses = np.array([[1.0, 1.0], [4.0, 4.0], [0.0, 2.0]])  # done but for a rest, high, and uncertain
    shares = {}
    for weight in (0.0, 0.5, 1.0):
        scheduler = zo.SampleScheduler(3, floor=1e-9, uncertainty=weight)
        scheduler.tell([0, 1, 2], losses)
        shares[weight] = scheduler.shares.tolist()
    assert shares[0.0] == pytest.approx([0.0, 1.0, 0.0], abs=1e-6)
    assert shares[1.0] == pytest.approx([0.0, 0.0, 1.0], abs=1e-6)
    assert shares[0.5] == pytest.approx([0.0, 0.5, 0.5], abs=1e-6)


def test_a_loss_that_falls_from_visit_to_visit_counts_as_uncertain():
    scheduler = zo.SampleScheduler(2, uncertainty=1.0, floor=1e-9)
    for loss in (5.0, 4.0, 3.0):
        scheduler.tell([0, 1], [loss, 3.0])
    assert scheduler.shares.tolist() == pytest.approx([1.0, 0.0], abs=1e-6)


def test_what_was_never_asked_counts_as_much_as_the_largest():
    scheduler = zo.SampleScheduler(4)
    scheduler.tell([0, 1], [[0.0, 0.1], [3.0, 9.0]])
    shares = scheduler.shares
    assert shares[2] == shares[3] == shares[1] == shares.max() > shares[0]


@given(
    losses=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    noise=st.floats(0, 10),
    floor=st.floats(0.01, 1.0),
    uncertainty=st.floats(0, 1),
    data=st.data(),
)
@settings(max_examples=80)
def test_no_sample_starves(losses, noise, floor, uncertainty, data):
    scheduler = informed(losses, noise=noise, floor=floor, uncertainty=uncertainty)
    size = data.draw(st.integers(1, len(losses)))
    assert scheduler.shares.sum() == pytest.approx(1.0)
    assert scheduler.shares.min() >= floor / len(losses) * (1 - 1e-9)
    drawn = scheduler.draw(size)
    assert len(np.unique(drawn)) == size
    chances = 1 / (len(losses) * scheduler.weights)
    assert chances.min() >= size * floor / len(losses) * (1 - 1e-9)
    assert chances.max() <= 1 + 1e-9


def test_weighted_losses_give_the_mean_of_the_pool_and_plain_ones_lean_to_the_hard():
    losses = np.array([0.1, 0.2, 0.3, 0.1, 5.0, 1.0, 0.0, 2.0])
    scheduler = informed(losses, noise=0.1)
    weighted, plain = [], []
    for _ in range(3000):
        drawn = scheduler.draw(3)
        weighted.append(float(scheduler.weights @ losses[drawn]))
        plain.append(float(losses[drawn].mean()))
        scheduler.tell([], [])
    error = np.std(weighted) / math.sqrt(len(weighted))
    assert abs(np.mean(weighted) - losses.mean()) < 5 * error
    assert np.mean(plain) > losses.mean() + 0.5


def test_drawing_again_before_telling_gives_the_same_samples():
    scheduler = zo.SampleScheduler(50, seed=3)
    first = scheduler.draw(5)
    assert (scheduler.draw(5) == first).all()
    scheduler.tell(first, np.ones(5))
    assert (scheduler.draw(5) != first).any()


def test_seeds_give_different_draws():
    assert (zo.SampleScheduler(50, seed=0).draw(9) != zo.SampleScheduler(50, seed=1).draw(9)).any()


def test_failed_queries_say_nothing():
    scheduler, other = informed([1.0, 2.0, 3.0]), informed([1.0, 2.0, 3.0])
    scheduler.tell([0, 1], [[math.nan, math.nan], [2.5, math.nan]])
    other.tell([1], [2.5])
    assert scheduler.shares.tolist() == other.shares.tolist()


@given(before=st.integers(0, 12), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_a_saved_scheduler_goes_on_bit_for_bit(before, seed):
    def going(scheduler: zo.SampleScheduler, first: int, count: int) -> list[list[float]]:
        rows = []
        for step in range(first, first + count):
            drawn = scheduler.draw(4)
            rows.append([*drawn.tolist(), *scheduler.weights.tolist()])
            scheduler.tell(drawn, np.outer(drawn + 1, [1.0, 1.1]) / (step + 1))
        return rows

    scheduler, copy = zo.SampleScheduler(20, seed=seed), zo.SampleScheduler(20, seed=seed)
    going(scheduler, 0, before)
    going(copy, 0, 3)
    copy.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    assert going(copy, before, 8) == going(scheduler, before, 8)


def test_after_reset_it_is_as_new():
    scheduler = zo.SampleScheduler(20)
    first = scheduler.draw(4)
    scheduler.tell(first, [1.0, 2.0, 3.0, 4.0])
    scheduler.reset()
    assert (scheduler.draw(4) == first).all()
    assert scheduler.state_dict() == zo.SampleScheduler(20).state_dict()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_samples": 0}, r"^`num_samples` must be at least 1, got 0\.$"),
        ({"num_samples": 5, "floor": 0.0}, r"^`floor` must be in \(0, 1\], got 0\.0\.$"),
        ({"num_samples": 5, "uncertainty": 1.1}, r"^`uncertainty` must be in \[0, 1\], got 1\.1\.$"),
        ({"num_samples": 5, "newest": 0.0}, r"^`newest` must be in \(0, 1\], got 0\.0\.$"),
        ({"num_samples": 5, "seed": -1}, r"^`seed` must be at least 0, got -1\.$"),
    ],
)
def test_a_scheduler_refuses_bad_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        zo.SampleScheduler(**options)


@pytest.mark.parametrize(
    ("indices", "losses", "words"),
    [
        ([0, 5], [1.0, 2.0], r"^`indices` must be below 5, the size of the pool, got 5\.$"),
        ([-1], [1.0], r"^`indices` must be below 5, the size of the pool, got -1\.$"),
        ([0], [1.0, 2.0], r"^`losses` must hold a row for each of 1 samples, got shape \[2, 1\]\.$"),
        ([0], [math.inf], r"^`losses` must be finite, or NaN where a query failed, got an infinite one\.$"),
    ],
)
def test_a_scheduler_refuses_losses_that_do_not_fit(indices, losses, words):
    with pytest.raises(ValueError, match=words):
        zo.SampleScheduler(5).tell(indices, losses)


def test_more_samples_than_the_pool_has_are_refused():
    with pytest.raises(ValueError, match=r"^`size` must be at most the 5 samples of the pool, got 6\.$"):
        zo.SampleScheduler(5).draw(6)
