"""Trainings that were not shown something, and one that was shown everything, judged on the same test clips."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.ablations import Fields, Job
from privacy_mllm.asking import Desk, Question
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.sources import load_clips
from privacy_mllm.data.withholding import hold_out, parse_hold_out
from privacy_mllm.evaluate import OWN_START, RAW_START
from privacy_mllm.experiment import Experiment
from privacy_mllm.generalisation import Losses, Verdicts, generalisation
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Anonymizer, NetworkAnonymizer, Raw
from privacy_mllm.methods.anonymized import anonymized
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.opening import without_held_out
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.reviewers import worst_attack

RAW, START, TRAINED = "raw", "start", "trained"
NOTHING = "nothing"
HELD_OUT = (
    "attribute=face",
    "attribute=relationship",
    "attribute=credit_card",
    "answer=indoors",
    "answer=the beach",
    "answer=kicking",
    "question=where is the person",
    "question=how many people are there",
)
"""What is held out, as ``privacy-mllm train --hold-out`` takes it."""
ANSWERS, LEAKAGE = "right answers", "read above chance"
MEASURES: Mapping[str, tuple[str, ...]] = {
    "attribute": (LEAKAGE,),
    "answer": (ANSWERS, LEAKAGE),
    "question": (ANSWERS,),
}
"""What can tell a difference, by the kind of what is held out."""
SMALL = "small-12"
"""The small network under the name that the package has no start for, so that every start is made in the same way."""


@dataclass(frozen=True)
class Extent:
    """How much is run; part of a job's key.

    Args:
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        start_steps: Steps of each stage that makes a start.
        test_clips: Clips that are judged.
        attacker_steps: Steps of each attacker.
    """

    clips: int = 1500
    pool: int = 256
    calls: float = 8.0
    start_steps: int = 250
    test_clips: int = 500
    attacker_steps: int = 150


QUICK = Extent(clips=120, pool=32, calls=2.0, start_steps=5, test_clips=60, attacker_steps=5)


def start_of(held_out: str) -> str:
    """What the start of a training was not shown: it asks nothing, so that a question makes no difference.

    Args:
        held_out: What the training was not shown.
    """
    return held_out if held_out.startswith(("attribute=", "answer=")) else NOTHING


def start_jobs(extent: Extent, seeds: int) -> list[Job]:
    """Raw pictures, and every start.

    Args:
        extent: How much is run.
        seeds: Number of seeds.
    """
    names = dict.fromkeys(start_of(held_out) for held_out in (NOTHING, *HELD_OUT))
    starts = [_job(START, name, seed, extent) for name in names for seed in range(seeds)]
    return [_job(RAW, NOTHING, 0, extent), *starts]


def training_jobs(extent: Extent, seeds: int) -> list[Job]:
    """Every training.

    Args:
        extent: How much is run.
        seeds: Number of seeds.
    """
    return [_job(TRAINED, name, seed, extent) for name in (NOTHING, *HELD_OUT) for seed in range(seeds)]


def _job(method: str, held_out: str, seed: int, extent: Extent) -> Job:
    names = (field.name for field in fields(extent))
    return Job(method, held_out, seed, tuple(zip(names, astuple(extent), strict=True)))


def make(job: Job, *, folder: Path) -> Fields:
    """Raw pictures, a start or a training, judged on everything that any training is not shown.

    Args:
        job: The job.
        folder: Where starts are kept.
    """
    if job.method == RAW:
        return _judged(job, Raw(), None)
    experiment = experiment_of(job, folder)
    if job.method == START:
        start = experiment.start(job.seed)
        return _judged(job, NetworkAnonymizer(start.anonymizer, START), start.reviewer)
    experiment.start(job.seed)  # so that the training reads a file: networks just made still hold their last gradients
    training = experiment.training(job.seed)
    with training.desk:
        for _ in training.steps():
            pass
    found = _judged(job, NetworkAnonymizer(training.anonymizer, TRAINED), training.reviewer)
    return {**found, "queries": training.num_calls}


def experiment_of(job: Job, folder: Path) -> Experiment:
    """The clips of a job, without what is held out, and the black box.

    Args:
        job: The job.
        folder: Where starts are kept; trainings from the same start share a folder in it.
    """
    config = TrainConfig(
        clips=int(job["clips"]),
        pool=int(job["pool"]),
        calls_per_sample=float(job["calls"]),
        start_steps=int(job["start_steps"]),
        hold_out="" if job.setting == NOTHING else job.setting,
        question_share=0.25,  # there are four questions, and all count alike
        anonymizer=SMALL,
    )
    train, test = _clips(job)
    clips, private = without_held_out(config, train, train)
    name = f"{start_of(job.setting)} {config.clips} {config.start_steps}"
    kept = folder / re.sub(r"\W+", "-", name)
    kept.mkdir(parents=True, exist_ok=True)
    return Experiment(config, OracleConfig(), clips, private, test, test, None, kept)


def _clips(job: Job) -> tuple[Clips, Clips]:
    """Training and test clips with everything."""
    return _rendered("train", int(job["clips"])), _rendered("test", int(job["test_clips"]))


@cache
def _rendered(split: str, count: int) -> Clips:
    return load_clips("world", split, count)


def _judged(job: Job, method: Anonymizer, reviewer: AttributeNetwork | None) -> Fields:
    """In percent: right answers and leakage on the whole test, then on each thing that may be held out.

    The attackers know all labels of all training clips, whatever the training was shown.
    """
    train, test = _clips(job)
    shown = anonymized(method, test)
    starts = {RAW_START: load_reviewer("reviewer")} | ({} if reviewer is None else {OWN_START: reviewer})
    attackers = Attackers(steps=int(job["attacker_steps"]), seed=job.seed)
    best = worst_attack(attackers.attack(anonymized(method, train), shown, starts))
    verdicts = Verdicts(job.method, _answers(shown), best.logits)
    right = [100 * (1 - float(losses.mean())) for losses in verdicts.losses.values()]
    found: Fields = {"utility": float(np.mean(right)), "attacker_cmap": best.leakage.value}
    for held_out in HELD_OUT:
        found |= _unseen(held_out, test, verdicts)
    return {name: None if value is None else round(float(value), 2) for name, value in found.items()}


def _answers(shown: Clips) -> dict[str, Losses]:
    """By question, 1 for each wrong answer."""
    found = {}
    with Desk(EmbeddedOracle()) as desk:
        for step, question in enumerate(all_questions(shown)):
            asked = [
                Question(clip, question, answers[question])
                for clip, answers in zip(shown.frames, shown.answers, strict=True)
            ]
            found[question] = desk.losses(asked, "text", name="judging", step=step).losses
    return found


def _unseen(held_out: str, test: Clips, verdicts: Verdicts) -> Fields:
    """What was found of one thing that may be held out."""
    kind, _ = parse_hold_out(held_out)
    side = generalisation(kind, hold_out(held_out, test, test), test, test, verdicts).unseen
    values = {ANSWERS: side.answers, LEAKAGE: side.leakage - side.chance}
    return {column(held_out, measure): values[measure] for measure in MEASURES[kind]}


def column(held_out: str, measure: str) -> str:
    """The name under which a job has found a measure of what is held out.

    Args:
        held_out: What is held out.
        measure: The measure.
    """
    return f"{held_out}: {measure}"
