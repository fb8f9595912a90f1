"""More of the past where little is left: the loss that a small budget comes to, each way with its step tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

import zoopt_mo as zo
from benchmarks.budget.compare import Row, row_of, tuned

SIZE = 30
BUDGETS = (100, 400)
GRID = (0.1, 0.2, 0.4, 0.8, 1.6)  # over the trace of the Hessian
# Problem, trace and standard deviation of the noise.
PROBLEMS = {
    "bowl": (zo.problems.Sphere(SIZE), float(SIZE), 0.0),
    "bowl, noisy": (zo.problems.Sphere(SIZE), float(SIZE), 0.3),
    "ellipsoid": (
        zo.problems.Ellipsoid(SIZE, condition=100.0, rotated=True),
        float(np.geomspace(1.0, 0.01, SIZE).sum()),
        0.0,
    ),
}
Make = Callable[[zo.Budget], dict[str, object]]
# The fixed settings beside the moving ones tell whether it is the schedule that helps.
VARIANTS: dict[str, Make] = {
    "blend 0.6 to 0.3": lambda budget: {"blend": zo.reuse_more(budget, full=0.6, empty=0.3)},
    "blend 0.3 throughout": lambda _budget: {"blend": 0.3},
    "capacity 10 to 40": lambda budget: {"capacity": zo.reuse_more(budget, full=10, empty=40)},
    "capacity 40 throughout": lambda _budget: {"capacity": 40},
    "both, 0.6 to 0.3 and 10 to 40": lambda budget: {
        "blend": zo.reuse_more(budget, full=0.6, empty=0.3),
        "capacity": zo.reuse_more(budget, full=10, empty=40),
    },
}


def rows(seeds: Sequence[int]) -> list[Row]:
    """The loss at the end over that of the fixed history of ten blended in at 0.6."""
    found = []
    for problem in PROBLEMS:
        for queries in BUDGETS:
            run = partial(_run, problem, queries)
            fixed = tuned(partial(run, lambda _budget: {}), GRID, seeds)
            for variant, make in VARIANTS.items():
                names = ("reuse", variant, problem, f"loss after {queries} queries")
                found.append(row_of(names, tuned(partial(run, make), GRID, seeds), fixed))
    return found


def _run(name: str, queries: int, make: Make, factor: float, seed: int) -> float:
    (problem, trace, noise), generator = PROBLEMS[name], np.random.default_rng(seed)
    budget = zo.Budget(queries=queries)
    spsa = zo.SPSA(radius=0.1, directions=zo.hadamard, seed=seed)
    estimator = zo.CriticalHistory(spsa, **make(budget))  # type: ignore[arg-type]
    theta = problem.start(seed)
    while budget.allows(2):
        probes = np.stack([theta + probe.dense(dtype=torch.float64).numpy() for probe in estimator.ask(SIZE)])
        losses = problem.losses(probes)[:, 0] + noise * generator.standard_normal(2)
        estimate = estimator.tell(losses)
        theta = theta - factor / trace * estimate.gain * estimate.gradient.dense(dtype=torch.float64).numpy()
        budget.spend(queries=2)
    return float(problem.losses(theta)[0])
