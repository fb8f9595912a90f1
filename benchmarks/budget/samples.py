"""Samples by need: queries until a pool of samples is fitted, each way with its step tuned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

import zoopt_mo as zo
from benchmarks.budget.compare import Row, row_of, tuned

Array = npt.NDArray[np.float64]

NUM_SAMPLES, SIZE, DRAWN = 60, 10, 6
BUDGET = 6000
GOAL = 0.05  # share of the first mean loss of the pool
GRID = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
POOLS = {"few hard samples": 6, "all alike": NUM_SAMPLES}
VARIANTS = {"weighted": True, "plain mean of those drawn": False}


def rows(seeds: Sequence[int]) -> list[Row]:
    """Queries to the goal over those of even draws; a run that does not get there counts its whole budget."""
    found = []
    for pool in POOLS:
        even = tuned(partial(_run, pool, 1.0, False), GRID, seeds)  # noqa: FBT003 - partial has no keywords before lr
        for variant, weighted in VARIANTS.items():
            ours = tuned(partial(_run, pool, 0.3, weighted), GRID, seeds)
            found.append(row_of(("samples", variant, pool, f"queries to {GOAL:.0%} of the loss"), ours, even))
    return found


def _pool(num_hard: int, seed: int) -> tuple[Array, Array]:
    """Inputs ``[b, p]`` and targets of a linear fit without rest; what is not hard is nearly fitted at zero."""
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((NUM_SAMPLES, SIZE))
    inputs[num_hard:] *= 0.1
    return inputs, inputs @ generator.standard_normal(SIZE)


def _run(pool: str, floor: float, weighted: bool, lr: float, seed: int) -> float:  # noqa: FBT001
    inputs, targets = _pool(POOLS[pool], seed)
    scheduler = zo.SampleScheduler(NUM_SAMPLES, seed=seed, floor=floor)
    estimator = zo.SPSA(radius=0.01, directions=zo.hadamard, seed=seed)
    theta, budget = np.zeros(SIZE), zo.Budget(queries=BUDGET)
    goal = GOAL * float(np.mean(targets**2))
    while budget.allows(2 * DRAWN) and np.isfinite(theta).all():
        if np.mean((inputs @ theta - targets) ** 2) < goal:
            break
        drawn = scheduler.draw(DRAWN)
        factors = scheduler.weights if weighted else np.full(DRAWN, 1 / DRAWN)
        probes = np.stack([theta + probe.dense(dtype=torch.float64).numpy() for probe in estimator.ask(SIZE)])
        losses = np.minimum((probes @ inputs[drawn].T - targets[drawn]) ** 2, 1e100)  # [q, b]
        theta = theta - lr * estimator.tell(losses @ factors).gradient.dense(dtype=torch.float64).numpy()
        scheduler.tell(drawn, losses.T)
        budget.spend(queries=losses.size)
    return float(budget.queries if np.isfinite(theta).all() else BUDGET)
