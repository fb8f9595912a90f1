"""Fronts known in closed form, the first loss a black box and the second a white one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

import zoopt_mo as zo
from benchmarks.ablations import Fields, Job, Row
from benchmarks.scalarizers.families import FAMILIES, share_led
from zoopt_mo import problems

Points = npt.NDArray[np.float64]

SIZE = 10  # parameters
MARGIN = 0.01
RADIUS = 1e-3
STEPS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TUNING_SHARES = (0.3, 0.5, 0.7)
SHARES = (0.2, 0.35, 0.5, 0.65, 0.8)
ACTIVE = (0.2, 0.8)
"""Where both objectives count as active: the share of steps that the first leads."""
BEYOND = 1.1
"""Where the hypervolume is taken from, in ranges of the front beyond the ideal point."""

PROBLEMS: dict[str, problems.Problem] = {
    "convex pair": problems.ConvexPair(SIZE),
    "concave pair": problems.ConcavePair(SIZE),
    "Fonseca-Fleming (concave)": problems.FonsecaFleming(SIZE),
    "smooth ZDT2 (concave)": problems.SmoothZDT2(SIZE),
}


@dataclass(frozen=True)
class Extent:
    """How much of the analytic part is run.

    Args:
        problems: Names of the problems.
        shares: Weights of the first loss.
        steps: Grid of the first step size.
        budget: Queries of each minimization.
        tuning_seeds: Seeds on which the step is chosen; no run has them.
    """

    problems: tuple[str, ...] = tuple(PROBLEMS)
    shares: tuple[float, ...] = SHARES
    steps: tuple[float, ...] = STEPS
    budget: int = 401
    tuning_seeds: tuple[int, ...] = (1000, 1001)


QUICK = Extent(problems=("convex pair", "Fonseca-Fleming (concave)"), shares=TUNING_SHARES, steps=(0.03, 0.1, 0.3))


def tuning_jobs(extent: Extent) -> list[Job]:
    """Every scalarizer on every problem with every step, the same number of runs for each."""
    return [
        _job(family, problem, seed, share, lr, extent.budget)
        for problem in extent.problems
        for family in FAMILIES
        for lr in extent.steps
        for share in TUNING_SHARES
        for seed in extent.tuning_seeds
    ]


def chosen_steps(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """By scalarizer and problem, the step with the largest mean hypervolume over the tuning seeds."""
    found: dict[tuple[str, str], dict[float, float]] = {}
    for row in rows:
        found.setdefault((row.job.method, row.job.setting), {})[float(row.job["lr"])] = 0.0
    for (family, problem), by_step in found.items():
        for lr in by_step:
            mine = [row for row in rows if (row.job.method, row.job.setting, row.job["lr"]) == (family, problem, lr)]
            by_step[lr] = float(np.mean(list(volumes(mine).values())))
    return {key: max(by_step, key=lambda lr: by_step[lr]) for key, by_step in found.items()}


def jobs(extent: Extent, steps: dict[tuple[str, str], float], num_seeds: int) -> list[Job]:
    """Every scalarizer with its own step, over weights and seeds."""
    return [
        _job(family, problem, seed, share, steps[family, problem], extent.budget)
        for problem in extent.problems
        for family in FAMILIES
        for share in extent.shares
        for seed in range(num_seeds)
    ]


def _job(family: str, problem: str, seed: int, share: float, lr: float, budget: int) -> Job:
    return Job(family, problem, seed, (("share", share), ("lr", lr), ("budget", budget)))


def make(job: Job) -> Fields:
    """One minimization: the losses at its end, and the share of steps that the first loss led."""
    problem, share = PROBLEMS[job.setting], float(job["share"])
    weights, ideal, budget = [share, 1 - share], problem.ideal.tolist(), int(job["budget"])
    gains = zo.SpallGains(lr=float(job["lr"]), radius=RADIUS, stability=budget / 20)
    boxes = problem.objectives(black=(0,), estimator=zo.SPSA(radius=RADIUS))
    try:
        result = zo.minimize(
            boxes,
            problem.start(job.seed),
            scalarizer=FAMILIES[job.method](weights, ideal, MARGIN),
            lr=gains.lr_at,
            budget=budget,
            seed=job.seed,
        )
    except ValueError:  # a step so long that the losses overflow
        return {"loss_1": None, "loss_2": None, "led_by_1": None, "queries": budget}
    led = share_led([report.losses for report in result.history], weights, ideal, MARGIN)
    return {
        "loss_1": float(result.F[0]),
        "loss_2": float(result.F[1]),
        "led_by_1": round(led, 3),
        "queries": int(result.nfev[0]),
    }


def volumes(rows: Sequence[Row]) -> dict[int, float]:
    """By seed, the hypervolume of the points of one scalarizer on one problem, over that of the true front."""
    found: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        found.setdefault(row.job.seed, []).append((row.number("loss_1"), row.number("loss_2")))
    return {seed: share_of_volume(rows[0].job.setting, np.array(points)) for seed, points in found.items()}


def share_of_volume(problem: str, points: Points) -> float:
    """Hypervolume of points ``[k, 2]`` over that of the true front; points that are not finite count for nothing."""
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        return 0.0
    return zo.hypervolume(finite, corner(problem)) / _volume_of_front(problem)


def corner(problem: str) -> Points:
    """Where the hypervolume is taken from ``[2]``."""
    ideal, nadir = PROBLEMS[problem].ideal, PROBLEMS[problem].nadir
    return np.asarray(ideal + BEYOND * (nadir - ideal))


@cache
def _volume_of_front(problem: str) -> float:
    return zo.hypervolume(PROBLEMS[problem].front(2001), corner(problem))
