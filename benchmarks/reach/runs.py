"""Trainings of two kinds of anonymizers by each method and weight, and what stands beside them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.ablations import Fields, Job, Row
from benchmarks.ablations.privacy_world import experiment_with, worth, worth_of
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.experiment import Experiment
from privacy_mllm.methods import NetworkAnonymizer, baselines
from privacy_mllm.train import Training

RUN, TUNING, FIXED = "run", "tuning", "fixed"

SPSA, HISTORY, TAUGHT, ALONE = "SPSA", "critical history", "taught guide", "guide alone"
GATED, PRIOR, BOUND = "guide, black box as gate", "prior-guided", "bound: gradient known"
RECOMMENDED, CORRECTED = "recommended", "recommended, with a guide"
NO_QUERY, START = "no query", "start"
ESTIMATORS: Mapping[str, str] = {
    SPSA: "spsa",
    HISTORY: "critical-history",
    RECOMMENDED: "recommended",
    CORRECTED: "guide-corrected",
    TAUGHT: "guide-taught",
    GATED: "guide-gated",
    ALONE: "guide-alone",
    BOUND: "spsa",  # its gradient is known, so nothing is estimated
    PRIOR: "prior-guided",
}
"""Methods with a step along a gradient of utility, which is tuned, and the estimators of their settings."""
HEURISTICS = ("raw", "frame difference", "black (oracle silhouette)")


@dataclass(frozen=True)
class Extent:
    """What is run with one kind of anonymizer, and how much; part of a job's key.

    Args:
        anonymizer: Its name.
        fronts: Methods that are traced over the weights.
        controls: Methods at one weight.
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        test_clips: Clips that are judged.
        tuning_clips: Validation clips by which steps are chosen.
        tuning_seeds: Seeds of that.
        attacker_steps: Steps of each attacker.
        refreshes: Further steps of the reviewer in a step.
        guide_steps: Steps of the guide before the training.
        weights: Weights of utility.
        control_weight: That of the methods at one weight, and of tuning.
        factors: Steps that tuning tries, in units of the settings' or of ``UNITS``.
    """

    anonymizer: str = "small"
    fronts: tuple[str, ...] = (SPSA, HISTORY, TAUGHT, GATED, ALONE, BOUND)
    controls: tuple[str, ...] = (PRIOR,)
    clips: int = 1500
    pool: int = 256
    calls: float = 10.0
    test_clips: int = 2500
    tuning_clips: int = 500
    tuning_seeds: tuple[int, ...] = (1000, 1001)
    attacker_steps: int = 200
    refreshes: int = 4
    guide_steps: int = TrainConfig().guide_steps
    weights: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    control_weight: float = 0.2
    factors: tuple[float, ...] = (0.3, 1.0, 3.0)

    @property
    def methods(self) -> tuple[str, ...]:
        """Those with a step that is tuned."""
        return (*self.fronts, *self.controls)


UNET, MOTION = "U-Net", "motion"
EXTENTS: Mapping[str, Extent] = {
    MOTION: Extent(
        "motion-6",
        (SPSA, HISTORY, RECOMMENDED, CORRECTED, ALONE, BOUND),
        (GATED,),
        weights=(0.05, 0.07, 0.1, 0.2),
        control_weight=0.1,
        factors=(1.0, 3.0, 10.0, 30.0),
    ),
    UNET: Extent(),
}
"""By the name of the anonymizer in the tables, which is the part of the command."""


UNITS: Mapping[str, Mapping[str, float]] = {
    "small": {"guide_lr": 0.15},
    "motion-6": {"utility_lr": 0.15, "guide_lr": 0.4},
}
"""Steps of which tuning tries multiples, where they are not the settings'."""


def quick(extent: Extent) -> Extent:
    """The same in little.

    Args:
        extent: The full form.
    """
    return replace(
        extent,
        clips=200,
        pool=32,
        calls=3.0,
        test_clips=60,
        tuning_clips=40,
        tuning_seeds=extent.tuning_seeds[:1],
        attacker_steps=20,
        refreshes=1,
        guide_steps=40,
        weights=(extent.weights[1], extent.weights[-1]),
        factors=extent.factors[1:3],
    )


SIZES = ("clips", "pool", "calls", "attacker_steps", "refreshes", "guide_steps")


def tuning_jobs(extent: Extent) -> list[Job]:
    """Every method at every step, on validation clips.

    Args:
        extent: What is run.
    """
    return [
        _job(method, TUNING, seed, extent, extent.tuning_clips, ("weight", extent.control_weight), ("factor", factor))
        for seed in extent.tuning_seeds
        for method in extent.methods
        for factor in extent.factors
    ]


def chosen_factors(rows: Sequence[Row]) -> dict[str, float]:
    """The step of each method with the most right answers less the attacker's cMAP, in the mean over tuning's seeds."""
    gains: dict[str, dict[float, float]] = {}
    for row in rows:
        by_factor = gains.setdefault(row.job.method, {})
        factor = float(row.job["factor"])
        by_factor[factor] = by_factor.get(factor, 0.0) + row.number("utility") - row.number("attacker_cmap")
    return {method: max(by_factor, key=by_factor.__getitem__) for method, by_factor in gains.items()}


def jobs(extent: Extent, chosen: Mapping[str, float], num_seeds: int) -> list[Job]:
    """What is compared, seed after seed, so that a run that is stopped has whole seeds.

    Args:
        extent: What is run.
        chosen: The step of each method.
        num_seeds: How many.
    """
    found = [_job(START, FIXED, 0, extent, extent.test_clips)]
    for seed in range(num_seeds):
        found.append(_job(NO_QUERY, RUN, seed, extent, extent.test_clips))
        for method, factor in chosen.items():
            for weight in extent.weights if method in extent.fronts else (extent.control_weight,):
                how = ("weight", weight), ("factor", factor)
                found.append(_job(method, RUN, seed, extent, extent.test_clips, *how))
    return found


def heuristic_jobs(extent: Extent) -> list[Job]:
    """What stands beside any kind of anonymizer, without training or chance.

    Args:
        extent: How many clips are judged, and how thoroughly.
    """
    return [_job(name, FIXED, 0, replace(extent, anonymizer="small"), extent.test_clips) for name in HEURISTICS]


def _job(
    method: str, setting: str, seed: int, extent: Extent, test_clips: int, *parameters: tuple[str, float | str]
) -> Job:
    sizes = [(name, getattr(extent, name)) for name in SIZES]
    kind = [] if extent.anonymizer == "small" else [("anonymizer", extent.anonymizer)]
    return Job(method, setting, seed, (*parameters, *kind, *sizes, ("test_clips", test_clips)))


def make(job: Job) -> Fields:
    """One training, or a method without one, judged."""
    split = "validation" if job.setting == TUNING else "test"
    sizes = int(job["clips"]), int(job["pool"]), float(job["calls"]), int(job["test_clips"])
    experiment = _with_anonymizer(str(dict(job.parameters).get("anonymizer", "small")), *sizes, split)
    if job.setting == FIXED:
        return _fixed(job, experiment)
    training = training_of(job, experiment)
    with training.desk:
        for _ in training.steps():
            pass
    return {**worth(job, experiment, training), "calls": training.num_calls / int(job["pool"])}


@cache
def _with_anonymizer(name: str, clips: int, pool: int, calls: float, test_clips: int, split: str) -> Experiment:
    """The clips and the black box with a kind of anonymizer and its settings."""
    experiment = experiment_with(clips, pool, calls, test_clips, split)
    config = replace(experiment.config, anonymizer=name, **{**settings_of(name), **UNITS[name]})
    folder = experiment.folder / name
    folder.mkdir(exist_ok=True)
    return replace(experiment, config=config, folder=folder)


def _fixed(job: Job, experiment: Experiment) -> Fields:
    start = experiment.start(job.seed)
    if job.method == START:
        return worth_of(job, experiment, NetworkAnonymizer(start.anonymizer, START), start.reviewer)
    return worth_of(job, experiment, next(one for one in baselines(people=True) if one.name == job.method))


def training_of(job: Job, experiment: Experiment) -> Training:
    """The flagship's training by a method, with a guide that is ready where it has one.

    Args:
        job: The job.
        experiment: Its clips and black box.
    """
    usual, factor = experiment.config, float(dict(job.parameters).get("factor", 1.0))
    config = replace(
        usual,
        reviewer_refreshes=int(job["refreshes"]),
        guide_steps=int(job["guide_steps"]),
        utility_weight=float(dict(job.parameters).get("weight", usual.utility_weight)),
        utility_lr=factor * usual.utility_lr,
        guide_lr=factor * usual.guide_lr,
    )
    training = replace(experiment, config=config).training(
        job.seed,
        estimator=ESTIMATORS.get(job.method, ""),
        ask=job.method != NO_QUERY,
        known=experiment.known_loss if job.method == BOUND else None,
    )
    _prepare(job, training)
    return training


_guides: dict[tuple[Any, ...], dict[str, Any]] = {}
"""Guides of this process by kind, anonymizer, seed and sizes: that of a method is the same at every weight and step."""


def _prepare(job: Job, training: Training) -> None:
    if training.guide is None:
        return
    key = type(training.guide), training.config.anonymizer, job.seed, job["guide_steps"], job["clips"]
    if key not in _guides:
        training.prepare()
        _guides[key] = copy.deepcopy(training.guide.state_dict())
    training.guide.load_state_dict(copy.deepcopy(_guides[key]))
