"""The steps of this library that are timed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import zoopt_mo as zo
from benchmarks.overhead.timing import Step

RADIUS = 1e-2
CAPACITY = 10


def fresh_theta(size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The parameters of every measurement, one tensor ``[p]``."""
    return torch.full((size,), 0.1, dtype=dtype).requires_grad_()


def loss_of(theta: Tensor) -> Callable[[], float]:
    """A loss that costs microseconds: the first 64 entries squared."""
    few = theta.detach()[:64]
    return lambda: float(few.float().square().sum())


def spsa(theta: Tensor, num_pairs: int = 1) -> Step:
    """SPSA with ``num_pairs`` directions a step."""
    return _step(theta, zo.SPSA(radius=RADIUS, num_pairs=num_pairs), queries=2 * num_pairs, warmup=2)


def critical_history(theta: Tensor, capacity: int = CAPACITY) -> Step:
    """SPSA with a filled critical history of ``capacity`` gradients."""
    estimator = zo.CriticalHistory(zo.SPSA(radius=RADIUS), capacity=capacity)
    return _step(theta, estimator, queries=2, warmup=capacity + 2, slot_bytes=lambda: estimator.num_bytes / capacity)


def recommended(theta: Tensor) -> Step:
    """``zo.recommended(mixed=True)``, a pair a step; the white boxes' own gradients are not part of it."""
    return _step(theta, zo.recommended(radius=RADIUS, mixed=True), queries=2, warmup=3)


def recommended_block(theta: Tensor) -> Step:
    """``zo.recommended`` for one black box: blocks of sixteen queries once it has warmed up."""
    return _step(theta, zo.recommended(radius=RADIUS), queries=16, warmup=7)


def spsa_new_grad(theta: Tensor) -> Step:
    """SPSA, where ``zero_grad()`` frees ``.grad`` and each step has to find memory for it again."""
    return _step(theta, zo.SPSA(radius=RADIUS), queries=2, warmup=2, keep_grad=False)


def _step(
    theta: Tensor,
    estimator: zo.Estimator,
    *,
    queries: int,
    warmup: int,
    keep_grad: bool = True,
    slot_bytes: Callable[[], float] | None = None,
) -> Step:
    """One whole step: ``backward``, and plain SGD on what it put into ``.grad``.

    With ``keep_grad`` it is set to zero after a step, else freed, which is PyTorch's default.
    """
    black = zo.BlackBox(loss_of(theta), estimator=estimator)
    scalarize = zo.WeightedSum(weights=[1.0])
    optimizer = torch.optim.SGD([theta], lr=1e-8)

    def run() -> int:
        report = zo.backward([black], scalarize, theta)
        optimizer.step()
        optimizer.zero_grad(set_to_none=not keep_grad)
        return report.num_queries

    return Step(run, queries=queries, warmup=warmup, slot_bytes=slot_bytes)


OURS: dict[str, Callable[..., Step]] = {
    "spsa": spsa,
    "critical_history": critical_history,
    "recommended": recommended,
    "recommended_block": recommended_block,
    "spsa_new_grad": spsa_new_grad,
}
