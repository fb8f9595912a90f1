"""A training of the flagship that is watched on validation clips, and attacked on test clips at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import zoopt_mo as zo
from benchmarks.ablations import Fields, Job
from benchmarks.ablations.privacy_world import experiment_with, worth
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.sources import load_clips
from privacy_mllm.experiment import Experiment
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.methods.anonymized import anonymized
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.train import Training

RUN, TUNING = "run", "tuning"
TUNING_SEED = 1000


@dataclass(frozen=True)
class Extent:
    """How much is run; part of a job's key.

    Args:
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        watched: Validation clips on which utility is read along the way.
        test_clips: Clips that are judged at the end.
        attacker_steps: Steps of each attacker.
        marks: Times that utility is read.
        factors: Steps that tuning tries, in units of the shared one.
    """

    clips: int = 1500
    pool: int = 256
    calls: float = 10.0
    watched: int = 200
    test_clips: int = 500
    attacker_steps: int = 200
    marks: int = 5
    factors: tuple[float, ...] = (0.3, 1.0, 3.0)


QUICK = Extent(clips=200, pool=32, calls=4.0, watched=24, test_clips=40, attacker_steps=10, marks=2, factors=(1.0, 3.0))
SIZES = ("clips", "pool", "calls", "watched", "test_clips", "attacker_steps", "marks")


def job(method: str, setting: str, seed: int, extent: Extent, *parameters: tuple[str, float | str]) -> Job:
    """A job with its sizes as part of its key."""
    return Job(method, setting, seed, (*parameters, *((name, getattr(extent, name)) for name in SIZES)))


def experiment_of(job: Job) -> Experiment:
    """The clips and the black box of a job."""
    return experiment_with(int(job["clips"]), int(job["pool"]), float(job["calls"]), int(job["test_clips"]))


@cache
def _watched(count: int) -> Clips:
    return load_clips("world", "validation", count)


def training_of(
    job: Job, estimator: zo.Estimator | None, *, lr: float, name: str = "", known: bool = False
) -> Training:
    """The flagship's training with another estimator.

    Args:
        job: The job.
        estimator: It; None for the one named.
        lr: First step along the estimated gradient.
        name: Estimator of the settings; empty for the usual.
        known: Whether the black box's loss is read directly; it is counted by whoever does.
    """
    experiment = experiment_of(job)
    config = replace(experiment.config, utility_lr=lr, guide_steps=guide_steps(int(job["clips"])))
    shifted = replace(experiment, config=config)
    training = shifted.training(job.seed, estimator=name, known=shifted.known_loss if known else None)
    if estimator is not None:
        training.utility.estimator = estimator
    return training


def guide_steps(clips: int) -> int:
    """Steps of the guide of prior-guided: the settings' at the clips of the full form, fewer in proportion."""
    most = TrainConfig().guide_steps
    return max(1, min(most, most * clips // Extent().clips))


def watch(job: Job, training: Training, calls: Iterator[int]) -> Fields:
    """Take all steps; utility and loss at marks, and unless it is for tuning, the end judged on test clips.

    Args:
        job: The job.
        training: The training.
        calls: Takes a step at a time, and gives the calls so far.
    """
    total, marks = float(job["calls"]), int(job["marks"])
    found: Fields = _read(job, training, 0)
    mark, spent = 1, 0
    with training.desk:
        for spent in calls:
            if spent / int(job["pool"]) >= mark * total / marks - 1e-9:
                found |= _read(job, training, mark)
                mark += 1
        if mark <= marks:
            found |= {
                key: value for rest in range(mark, marks + 1) for key, value in _read(job, training, rest).items()
            }
    found["queries"] = spent
    return found if job.setting == TUNING else {**found, **worth(job, experiment_of(job), training)}


def _read(job: Job, training: Training, mark: int) -> Fields:
    """Right answers in percent and mean loss on validation clips."""
    clips = _watched(int(job["watched"]))
    shown = anonymized(NetworkAnonymizer(training.anonymizer, job.method), clips)
    question = next(iter(clips.answers[0]))
    answers = EmbeddedOracle().ask(shown.load().frames, [question] * len(clips))
    accepted = [part[question] for part in clips.answers]
    right = sum(answer.text in texts for answer, texts in zip(answers, accepted, strict=True))
    losses = [
        -max((answer.logprobs or {})[text] for text in texts) for answer, texts in zip(answers, accepted, strict=True)
    ]
    return {
        f"utility@{mark}": round(100 * right / len(clips), 2),
        f"loss@{mark}": round(sum(losses) / len(losses), 4),
    }
