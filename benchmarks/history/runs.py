"""Variants of the critical history: the four ablations of table 7, and one constant changed at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import zoopt_mo as zo
from benchmarks.ablations import Fields, Job
from benchmarks.estimators.world import RUN, Extent, job, training_of, watch
from privacy_mllm.config import TrainConfig

FULL = "full"
WITHOUT_HISTORY = "w/o history gradient"
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    WITHOUT_HISTORY: {},
    "w/o critical gradient collection": {"selection": "latest"},
    "w/o gradient direction improvement": {"improve_direction": False},
    "w/o step size adjustment": {"adjust_step": False},
    FULL: {},
}
GRID: Mapping[str, tuple[float, ...]] = {
    "capacity": (2, 10, 20),
    "decay": (0.6, 0.8, 0.97),
    "blend": (0.3, 0.8, 0.95),
    "magnitude": (0.2, 0.5, 1.5),
}
SYMBOLS = {"capacity": "m", "decay": "d", "blend": "gamma", "magnitude": "b"}


def constant(name: str, value: float) -> str:
    """The name of the variant with one constant changed, ``m = 10``."""
    return f"{SYMBOLS[name]} = {value:g}"


def options_of(method: str) -> dict[str, Any]:
    """What a variant changes of the usual critical history.

    Args:
        method: Name of the variant.
    """
    usual = TrainConfig()
    options: dict[str, Any] = {name: getattr(usual, name) for name in SYMBOLS}
    for name, values in GRID.items():
        for value in values:
            if method == constant(name, value):
                return {**options, name: int(value) if name == "capacity" else value}
    return {**options, **ABLATIONS[method]}


def estimator_of(method: str, seed: int) -> zo.Estimator:
    """The estimator of a variant.

    Args:
        method: Name of the variant.
        seed: Seed of the directions.
    """
    config = TrainConfig()
    spsa = zo.SPSA(radius=zo.SpallGains(lr=1.0, radius=config.radius, stability=config.stability).radius_at, seed=seed)
    return spsa if method == WITHOUT_HISTORY else zo.CriticalHistory(spsa, **options_of(method))


def jobs(extent: Extent, seeds: int, *, sensitivity_seeds: int) -> list[Job]:
    """All runs, at the one step of the settings.

    Args:
        extent: How much is run.
        seeds: Seeds of the ablations.
        sensitivity_seeds: Seeds of each constant's values.
    """
    found = [job(name, RUN, seed, extent) for name in ABLATIONS for seed in range(seeds)]
    names = [constant(name, value) for name, values in GRID.items() for value in values]
    return found + [job(name, RUN, seed, extent) for name in names for seed in range(sensitivity_seeds)]


def make(job: Job) -> Fields:
    """One training with a variant, judged."""
    training = training_of(job, estimator_of(job.method, job.seed), lr=TrainConfig().utility_lr)
    return watch(job, training, (record.calls for record in training.steps()))


QUICK = Extent(clips=200, pool=32, calls=2.0, watched=24, test_clips=40, attacker_steps=10, marks=1)
FULL_EXTENT = replace(Extent(), marks=5)
