"""A run over the openai package while three of ten requests fail, and its bill beside the service's own log."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import zoopt_mo as zo
from benchmarks.durability.serving import Running, running_service
from privacy_mllm.asking import Desk, Question
from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service

FAIL_RATE = 0.3
TIMEOUT = 1.5  # seconds; far above the latency, so that only hanging requests reach it
ASKED = "What is the person doing?"
ANSWERS = ("run", "walk", "jump", "wave", "sit")
PRICE_IN, PRICE_OUT = 2.5, 10.0


@dataclass(frozen=True)
class Bills:
    """What the ledger counted, and what the service did.

    Args:
        steps: Steps that the run took.
        queries: Queries of the run.
        failed: Of these, queries that failed after all repetitions.
        attempts: HTTP requests by ledger and by log.
        tokens: Tokens sent and received, by ledger and by log, without replies that were cut on the way.
        cost: Price of these by ledger and by log.
        cut: Replies that were cut on the way, by ledger and by log.
        cut_tokens: Tokens of these, which the service bills and nobody else can know.
        faults: Faults by kind.
        seconds: How long it took.
    """

    steps: int
    queries: int
    failed: int
    attempts: tuple[int, int]
    tokens: tuple[int, int]
    cost: tuple[float, float]
    cut: tuple[int, int]
    cut_tokens: int
    faults: Counter[str]
    seconds: float

    @property
    def are_equal(self) -> bool:
        """Whether ledger and log agree in all that a client can know."""
        same_cost = abs(self.cost[0] - self.cost[1]) <= 1e-9 * max(self.cost)
        return len({*self.attempts}) == len({*self.tokens}) == len({*self.cut}) == 1 and same_cost

    def lines(self) -> list[str]:
        """The findings in words."""
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        share = f"{sum(self.faults.values())} of {self.attempts[1]} requests"
        cut = f"{self.cut[0]} / {self.cut[1]} replies cut on the way, {self.cut_tokens} tokens that no client can see"
        tokens = f"{self.tokens[0]} / {self.tokens[1]} tokens"
        cost = f"cost {self.cost[0]:.9f} / {self.cost[1]:.9f}"
        return [
            f"faults: {share} ({kinds})",
            f"all {self.steps} steps in {self.seconds:.0f} s; {self.failed} of {self.queries} queries failed for good",
            f"bill, ledger / service: {self.attempts[0]} / {self.attempts[1]} attempts, {tokens}, {cost}, {cut}",
        ]


def run_with_faults(folder: Path, *, steps: int, seed: int) -> Bills:
    """Train through the failing service, then compare the bills.

    A hanging request is in the service's log when it comes in, and is an attempt that ran into the timeout; a closed
    connection is one that broke. Both are matched by their number alone: each is one line there and one attempt here.

    Args:
        folder: Where ledger and log lie.
        steps: Steps of the run.
        seed: Which requests fail.
    """
    folder.mkdir(parents=True)
    options = ("--logprobs", "--latency", "0.01", "--fail-rate", str(FAIL_RATE), "--seed", str(seed), "--hang", "30")
    with running_service(folder / "log.jsonl", *options) as service:
        started = time.perf_counter()
        with zo.Ledger(folder / "ledger.sqlite", run="run") as ledger:
            taken = _train(service.url, ledger, steps)
        seconds = time.perf_counter() - started
        return _compare(folder / "ledger.sqlite", service, taken, seconds)


def _train(url: str, ledger: zo.Ledger, steps: int) -> int:
    """Steps of a small network that colours pictures, asked about over the openai package."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(8, 3, 12, 12, generator=generator)
    network = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    service = Service(
        "stub-vision", base_url=url, timeout=TIMEOUT, concurrency=16, price_in=PRICE_IN, price_out=PRICE_OUT
    )
    oracle = OpenAICompatibleOracle(service, candidates={ASKED: ANSWERS})

    def render() -> zo.Batch:
        pictures = (network(noise).sigmoid() * 255).round().to(torch.uint8)
        return zo.Batch(Question(picture[None], ASKED, ("run",)) for picture in pictures)

    with Desk(oracle, ledger) as desk:
        black = zo.BlackBox(
            render=render,
            judge=desk.judge,
            score=desk.score("logprob"),
            queries=desk.queries,
            estimator=zo.CriticalHistory(zo.SPSA(radius=0.05, seed=1), capacity=4),
        )
        white = zo.WhiteBox(lambda: network(noise).square().mean())
        scalarize = zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], augmentation=0.05)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)
        for _ in range(steps):
            zo.backward([black, white], scalarize, network)
            optimizer.step()
            optimizer.zero_grad()
    return steps


def _compare(ledger: Path, service: Running, steps: int, seconds: float) -> Bills:
    log = service.log()
    reader = zo.LedgerReader(ledger)
    (bill,) = reader.bill("run")
    cut = sum("not JSON" in (row["error"] or "") for row in reader.rows())
    reader.close()
    whole = [entry for entry in log if entry["fault"] != "broken_json"]
    sent, received = (sum(entry[name] for entry in whole) for name in ("tokens_in", "tokens_out"))
    broken = [entry for entry in log if entry["fault"] == "broken_json"]
    return Bills(
        steps=steps,
        queries=bill.queries,
        failed=bill.failed,
        attempts=(bill.attempts, len(log)),
        tokens=(bill.tokens_in + bill.tokens_out, sent + received),
        cost=(bill.cost, (sent * PRICE_IN + received * PRICE_OUT) / 1e6),
        cut=(cut, len(broken)),
        cut_tokens=sum(entry["tokens_in"] + entry["tokens_out"] for entry in broken),
        faults=Counter(entry["fault"] for entry in log if entry["fault"]),
        seconds=seconds,
    )
