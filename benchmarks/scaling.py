"""The cost model checked: against a simulated service, against a real one, and carried to a million samples.

    python -m benchmarks.scaling [--quick]

Prints, for a grid of settings, the estimate beside the mean of many simulated runs; one setting in real time over HTTP;
and the tables of docs/scaling.md. Exits with 1 if the estimate is off by more than 10 % anywhere.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.durability.client import PlainClient
from benchmarks.durability.serving import running_service
from benchmarks.simulated_service import SimulatedService
from privacy_mllm.cost import Call, Estimate, Terms, Work, estimate
from privacy_mllm.waiting import Latency, Retries

TOLERANCE = 0.10
CALL = Call(frames=4, tokens_per_picture=85, prompt_tokens=150, reply_tokens=10)
PRICE_IN, PRICE_OUT = 0.15, 0.60
SLOW = Latency({0.5: 1.0, 0.95: 3.0})


@dataclass(frozen=True)
class Comparison:
    """An estimate and what was seen, as ratios estimate / seen."""

    hours: float
    attempts: float
    price: float

    @property
    def worst(self) -> float:
        """The largest deviation, as a share."""
        return max(abs(ratio - 1) for ratio in (self.hours, self.attempts, self.price))

    def __str__(self) -> str:
        """The three ratios."""
        return f"hours {self.hours:6.3f}   attempts {self.attempts:6.3f}   price {self.price:6.3f}"


def simulate(work: Work, call: Call, terms: Terms, *, seed: int = 0) -> Estimate:
    """What a plan takes in one simulated run, every call and repetition played through."""
    waiting = terms.waiting
    service = SimulatedService(waiting.latency, waiting.concurrency, waiting.interval, waiting.retries, seed)
    training = [service.ask(work.calls_per_step) for _ in range(work.steps)]
    judged = work.evaluation_clips * work.questions
    judging = [service.ask(judged) for _ in range(work.methods if judged else 0)]
    answered = sum(done.answered for done in training + judging)
    calls = work.training_calls + work.evaluation_calls
    return Estimate(
        calls=calls,
        attempts=sum(done.attempts for done in training + judging),
        failed=calls - answered,
        tokens_in=answered * call.tokens_in,
        tokens_out=answered * call.reply_tokens,
        price=answered * (call.tokens_in * terms.price_in + call.reply_tokens * terms.price_out) / 1e6,
        training_hours=(sum(done.seconds for done in training) + work.steps * work.local_seconds) / 3600,
        evaluation_hours=sum(done.seconds for done in judging) / 3600,
        limit="",
    )


def compare(work: Work, call: Call, terms: Terms, *, seed: int = 0) -> Comparison:
    """The estimate of a plan over its simulation."""
    expected, seen = estimate(work, call, terms), simulate(work, call, terms, seed=seed)
    return Comparison(expected.hours / seen.hours, expected.attempts / seen.attempts, expected.price / seen.price)


def grid(*, quick: bool) -> Iterator[tuple[Work, Terms]]:
    """Settings: calls a step, concurrency, tail of the latency, requests a minute, failures."""
    sizes = ((1, 16), (2, 16), (2, 128), (8, 128))
    axes = (sizes, (1, 8, 32, 256), (1.5, 3.0, 5.0), (0.0, 300.0, 3000.0), (0.0, 0.1, 0.3))
    for number, ((probes, batch), slots, tail, rpm, rate) in enumerate(itertools.product(*axes)):
        if quick and number % 7:
            continue
        work = Work(steps=max(80, 20_000 // (probes * batch)), probes=probes, batch=batch, step_seconds=0.05)
        latency, retries = Latency({0.5: 1.0, 0.95: tail}), Retries(rate)
        yield (
            work,
            Terms(
                latency,
                concurrency=slots,
                requests_per_minute=rpm,
                retries=retries,
                price_in=PRICE_IN,
                price_out=PRICE_OUT,
            ),
        )


def check_grid(*, quick: bool) -> float:
    """Print the comparison for every setting; the worst deviation."""
    print(f"{'calls':>6} {'slots':>5} {'p95':>4} {'a min.':>6} {'fail':>4}   estimate / simulation")
    worst = 0.0
    for work, terms in grid(quick=quick):
        found = compare(work, CALL, terms)
        tail, rate = terms.latency.at(0.95), terms.retries.failure_rate
        settings = (
            f"{work.calls_per_step:6} {terms.concurrency:5} {tail:4.1f} {terms.requests_per_minute:6.0f} {rate:4.1f}"
        )
        print(f"{settings}   {found}{'   <- off' if found.worst > TOLERANCE else ''}", flush=True)
        worst = max(worst, found.worst)
    return worst


# --- a real service ---------------------------------------------------------------------------------------------------

REAL = Work(steps=8, probes=2, batch=16)
REAL_TERMS = Terms(
    Latency({0.5: 0.1}),
    concurrency=8,
    requests_per_minute=3000,
    retries=Retries(0.2, most=3, retry_after=0.2),
    price_in=PRICE_IN,
    price_out=PRICE_OUT,
)


def check_real(*, seed: int = 0) -> Comparison:
    """The estimate over what a few seconds of real calls took: HTTP, threads, refusals (429) and repetitions."""
    latency, retries = REAL_TERMS.latency.at(0.5), REAL_TERMS.retries
    options = ("--latency", str(latency), "--fail-rate", str(retries.failure_rate), "--faults", "rate_limit")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        with running_service(log, *options, "--retry-after", str(retries.retry_after), "--seed", str(seed)) as service:
            client = PlainClient(service.url, max_retries=retries.most, interval=REAL_TERMS.waiting.interval)
            started = time.perf_counter()
            bills = [
                bill
                for step in range(REAL.steps)
                for bill in client.ask_all([f"{step}.{n}" for n in range(REAL.calls_per_step)], REAL_TERMS.concurrency)
            ]
            hours = (time.perf_counter() - started) / 3600
    call = Call(frames=0, prompt_tokens=bills[0].tokens_in, reply_tokens=bills[0].tokens_out)
    expected = estimate(REAL, call, REAL_TERMS)
    paid = sum(bill.tokens_in * PRICE_IN + bill.tokens_out * PRICE_OUT for bill in bills) / 1e6
    attempts = sum(bill.attempts for bill in bills)
    return Comparison(expected.hours / hours, expected.attempts / attempts, expected.price / paid)


# --- a million samples ------------------------------------------------------------------------------------------------

SAMPLES, CALLS_A_SAMPLE = 1_000_000, 15
STEP_SECONDS, RENDER_SECONDS, CLIENT_SECONDS = 0.05, 0.004, 0.010


@dataclass(frozen=True)
class Plan:
    """One way to ask about a million samples; what it says in words, and how it is done."""

    name: str
    probes: int
    batch: int
    workers: int
    askers: int = 1
    renderers: int = 1
    requests_per_minute: float = 0.0

    def estimate(self) -> tuple[Work, Estimate]:
        """The work and its bill."""
        steps = SAMPLES * CALLS_A_SAMPLE // (self.probes * self.batch)
        rendering = RENDER_SECONDS / self.renderers
        work = Work(steps, self.probes, self.batch, step_seconds=STEP_SECONDS, call_seconds=rendering)
        terms = Terms(
            SLOW,
            concurrency=self.workers,
            requests_per_minute=self.requests_per_minute,
            retries=Retries(0.01),
            client_seconds=CLIENT_SECONDS / self.askers,
            price_in=PRICE_IN,
            price_out=PRICE_OUT,
        )
        return work, estimate(work, CALL, terms)


PLANS = (
    Plan("a batch of 16 clips, 32 workers", 2, 16, 32),
    Plan("the same, 1,000 workers", 2, 16, 1000),
    Plan("512 clips, 1,000 workers", 2, 512, 1000),
    Plan("2,048 clips, 1,000 workers", 2, 2048, 1000),
    Plan("the same, 20 processes that ask", 2, 2048, 1000, askers=20),
    Plan("the same, 20 that render as well", 2, 2048, 1000, askers=20, renderers=20),
    Plan("64 clips on 64 probes instead", 64, 64, 1000, askers=20, renderers=20),
    Plan("the same, at most 10,000 requests a minute", 64, 64, 1000, 20, 20, 10_000.0),
)


def scaling_table() -> str:
    """The plans as a table of Markdown, as it stands in docs/scaling.md."""
    lines = [
        "| Plan | Calls a step | Steps | Days | Price | Calls a second | Most of the time goes to |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for plan in PLANS:
        work, bill = plan.estimate()
        lines.append(
            f"| {plan.name} | {work.calls_per_step:,} | {work.steps:,} | {bill.hours / 24:.1f} | {bill.price:,.0f} | "
            f"{bill.calls / bill.hours / 3600:.0f} | {bill.limit} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Check, print the tables, and say whether all is within the tolerance."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="every seventh setting")
    options = parser.parse_args()
    worst = check_grid(quick=options.quick)
    print(f"\nlargest deviation from the simulation: {worst:.1%}")
    real = check_real()
    print(f"over HTTP in real time, {REAL.training_calls} calls: {real}\n")
    print(scaling_table())
    sys.exit(0 if max(worst, real.worst) <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
