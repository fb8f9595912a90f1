"""Where a step's time goes: its parts, called one by one through the public interface."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from statistics import median
from typing import Any

import torch

import zoopt_mo as zo
from benchmarks.overhead.jobs import Job
from benchmarks.overhead.ours import CAPACITY, RADIUS, fresh_theta, loss_of
from benchmarks.overhead.timing import pass_timer

ROUNDS = 5


def measure(job: Job) -> list[dict[str, Any]]:
    """Passes over theta that each part takes, of SPSA and with a filled history."""
    theta = fresh_theta(job.p)
    spsa, history = zo.SPSA(radius=RADIUS), zo.CriticalHistory(zo.SPSA(radius=RADIUS), capacity=CAPACITY)
    return [
        {"method": name, "part": part, "passes": passes}
        for name, estimator, warmup in (("spsa", spsa, 2), ("critical_history", history, CAPACITY + 2))
        for part, passes in _profile(theta, estimator, warmup).items()
    ]


def _profile(theta: torch.Tensor, estimator: zo.Estimator, warmup: int) -> dict[str, float]:
    one_pass = pass_timer(theta)
    parameters, loss = zo.Parameters(theta), loss_of(theta)
    optimizer = torch.optim.SGD([theta], lr=1e-8)
    taken: dict[str, list[float]] = defaultdict(list)
    for round_ in range(warmup + ROUNDS):
        marks = [("", time.perf_counter())]

        def mark(part: str, marks: list[tuple[str, float]] = marks) -> None:
            marks.append((part, time.perf_counter()))

        displacements = estimator.ask(parameters.size)
        mark("draw directions")
        losses = []
        with parameters.probing() as move:
            mark("save theta")
            for displacement in displacements:
                move(displacement)
                losses.append(loss())
            mark("probes")
        mark("restore theta")
        estimate = estimator.tell(losses)
        estimate.gradient.norm()
        mark("estimate")
        parameters.add_grad(estimate.gradient, estimate.gain)
        mark("write .grad")
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        mark("optimizer")
        if round_ >= warmup:
            unit = one_pass()
            for (_, start), (part, end) in itertools.pairwise(marks):
                taken[part].append((end - start) / unit)
    return {part: median(passes) for part, passes in taken.items()}
