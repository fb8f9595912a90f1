"""How much of a service's speed gets through: queries of 200 ms at concurrency 32, on threads and in an event loop."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

import zoopt_mo as zo
from benchmarks.durability.client import ask_loss, ask_loss_async
from benchmarks.durability.serving import running_service
from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service
from zoopt_mo.evaluation import Judge

LATENCY = 0.2
CONCURRENCY = 32
REPEATS = 2  # others may keep the processors busy
ASKED = "What is shown?"


def measure_throughput(folder: Path, *, queries: int, seed: int = 0) -> dict[str, float]:
    """Seconds over the least possible, ``queries * latency / concurrency``, by way of asking; the better of two.

    Args:
        folder: For the service's log.
        queries: Queries of each way.
        seed: Of what is asked.
    """
    folder.mkdir(parents=True)
    least = queries * LATENCY / CONCURRENCY
    with running_service(folder / "log.jsonl", "--latency", str(LATENCY), "--logprobs") as service:
        loop = zo.concurrent(functools.partial(ask_loss_async, service.url), concurrency=CONCURRENCY)
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            ways: dict[str, tuple[Judge, Callable[[int, int], Sequence[Any]]]] = {
                "threads": (zo.parallel(functools.partial(ask_loss, service.url), pool), _texts),
                "asyncio": (loop, _texts),
                "openai package on threads": (zo.parallel(_Sdk(service.url).ask, pool), _pictures),
            }
            ratios = {
                name: min(_seconds(judge, make(queries, seed + number)) for number in range(REPEATS)) / least
                for name, (judge, make) in ways.items()
            }
        log = service.log()
    good, expected = sum(entry["status"] == 200 for entry in log), 3 * REPEATS * queries + 1
    if not good == len(log) == expected:
        raise RuntimeError(f"The service saw {len(log)} requests, {good} of them good, in the place of {expected}.")
    return ratios


class _Sdk:
    """The flagship's oracle, which imports the package before it is timed."""

    def __init__(self, url: str) -> None:
        service = Service("stub-vision", base_url=url, concurrency=CONCURRENCY)
        self.oracle = OpenAICompatibleOracle(service, candidates={ASKED: ("somebody", "nobody", "dog")})
        self.ask(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))

    def ask(self, clip: torch.Tensor) -> float:
        (answer,) = self.oracle.ask(clip[None], [ASKED])
        return -(answer.logprobs or {})["somebody"]


def _seconds(judge: Judge, payloads: Sequence[Any]) -> float:
    started = time.perf_counter()
    losses = judge(payloads)
    elapsed = time.perf_counter() - started
    if len(set(losses)) < len(payloads) / 2:
        raise RuntimeError("The answers do not depend on what was asked.")
    return elapsed


def _texts(queries: int, seed: int) -> list[str]:
    return [f"throughput {seed} {number}" for number in range(queries)]


def _pictures(queries: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return list(torch.randint(256, (queries, 1, 3, 8, 8), dtype=torch.uint8, generator=generator))
