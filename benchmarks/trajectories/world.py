"""A training of the flagship as a trajectory in the plane of its two losses.

A step's losses are those of its batch; what is drawn and measured are their means over the latest pass through the
clips that are asked about. Distance and loss are both the augmented Tchebycheff function, which is what the training
minimizes: a weighted distance from the ideal point. Lengths are weighted alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.ablations import Fields, Job
from benchmarks.estimators.world import training_of
from benchmarks.trajectories.measures import MARKS, Vector, Walk, at, marked, measures
from benchmarks.trajectories.plane import HISTORY, SPSA
from privacy_mllm.config import TrainConfig
from privacy_mllm.losses import PRIVACY_IDEAL
from privacy_mllm.method import build_scalarizer
from privacy_mllm.records import StepRecord

WORLD = "privacy world"
METHODS: Mapping[str, str] = {SPSA: "spsa", HISTORY: "critical-history"}
"""The flagship's names of the estimators."""

USUAL = TrainConfig()
SCALARIZER = build_scalarizer(USUAL)
WEIGHTS = np.array([USUAL.utility_weight, 1 - USUAL.utility_weight])
IDEAL = np.array([USUAL.utility_ideal, PRIVACY_IDEAL[USUAL.privacy_loss]])
"""What utility and privacy weigh, and their ideal point, which is the target ``[2]``."""


@dataclass(frozen=True)
class Extent:
    """How much is run; all but the last two are part of a job's key.

    Args:
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        factors: Steps that tuning tries, in units of the shared one.
        tuning_seeds: Seeds of the tuning, which no table has.
    """

    clips: int = 1500
    pool: int = 256
    calls: float = 10.0
    factors: tuple[float, ...] = (0.3, 1.0, 3.0)
    tuning_seeds: tuple[int, ...] = (1000, 1001)


QUICK = Extent(clips=200, pool=32, calls=8.0, factors=(1.0, 3.0), tuning_seeds=(1000,))


def job(method: str, seed: int, factor: float, extent: Extent) -> Job:
    """A training.

    Args:
        method: Key of ``METHODS``.
        seed: Its seed.
        factor: Its step along the estimated gradient, in units of the usual one.
        extent: How much is run.
    """
    sizes = {name: getattr(extent, name) for name in ("clips", "pool", "calls")}
    return Job(method, WORLD, seed, (("factor", factor), ("test_clips", 1), *sizes.items()))


def tuning_jobs(extent: Extent) -> list[Job]:
    """Both methods with every step."""
    return [
        job(name, seed, factor, extent) for name in METHODS for factor in extent.factors for seed in extent.tuning_seeds
    ]


def jobs(chosen: Mapping[tuple[str, str], float], seeds: int, extent: Extent) -> list[Job]:
    """All trainings of both protocols; where tuning chose the shared step they have the same.

    Args:
        chosen: By landscape and method, the step that tuning chose; other landscapes are left out.
        seeds: Seeds of each.
        extent: How much is run.
    """
    return [
        job(name, seed, factor, extent)
        for (landscape, name), best in chosen.items()
        if landscape == WORLD
        for factor in dict.fromkeys((1.0, best))
        for seed in range(seeds)
    ]


def make(job: Job) -> Fields:
    """One training, measured."""
    lr = float(job["factor"]) * USUAL.utility_lr
    training = training_of(job, None, lr=lr, name=METHODS[job.method])
    with training.desk:
        walk = to_walk(list(training.steps()), int(job["pool"]) // training.config.batch)
    queries = float(job["calls"]) * int(job["pool"])
    when = np.linspace(0, queries, MARKS + 1)
    means = at(walk, walk.points, when) / WEIGHTS
    return {**measures(walk, queries), **marked("utility", means[:, 0]), **marked("privacy", means[:, 1])}


def to_walk(records: Sequence[StepRecord], window: int) -> Walk:
    """Running means of the weighted losses, from the first full window on.

    Args:
        records: The steps.
        window: Steps of a mean; at most as many as there are.
    """
    losses = np.array([[record.utility, record.privacy] for record in records])
    sums = np.cumsum(np.vstack([np.zeros((1, 2)), losses]), axis=0)
    means = (sums[window:] - sums[:-window]) / window
    values = np.array([scalarized(mean) for mean in means])
    spent = np.array([record.calls for record in records[window - 1 :]], dtype=np.float64)
    return Walk(spent, means * WEIGHTS, values, values)


def scalarized(losses: Vector) -> float:
    """The augmented Tchebycheff function of utility and privacy ``[2]``."""
    return float(SCALARIZER(torch.from_numpy(losses)))
