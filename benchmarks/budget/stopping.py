"""Stopping early: queries saved, and what the loss at the end costs for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import zoopt_mo as zo
from benchmarks.budget.compare import Row, row_of

BUDGET = 2000
NOISE = 0.05
# The step size is one that a user would take; stopping is judged as it is found, not tuned.
PROBLEMS = {
    "bowl, soon settled": (zo.problems.Sphere(20), 0.02, NOISE),
    "bowl, late settled": (zo.problems.Sphere(20), 0.004, NOISE),
    "ellipsoid with a slow tail": (zo.problems.Ellipsoid(20, condition=100.0), 0.02, NOISE),
    "bowl without noise": (zo.problems.Sphere(20), 0.004, 0.0),
}
Run = tuple[float, float, float]  # queries, true loss at the start and at the end
MEASURES: dict[str, Callable[[Run], float]] = {
    "queries": lambda run: run[0],
    "true loss at the end": lambda run: run[2],
    "1 / fall of the true loss": lambda run: 1 / (run[1] - run[2]),
}
VARIANTS = {"default": {}, "patience 6": {"patience": 6}}


def rows(seeds: Sequence[int]) -> list[Row]:
    """Queries, loss at the end and fall, over those of the whole budget."""
    found = []
    for problem in PROBLEMS:
        whole = [_run(problem, seed, None) for seed in seeds]
        for variant, options in VARIANTS.items():
            stopped = [_run(problem, seed, zo.StableTrajectory(**options)) for seed in seeds]
            for measure, of in MEASURES.items():
                names = ("stopping", variant, problem, measure)
                found.append(row_of(names, [of(run) for run in stopped], [of(run) for run in whole]))
    return found


def _run(name: str, seed: int, callback: zo.StableTrajectory | None) -> Run:
    """Queries, and the loss without noise at the start and at the end."""
    problem, lr, scale = PROBLEMS[name]
    noise = np.random.default_rng(seed)
    estimator = zo.SPSA(radius=0.1, directions=zo.hadamard)
    result = zo.minimize(
        lambda x: float(problem.losses(x)[0]) + scale * noise.standard_normal(),
        problem.start(seed),
        lr=lr,
        estimator=estimator,
        budget=BUDGET + 1,
        seed=seed,
        callback=callback,
    )
    first, last = problem.losses(np.stack([problem.start(seed), result.x]))[:, 0]
    return float(result.nfev[0]), float(first), float(last)
