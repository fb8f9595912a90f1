"""Microseconds a step where theta is small and bookkeeping is all there is; of the processor, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import zoopt_mo as zo
from benchmarks.overhead.jobs import Job
from benchmarks.overhead.ours import CAPACITY, RADIUS, fresh_theta
from benchmarks.overhead.peers import PEERS

ROUNDS = 7
STEPS = 100  # a multiple of what a call of any peer takes


@dataclass(frozen=True)
class Run:
    """A method, ready to take many steps.

    Args:
        steps: Takes that many steps.
        queries: Queries of a step.
    """

    steps: Callable[[int], object]
    queries: float = 2


def measure(job: Job) -> list[dict[str, Any]]:
    """Median microseconds a step of each method at ``p``, the methods in turn."""
    runs: dict[str, Run] = {}
    rows: list[dict[str, Any]] = []
    for name, _ in job.methods:
        found = _ready(name, job.p)
        if isinstance(found, Run):
            runs[name] = found
        else:
            rows.append({"method": name, "note": found})
    taken: dict[str, list[float]] = {name: [] for name in runs}
    steps = STEPS * max(1, round(2 * job.seconds))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            started = time.process_time()
            run.steps(steps)
            taken[name].append((time.process_time() - started) / steps)
    return rows + [
        {"method": name, "queries": run.queries, "microseconds": 1e6 * median(taken[name][1:])}
        for name, run in runs.items()
    ]


def _ready(name: str, size: int) -> Run | str:
    try:
        return OURS[name](size) if name in OURS else _peer(name, size)
    except ImportError as error:
        return f"not installed: {error.name}"


def _minimize(size: int, build: Callable[[], zo.Estimator]) -> Run:
    """Whole runs of ``zo.minimize``, their set-up included."""
    start = np.full(size, 0.1)
    return Run(lambda steps: zo.minimize(_loss, start, lr=1e-8, estimator=build(), max_steps=steps))


def _peer(name: str, size: int) -> Run:
    step = PEERS[name](fresh_theta(size))

    def run(steps: int) -> None:
        for _ in range(steps // step.per_call):
            step.run()

    return Run(run, step.queries)


def _loss(x: npt.NDArray[np.float64]) -> float:
    return float(x @ x)


OURS: dict[str, Callable[[int], Run]] = {
    "spsa": lambda size: _minimize(size, lambda: zo.SPSA(radius=RADIUS)),
    "critical_history": lambda size: _minimize(
        size, lambda: zo.CriticalHistory(zo.SPSA(radius=RADIUS), capacity=CAPACITY)
    ),
}
