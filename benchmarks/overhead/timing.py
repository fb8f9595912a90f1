"""Time of a step in passes over theta, measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Step:
    """Something to time.

    Args:
        run: Takes a step.
        queries: Queries of a step.
        warmup: Steps to take before the first that counts.
        per_call: Steps that one call of ``run`` takes.
        slot_bytes: Memory of a filled history divided by its capacity, where there is one.
    """

    run: Callable[[], object]
    queries: float = 2
    warmup: int = 2
    per_call: int = 1
    slot_bytes: Callable[[], float] | None = None


@dataclass(frozen=True)
class Timing:
    """Medians over the rounds.

    Args:
        seconds: Of a step.
        passes: Time of a step over that of the passes right before and after it.
    """

    seconds: float
    passes: float


def side_by_side(
    one_pass: Callable[[], float],
    steps: Mapping[Name, Step],
    *,
    seconds: float,
    in_a_row: int = 1,
    least: int = 3,
    most: int = 200,
) -> dict[Name, Timing]:
    """Take passes and steps in turn, so that neither drift nor neighbours of the machine favour one of them.

    Args:
        one_pass: Measures the seconds of a pass, as :func:`pass_timer` gives it.
        steps: The steps by name.
        seconds: Time to spend on rounds; a round is ``in_a_row`` calls of every step.
        in_a_row: Calls of a step in a round, as in a run, where what fits the cache is there from the step before.
        least: Rounds that are taken even if they need more time, up to ten times as much.
        most: Most rounds.
    """
    for step in steps.values():
        for _ in range(-(-step.warmup // step.per_call)):
            step.run()
    taken: dict[Name, list[float]] = {name: [] for name in steps}
    ratios: dict[Name, list[float]] = {name: [] for name in steps}
    started = time.perf_counter()
    for done in range(most):
        spent = time.perf_counter() - started
        if done and spent > seconds * (1 if done >= least else 10):
            break
        before = one_pass()
        for name, step in steps.items():
            took = _seconds(step.run, in_a_row) / step.per_call
            after = one_pass()
            taken[name].append(took)
            ratios[name].append(2 * took / (before + after))
            before = after
    return {name: Timing(statistics.median(taken[name]), statistics.median(ratios[name])) for name in steps}


def pass_timer(theta: Tensor) -> Callable[[], float]:
    """A function that measures the seconds of one ``theta.add_(other)``, averaged over a few milliseconds of them."""
    target = theta.detach()
    other = torch.empty_like(target).fill_(0.0)  # written to: untouched zeros would all be one page
    repeats = max(2, min(500, 20_000_000 // target.numel()))

    def measure() -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            target.add_(other)
        return (time.perf_counter() - started) / repeats

    measure()
    return measure


def _seconds(run: Callable[[], object], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - started) / times
