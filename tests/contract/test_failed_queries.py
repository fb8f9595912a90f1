"""Promises that every estimator of the registry keeps in steps of which some queries failed: their losses are NaN."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo
from tests.contract.registry import ESTIMATORS
from tests.contract.test_estimators import (
    CENTRE,
    SIZE,
    SLOPE,
    bent,
    dense,
    every,
    gradients,
    having,
    losses_at,
    names,
    numbers,
    steps,
    vector,
)
from zoopt_mo.estimators import NothingMeasured

LOST = r"^Too many queries of the step failed to tell a slope: \d+ left of \d+\.$"


def failing_steps(
    estimator: zo.Estimator, count: int, *, share: float, seed: int = 0, loss=bent, informed: bool = False, lone=None
) -> list[zo.Estimate]:
    """Steps of which each query fails with this probability; those that say nothing are left out.

    Where ``lone`` is given, it stands for the loss on the other side of each probe that failed.
    """
    generator, estimates = np.random.default_rng(seed), []
    for _ in range(count):
        asked = estimator.ask(SIZE, prior=vector(SLOPE) if informed else None)
        losses = np.array(losses_at(asked, loss))
        failed = generator.random(len(losses)) < share
        if lone is not None:
            losses[others(asked, failed)] = lone
        losses[failed] = math.nan
        try:
            estimates.append(estimator.tell(losses, exact=[vector(CENTRE), vector(SLOPE + 1)] if informed else []))
        except NothingMeasured:
            continue
    return estimates


def others(asked: list[zo.Combination], failed: np.ndarray) -> list[int]:
    """The probes whose opposite, next to them, failed."""
    points = dense(asked)
    opposite = [
        i
        for i in range(len(asked) - 1)
        if asked[i].terms[0][1] is asked[i + 1].terms[0][1]
        and points[i].any()
        and bool((points[i] == -points[i + 1]).all())
    ]
    return [i for i in opposite if failed[i + 1]] + [i + 1 for i in opposite if failed[i]]


def long_bowl(theta: torch.Tensor) -> float:
    return float(((theta - 1) ** 2).sum())


def innermost(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a state that say where the directions are."""
    if "number" in state:
        yield state
    for part in state.values():
        if isinstance(part, dict):
            yield from innermost(part)


@every
def test_two_losses_of_a_first_step_are_enough(name):
    estimator = ESTIMATORS[name]()
    losses = losses_at(estimator.ask(SIZE), bent)
    estimate = estimator.tell(losses[:2] + [math.nan] * (len(losses) - 2))
    assert estimate.gradient.norm() > 0
    assert math.isfinite(estimate.value)
    assert 1 <= estimate.num_directions <= 2
    assert 0 <= estimate.gain < math.inf


@every
@pytest.mark.parametrize("left", [0, 1])
def test_one_loss_or_none_says_nothing_and_the_next_step_looks_elsewhere(name, left):
    estimator = ESTIMATORS[name]()
    asked = estimator.ask(64)
    with pytest.raises(NothingMeasured, match=LOST):
        estimator.tell([1.0] * left + [math.nan] * (len(asked) - left))
    assert not torch.equal(dense(estimator.ask(64)), dense(asked))
    assert all(estimate.gradient.norm() > 0 for estimate in steps(estimator, 5, loss=long_bowl, size=64))


@every
def test_a_lost_step_must_not_be_told_again(name):
    estimator = ESTIMATORS[name]()
    failed = [math.nan] * len(estimator.ask(SIZE))
    with pytest.raises(NothingMeasured, match=LOST):
        estimator.tell(failed)
    with pytest.raises(RuntimeError, match=r"^tell\(\) must follow ask\(\), but nothing was asked\.$"):
        estimator.tell(failed)


@every
def test_a_lost_first_step_moves_the_directions_on_and_nothing_else(name):
    estimator, moved = ESTIMATORS[name](), ESTIMATORS[name]()
    with pytest.raises(NothingMeasured, match=LOST):
        estimator.tell([math.nan] * len(estimator.ask(SIZE)))
    state = moved.state_dict()
    (place,), (after,) = innermost(state), innermost(estimator.state_dict())
    assert after["step"] == 1
    place.update(step=1, number=after["number"])
    moved.load_state_dict(state)
    assert numbers(steps(estimator, 5)) == numbers(steps(moved, 5))


@every
def test_a_lost_step_later_on_keeps_what_the_wrappers_know(name):
    """The states before and after differ only in where the directions are, and in a count of steps."""
    estimator = ESTIMATORS[name]()
    steps(estimator, 4)
    before = estimator.state_dict()
    with pytest.raises(NothingMeasured, match=LOST):
        estimator.tell([math.nan] * len(estimator.ask(SIZE)))
    after = estimator.state_dict()
    for state in (before, after):
        (place,) = innermost(state)
        place.update(step=0, number=0)
        state.pop("step", None)
    assert repr(after) == repr(before)


@given(name=names, share=st.floats(0.05, 0.95), seed=st.integers(0, 999), informed=st.booleans())
@settings(max_examples=80)
def test_whatever_fails_all_that_is_said_is_finite(name, share, seed, informed):
    for estimate in failing_steps(ESTIMATORS[name](), 12, share=share, seed=seed, informed=informed):
        said = [*estimate.gradient.dense().tolist(), estimate.value, estimate.gain, estimate.cosine or 0.0]
        assert np.isfinite(said).all()
        assert estimate.gain >= 0
        assert estimate.num_directions >= 1


@every
@pytest.mark.parametrize("informed", [False, True])
def test_the_other_side_of_a_failed_probe_is_not_read(name, informed):
    plain = failing_steps(ESTIMATORS[name](), 25, share=0.3, informed=informed)
    odd = failing_steps(ESTIMATORS[name](), 25, share=0.3, informed=informed, lone=1e6)
    assert numbers(plain) == numbers(odd)
    assert len(plain) >= 5


@given(name=names, share=st.floats(0.1, 0.9), seed=st.integers(0, 99), informed=st.booleans())
@settings(max_examples=60)
def test_a_state_saved_after_failures_goes_on_bit_for_bit(name, share, seed, informed):
    estimator, copy = ESTIMATORS[name](seed=2), ESTIMATORS[name](seed=1)
    failing_steps(estimator, 7, share=share, seed=seed, informed=informed)
    file = io.BytesIO()
    torch.save(estimator.state_dict(), file)
    file.seek(0)
    failing_steps(copy, 2, share=share)
    copy.load_state_dict(torch.load(file, weights_only=True))
    going_on = numbers(failing_steps(estimator, 7, share=share, seed=seed + 1, informed=informed))
    assert numbers(failing_steps(copy, 7, share=share, seed=seed + 1, informed=informed)) == going_on


@having("unbiased")
def test_the_mean_over_steps_with_failures_is_the_gradient_of_a_linear_loss(name):
    estimates = failing_steps(ESTIMATORS[name](), 900, share=0.2, loss=lambda theta: float(SLOPE @ theta))
    sample = gradients(estimates)
    error = (sample.mean(dim=0) - SLOPE).abs()
    assert len(sample) >= 500
    assert (error <= 5 * sample.std(dim=0) / math.sqrt(len(sample)) + 1e-12).all()
