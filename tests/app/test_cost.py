"""What a plan will cost: arithmetic by hand, and waiting against a simulated service."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scaling
from benchmarks.simulated_service import SimulatedService
from privacy_mllm.cost import Call, Terms, Work, estimate
from privacy_mllm.waiting import Latency, Retries, Waiting

DOCS = Path(__file__).parents[2] / "docs" / "scaling.md"
STEADY = Latency({0.5: 2.0})
TAILED = Latency({0.5: 1.0, 0.95: 3.0})


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_calls_tokens_and_price_are_counted_by_hand():
    work = Work(steps=10, probes=2, batch=8, evaluation_clips=50, questions=3, methods=4)
    call = Call(frames=4, tokens_per_picture=85, prompt_tokens=60, reply_tokens=10)
    bill = estimate(work, call, Terms(STEADY, price_in=2.0, price_out=8.0))
    assert bill.calls == 10 * 16 + 600
    assert (bill.attempts, bill.failed) == (760, 0)
    assert (bill.tokens_in, bill.tokens_out) == (760 * 400, 7600)
    assert bill.price == pytest.approx((760 * 400 * 2 + 7600 * 8) / 1e6)


def test_failures_cost_attempts_but_no_tokens():
    bill = estimate(Work(steps=100, probes=2, batch=5), Call(), Terms(STEADY, retries=Retries(0.5, most=2)))
    assert bill.attempts == pytest.approx(1000 * 1.75)
    assert bill.failed == pytest.approx(125)
    assert bill.tokens_out == pytest.approx(875 * 10)


def test_steady_calls_take_as_many_rounds_as_there_are():
    assert Waiting(STEADY, 8).seconds(8) == pytest.approx(2.0, rel=0.01)
    assert Waiting(STEADY, 8).seconds(24) == pytest.approx(6.0, rel=0.01)
    assert Waiting(STEADY, 1).seconds(500) == pytest.approx(1000, rel=0.01)


def test_paced_calls_take_their_turns():
    assert Waiting(STEADY, 64, interval=0.5).seconds(21) == pytest.approx(20 * 0.5 + 2.0, rel=0.01)


@pytest.mark.parametrize("num_calls", [1, 10, 100, 1000])
def test_calls_at_once_take_the_expected_maximum(num_calls: int):
    draws = np.random.default_rng(0).standard_normal((4000, num_calls))
    seen = TAILED.of_scores(draws).max(axis=1)
    error = seen.std() / math.sqrt(len(seen))
    assert Waiting(TAILED, 1000).seconds(num_calls) == pytest.approx(seen.mean(), abs=4 * error + 0.01 * seen.mean())


def test_two_quantiles_are_a_lognormal_distribution():
    sigma = math.log(3.0) / 1.6448536269514722
    assert TAILED.mean == pytest.approx(math.exp(sigma**2 / 2), rel=1e-6)
    assert TAILED.at(0.95) == pytest.approx(3.0)


def test_quantiles_are_met_and_a_longer_tail_than_lognormal_is_kept():
    latency = Latency({0.5: 1.0, 0.9: 2.0, 0.99: 20.0})
    assert [latency.at(place) for place in (0.5, 0.9, 0.99)] == pytest.approx([1.0, 2.0, 20.0])
    assert latency.mean > Latency({0.5: 1.0, 0.9: 2.0}).mean


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({}, "the slowest call of each round"),
        ({"concurrency": 4}, "calls at the same time"),
        ({"requests_per_minute": 60.0}, "requests a minute"),
        ({"client_seconds": 1.0}, "this machine's own work for each call"),
    ],
)
def test_the_limit_is_named(changes: dict, limit: str):
    terms = replace(Terms(TAILED, concurrency=64), **changes)
    assert estimate(Work(steps=10), Call(), terms).limit == limit


def test_local_work_is_named_as_a_limit_and_counted():
    terms = Terms(STEADY, concurrency=32)
    bill = estimate(Work(steps=100, step_seconds=1.0, call_seconds=0.5), Call(), terms)
    assert bill.limit == "this machine's own work between calls"
    assert bill.hours * 3600 == pytest.approx(100 * (2.0 + 1.0 + 16.0), rel=0.01)


def test_nothing_asked_costs_nothing():
    bill = estimate(Work(steps=0), Call(), Terms(STEADY))
    assert (bill.calls, bill.price, bill.hours) == (0, 0, 0)


def test_the_bill_is_told_in_lines():
    work = Work(steps=1000, evaluation_clips=10)
    lines = estimate(work, Call(), Terms(STEADY, price_in=1.0, retries=Retries(0.2, most=0))).lines()
    assert [line.partition(":")[0] for line in lines] == ["calls", "tokens", "price", "time", "limited by"]
    assert "of which about 6,402 fail for good" in lines[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Latency({}), "`quantiles` must have probabilities"),
        (lambda: Latency({1.0: 2.0}), "`quantiles` must have probabilities"),
        (lambda: Latency({0.5: 2.0, 0.9: 1.0}), "`quantiles` must be positive seconds that rise"),
        (lambda: Latency({0.5: 0.0}), "`quantiles` must be positive"),
        (lambda: Retries(1.0), "`failure_rate` must be in"),
        (lambda: Retries(0.1, most=-1), "`most` must not be negative"),
        (lambda: Work(steps=-1), "`steps` must not be negative"),
        (lambda: Call(frames=-1), "`frames` must not be negative"),
        (lambda: Terms(STEADY, concurrency=0), "`concurrency` must be at least 1"),
        (lambda: Terms(STEADY, price_in=-1.0), "`price_in` must not be negative"),
    ],
)
def test_values_out_of_range_are_refused(make, words: str):
    with pytest.raises(ValueError, match=words):
        make()


# --- against a simulation ---------------------------------------------------------------------------------------------


def test_the_simulation_itself_is_right_where_the_answer_is_known():
    steady = SimulatedService(STEADY, 8, 0.0, Retries(), seed=0).ask(24)
    assert steady.seconds == pytest.approx(6.0)
    assert (steady.attempts, steady.answered) == (24, 24)
    paced = SimulatedService(STEADY, 64, 0.5, Retries(), seed=0).ask(21)
    assert paced.seconds == pytest.approx(12.0)
    failing = SimulatedService(STEADY, 1, 0.0, Retries(0.999999, most=2, retry_after=1.0), seed=0).ask(3)
    assert failing.seconds == pytest.approx(3 * 8.0)
    assert (failing.attempts, failing.answered) == (9, 0)


@pytest.mark.parametrize(
    ("probes", "batch", "slots", "tail", "per_minute", "rate"),
    [
        (2, 16, 8, 3.0, 0, 0.0),  # places
        (2, 16, 256, 3.0, 0, 0.1),  # the slowest call
        (2, 16, 8, 5.0, 3000, 0.3),  # failures
        (2, 16, 32, 3.0, 300, 0.1),  # pacing
        (2, 16, 1, 3.0, 40, 0.0),  # both about equal
        (2, 8, 8, 3.0, 3000, 0.0),
        (2, 128, 32, 5.0, 3000, 0.1),
        (1, 2, 4, 3.0, 60, 0.1),
        (8, 128, 256, 3.0, 0, 0.1),  # a large step
    ],
)
def test_hours_attempts_and_price_are_within_ten_percent_of_the_simulation(
    probes: int, batch: int, slots: int, tail: float, per_minute: float, rate: float
):
    work = Work(steps=max(80, 10_000 // (probes * batch)), probes=probes, batch=batch, step_seconds=0.05)
    terms = Terms(
        Latency({0.5: 1.0, 0.95: tail}),
        concurrency=slots,
        requests_per_minute=per_minute,
        price_in=1.0,
        price_out=4.0,
        retries=Retries(rate),
    )
    found = scaling.compare(work, scaling.CALL, terms, seed=1)
    assert found.worst < 0.10, found


def test_the_judgement_is_within_ten_percent_too():
    work = Work(steps=50, evaluation_clips=100, questions=3, methods=20)
    terms = Terms(TAILED, concurrency=16, price_in=1.0, retries=Retries(0.05))
    expected, seen = estimate(work, scaling.CALL, terms), scaling.simulate(work, scaling.CALL, terms)
    assert expected.evaluation_hours == pytest.approx(seen.evaluation_hours, rel=0.10)
    assert expected.training_hours == pytest.approx(seen.training_hours, rel=0.10)
    assert expected.tokens_in == pytest.approx(seen.tokens_in, rel=0.02)


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.7, 1.1, 3.7])
def test_a_constant_latency_has_no_spread(seconds):
    waiting = Terms(Latency({0.5: seconds}), concurrency=8, requests_per_minute=3000).waiting
    assert 32 * seconds / 8 <= waiting.seconds(32) < 1.1 * 32 * max(seconds / 8, 0.02) + seconds


@pytest.mark.slow
def test_a_few_seconds_of_real_calls_are_within_ten_percent():
    tries = (scaling.check_real(seed=seed) for seed in range(3))  # others may keep the processors busy
    assert any(found.worst < 0.10 for found in tries)


def test_the_table_in_the_documentation_is_the_one_that_the_command_prints():
    assert scaling.scaling_table() in DOCS.read_text(encoding="utf-8")


def test_more_workers_do_not_help_a_small_step_and_do_help_a_large_one():
    def hours(batch: int, workers: int) -> float:
        work = Work(steps=10**6 // batch, probes=2, batch=batch)
        return estimate(work, Call(), Terms(TAILED, concurrency=workers)).hours

    assert hours(16, 1000) == pytest.approx(hours(16, 32), rel=1e-3)
    assert hours(2048, 1000) < hours(2048, 32) / 10
