"""Two valleys of two parameters, and the way of each method from the top left to the bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

import zoopt_mo as zo
from benchmarks.ablations import Fields, Job
from benchmarks.trajectories.measures import Vector, Walk, measures
from zoopt_mo import problems

SPSA, HISTORY, RECOMMENDED = "SPSA", "critical history", "recommended"
METHODS: Mapping[str, Callable[[float], zo.Estimator]] = {
    SPSA: lambda radius: zo.SPSA(radius=radius),
    HISTORY: lambda radius: zo.CriticalHistory(zo.SPSA(radius=radius), capacity=10),
    "SPSA-GC": lambda radius: zo.GradientCorrection(zo.SPSA(radius=radius)),
    RECOMMENDED: lambda radius: zo.recommended(radius=radius),
}


@dataclass(frozen=True)
class Landscape:
    """A loss of two parameters, and how all methods are run on it.

    Args:
        problem: The loss.
        away: From its minimizer to the start.
        lr: The step that all share.
        radius: Radius of the probes.
        queries: Queries of a run.
        limits: What the picture shows.
        noise: Standard deviation of the noise on each query.
    """

    problem: problems.SingleObjective
    away: tuple[float, float]
    lr: float
    radius: float
    queries: int
    limits: tuple[tuple[float, float], tuple[float, float]]
    noise: float = 0.02

    @property
    def start(self) -> Vector:
        """Where all runs begin ``[2]``."""
        place: Vector = self.problem.minimizer + np.array(self.away)
        return place

    def loss(self, x: Vector) -> float:
        """The loss without noise."""
        return float(self.problem.losses(x)[0])

    def step(self, method: str) -> float:
        """The step of a method that its factor multiplies; ``recommended`` finds its own, and 1 leaves it alone."""
        return 1.0 if method == RECOMMENDED else self.lr


LANDSCAPES: Mapping[str, Landscape] = {
    "straight valley": Landscape(
        problems.HuberValley(2, condition=10.0, rotated=True, seed=1),
        away=(-3.0, 3.0),
        lr=0.1,
        radius=0.05,
        queries=300,
        limits=((-4.0, 2.0), (0.0, 6.0)),
    ),
    "curved valley": Landscape(
        problems.Rosenbrock(2),
        away=(-2.2, 0.8),
        lr=2e-4,
        radius=0.02,
        queries=1200,
        limits=((-2.0, 1.8), (-0.6, 3.0)),
    ),
}


@dataclass(frozen=True)
class Extent:
    """How much is run.

    Args:
        factors: Steps that tuning tries, in units of the shared one.
        tuning_seeds: Seeds of the tuning, which no table has.
    """

    factors: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    tuning_seeds: tuple[int, ...] = (1000, 1001, 1002, 1003, 1004)


QUICK = Extent(factors=(1.0, 4.0), tuning_seeds=(1000,))


def job(method: str, landscape: str, seed: int, factor: float) -> Job:
    """A run.

    Args:
        method: Key of ``METHODS``.
        landscape: Key of ``LANDSCAPES``.
        seed: Its seed.
        factor: Its step, in units of the shared one.
    """
    return Job(method, landscape, seed, (("factor", factor), ("queries", LANDSCAPES[landscape].queries)))


def tuning_jobs(extent: Extent) -> list[Job]:
    """Every method with every step on every landscape."""
    return [
        job(name, landscape, seed, factor)
        for landscape in LANDSCAPES
        for name in METHODS
        for factor in extent.factors
        for seed in extent.tuning_seeds
    ]


def jobs(chosen: Mapping[tuple[str, str], float], seeds: int) -> list[Job]:
    """All runs of both protocols; where tuning chose the shared step they have the same.

    Args:
        chosen: By landscape and method, the step that tuning chose; other landscapes are left out.
        seeds: Seeds of each.
    """
    return [
        job(name, landscape, seed, factor)
        for (landscape, name), best in chosen.items()
        if landscape in LANDSCAPES
        for factor in dict.fromkeys((1.0, best))
        for seed in range(seeds)
    ]


def make(job: Job) -> Fields:
    """One run, measured; nothing is known of one whose step is so long that the losses overflow."""
    try:
        return measures(walk(job), float(job["queries"]))
    except (ValueError, zo.TooManyFailures):
        return {"arrived": None, "late_distance": None, "path_ratio": None, "uphill": None}


def walk(job: Job) -> Walk:
    """One run.

    Raises:
        ValueError: If the losses overflow.
        zoopt_mo.TooManyFailures: If the probes' do.
    """
    land = LANDSCAPES[job.setting]
    noise = problems.AdditiveNoise(land.noise, seed=job.seed)
    visited = [(0, land.start)]
    with np.errstate(over="ignore", invalid="ignore"):
        zo.minimize(
            lambda x: float(noise(land.loss(x))),
            land.start,
            lr=float(job["factor"]) * land.step(job.method),
            estimator=METHODS[job.method](land.radius),
            budget=land.queries + 1,  # the end is asked once more
            seed=job.seed,
            callback=lambda result: visited.append((int(result.nfev[0]), result.x)),
        )
    points = np.array([point for _, point in visited])
    return Walk(
        spent=np.array([spent for spent, _ in visited], dtype=np.float64),
        points=points,
        losses=np.array([land.loss(point) for point in points]),
        distances=np.linalg.norm(points - land.problem.minimizer, axis=1),
    )
