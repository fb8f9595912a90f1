"""A whole step of the library on parameters that lie on the device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import zoopt_mo as zo
from benchmarks.gpu.timing import Timing, free_memory, measure, peak_bandwidth

CAPACITY = 10
ESTIMATORS: dict[str, tuple[Callable[[], zo.Estimator], int]] = {
    "spsa": (lambda: zo.SPSA(radius=1e-3), 2),
    "critical_history": (lambda: zo.CriticalHistory(zo.SPSA(radius=1e-3), capacity=CAPACITY), CAPACITY + 2),
    "recommended": (lambda: zo.recommended(radius=1e-3), 6),
}  # with the steps until a step is like the next


def library_rows(size: int, device: torch.device, *, seconds: float) -> Iterator[dict[str, Any]]:
    """A row for each estimator at ``size`` parameters in ``float32``, beside a plain pass over them.

    Args:
        size: Number of parameters ``p``.
        device: Where they are.
        seconds: Time to spend on each.
    """
    theta = torch.full((size,), 0.1, device=device).requires_grad_()
    one_pass = _time_pass(theta, seconds=min(seconds, 1.0))
    free_memory(device)
    best = peak_bandwidth(device)
    yield {"part": "library", "name": "pass", "p": size, **_rates(one_pass, 12 * size, one_pass, best)}
    for name, (make, warmup) in ESTIMATORS.items():
        try:
            step, queries = _step(theta, make())
            timing = measure(step, device, seconds=seconds, warmup=warmup)
        except torch.OutOfMemoryError as error:
            yield {"part": "library", "name": name, "p": size, "failed": str(error).partition(". ")[0]}
            continue
        finally:
            theta.grad = None
            free_memory(device)
        row = _rates(timing, bytes_to_move(size, queries()), one_pass, best)
        yield {"part": "library", "name": name, "p": size, "queries": queries(), **row}


def bytes_to_move(size: int, queries: int) -> int:
    """Bytes that a step must move, whoever writes it.

    Each of the ``queries`` reads theta and writes it moved; putting it back reads and writes it; the gradient is
    written once; the update reads theta and gradient and writes theta. Signs cost nothing here: they can be computed.

    Args:
        size: Parameters ``p`` of four bytes.
        queries: Queries of the step.
    """
    return 4 * size * (2 * queries + 2 + 1 + 3)


def _step(theta: Tensor, estimator: zo.Estimator) -> tuple[Callable[[], None], Callable[[], int]]:
    """A step with a loss that costs nothing and differs each time, and a function that tells its last queries."""
    losses = itertools.count()
    black = zo.BlackBox(lambda: float(next(losses) % 7), estimator=estimator)
    scalarize, optimizer = zo.WeightedSum(weights=[1.0]), torch.optim.SGD([theta], lr=1e-9)
    reports: list[zo.StepReport] = []

    def step() -> None:
        reports[:] = [zo.backward([black], scalarize, theta)]
        optimizer.step()
        optimizer.zero_grad()

    return step, lambda: reports[0].num_queries


def _time_pass(theta: Tensor, *, seconds: float) -> Timing:
    """One ``theta.add_(other)``, of so many at once that starting them takes no time beside them."""
    target, other = theta.detach(), torch.empty_like(theta).fill_(0.0)  # written to: untouched zeros are all one page
    repeats = max(4, min(1000, 2_000_000_000 // theta.numel()))

    def passes() -> None:
        for _ in range(repeats):
            target.add_(other)

    timing = measure(passes, theta.device, seconds=seconds)
    return Timing(timing.seconds / repeats, timing.runs * repeats, timing.peak_bytes)


def _rates(timing: Timing, moved: int, one_pass: Timing, best: float | None) -> dict[str, Any]:
    speed = moved / timing.seconds
    return {
        "seconds": timing.seconds,
        "steps_a_second": 1 / timing.seconds,
        "passes": timing.seconds / one_pass.seconds,
        "bytes_to_move": moved,
        "bytes_a_second": speed,
        "share_of_peak": None if best is None else speed / best,
        "peak_gb": None if timing.peak_bytes is None else timing.peak_bytes / 1e9,
        "runs": timing.runs,
    }
