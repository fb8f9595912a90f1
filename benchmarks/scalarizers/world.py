"""The privacy world: the training of the flagship under each scalarizer, judged by answers and by attackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import zoopt_mo as zo
from benchmarks.ablations import Fields, Job, Row
from benchmarks.ablations.privacy_world import experiment_with, worth
from benchmarks.scalarizers.analytic import ACTIVE
from benchmarks.scalarizers.families import FAMILIES, IN_THE_WORLD, share_led
from privacy_mllm.config import TrainConfig
from privacy_mllm.experiment import Experiment
from privacy_mllm.losses import PRIVACY_IDEAL
from privacy_mllm.records import StepRecord
from privacy_mllm.train import Training

SCAN, WORLD = "privacy world, scan", "privacy world"
SCANNED = "Tchebycheff"
"""The scalarizer by which weights and ideals are scanned: its one maximum says what leads."""
SCAN_SEED = 1000


@dataclass(frozen=True)
class Extent:
    """How much of the privacy world is run; part of a job's key.

    Args:
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        test_clips: Clips that are judged.
        attacker_steps: Steps of each attacker.
        weights: Weights of utility that are tried.
        ideals: Ideal losses of utility that are scanned.
    """

    clips: int = 1500
    pool: int = 256
    calls: float = 15.0
    test_clips: int = 500
    attacker_steps: int = 200
    weights: tuple[float, ...] = (0.05, 0.1, 0.2)
    ideals: tuple[float, ...] = (0.3, 1.0, 1.6)


QUICK = Extent(clips=300, pool=64, calls=2.0, test_clips=60, attacker_steps=20, weights=(0.05, 0.2), ideals=(0.3, 1.6))
Setting = tuple[float, float]
"""Weight and ideal loss of utility."""


def scan_jobs(extent: Extent) -> list[Job]:
    """One training for each weight and ideal, which is not judged."""
    return [
        _job(SCANNED, SCAN, SCAN_SEED, (weight, ideal), extent) for weight in extent.weights for ideal in extent.ideals
    ]


def chosen_settings(rows: Sequence[Row]) -> list[Setting]:
    """For each weight the ideal with which utility led most nearly half of the steps."""
    weights = dict.fromkeys(float(row.job["weight"]) for row in rows)
    return [
        (weight, float(min((row for row in rows if row.job["weight"] == weight), key=_off_balance).job["ideal"]))
        for weight in weights
    ]


def _off_balance(row: Row) -> float:
    return abs(row.number("led_by_1") - sum(ACTIVE) / 2)


def jobs(extent: Extent, settings: Sequence[Setting], num_seeds: int) -> list[Job]:
    """Every scalarizer under every chosen setting, over seeds."""
    return [
        _job(family, WORLD, seed, setting, extent)
        for family in IN_THE_WORLD
        for setting in settings
        for seed in range(num_seeds)
    ]


def _job(family: str, part: str, seed: int, setting: Setting, extent: Extent) -> Job:
    sizes = (("clips", extent.clips), ("pool", extent.pool), ("calls", extent.calls))
    judging = (("test_clips", extent.test_clips), ("attacker_steps", extent.attacker_steps)) if part == WORLD else ()
    return Job(family, part, seed, (("weight", setting[0]), ("ideal", setting[1]), *sizes, *judging))


def make(job: Job) -> Fields:
    """One training; what led it, and unless it is of the scan, what it is worth."""
    experiment = experiment_with(int(job["clips"]), int(job["pool"]), float(job["calls"]), _test_clips(job))
    training = training_of(job, experiment)
    with training.desk:
        records = list(training.steps())
    found: Fields = {"led_by_1": round(_led(records, job), 3), "queries": training.num_calls}
    return found if job.setting == SCAN else {**found, **worth(job, experiment, training)}


def training_of(job: Job, experiment: Experiment) -> Training:
    """The flagship's training with the job's scalarizer."""
    training = experiment.training(job.seed)
    training.scalarize = FAMILIES[job.method](*_weights_and_ideal(job), experiment.config.margin)
    return training


def _weights_and_ideal(job: Job) -> tuple[list[float], list[float]]:
    weight = float(job["weight"])
    return [weight, 1 - weight], [float(job["ideal"]), PRIVACY_IDEAL["reverse_kl"]]


def _led(records: Sequence[StepRecord], job: Job) -> float:
    losses = [(record.utility, record.privacy) for record in records]
    return share_led(losses, *_weights_and_ideal(job), TrainConfig().margin)


def _test_clips(job: Job) -> int:
    return int(dict(job.parameters).get("test_clips", 1))


def volumes(rows: Sequence[Row]) -> dict[int, float]:
    """By seed, the area of utility and privacy that one scalarizer's points dominate, in percent of the whole."""
    found: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        point = (1 - row.number("utility") / 100, row.number("attacker_cmap") / 100)
        found.setdefault(row.job.seed, []).append(point)
    return {seed: 100 * zo.hypervolume(np.array(points), [1.0, 1.0]) for seed, points in found.items()}
