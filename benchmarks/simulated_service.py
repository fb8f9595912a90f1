"""Calls to a service, event by event: places, pacing, a tail of latency, failures and repetitions.

The independent check of :mod:`privacy_mllm.waiting`: the same rules, played through with random numbers.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from privacy_mllm.waiting import BACKOFF_JITTER, Latency, Retries

OVER = -1  # in the place of a number of attempts: the call is over


@dataclass(frozen=True)
class Round:
    """What came of a round of calls.

    Args:
        seconds: Until the last call was over.
        attempts: Attempts of all calls.
        answered: Calls that were answered.
    """

    seconds: float
    attempts: int
    answered: int


class SimulatedService:
    """A client with so many places before a service that takes its time.

    Args:
        latency: Of one attempt.
        concurrency: Calls at the same time.
        interval: Least seconds between the starts of attempts.
        retries: What happens to attempts that fail.
        seed: Seed of all draws.
    """

    def __init__(self, latency: Latency, concurrency: int, interval: float, retries: Retries, seed: int) -> None:
        self.latency, self.concurrency, self.interval, self.retries = latency, concurrency, interval, retries
        self._random = np.random.default_rng(seed)
        self._latencies = self._draw()

    def ask(self, num_calls: int) -> Round:
        """Put so many calls at once and wait for all."""
        waiting = num_calls - min(self.concurrency, num_calls)
        turn = over = 0.0  # when the next attempt may start; when the last call was over
        attempts = answered = 0
        events = [(0.0, 0)] * (num_calls - waiting)  # when an attempt is due, and how many its call has made
        while events:
            due, made = heapq.heappop(events)
            if made == OVER:  # a place is free
                over = due
                if waiting:
                    waiting -= 1
                    heapq.heappush(events, (due, 0))
                continue
            start = max(due, turn)
            turn = start + self.interval
            attempts += 1
            end = start + next(self._latencies)
            failed = self._random.random() < self.retries.failure_rate
            if failed and made < self.retries.most:
                heapq.heappush(events, (end + self._wait(made), made + 1))
            else:
                answered += not failed
                heapq.heappush(events, (end, OVER))
        return Round(over, attempts, answered)

    def _draw(self) -> Iterator[float]:
        while True:
            yield from self.latency.of_scores(self._random.standard_normal(4096)).tolist()

    def _wait(self, number: int) -> float:
        jitter = 0.0 if self.retries.retry_after is not None else BACKOFF_JITTER * self._random.random()
        return self.retries.backoff(number) * (1 - jitter)
