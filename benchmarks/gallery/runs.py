"""One anonymizer: trained, its network kept, and judged on all test clips and on the examples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

import zoopt_mo as zo
from benchmarks.ablations import Fields, Job
from benchmarks.ablations.privacy_world import experiment_with
from benchmarks.gallery.examples import ACTION, ATTRIBUTES, VQA, Example, draw_examples
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.evaluate import OWN_START, RAW_START
from privacy_mllm.experiment import Experiment
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Anonymizer, NetworkAnonymizer, Raw
from privacy_mllm.methods.anonymized import anonymized
from privacy_mllm.metrics import class_mean_average_precision
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.report.examples import to_reply
from privacy_mllm.report.model import Reply
from privacy_mllm.reviewers import worst_attack
from privacy_mllm.reviewers.attack import FINE_TUNING_STEPS
from privacy_mllm.session import START
from privacy_mllm.starting import Start

RAW = Raw().name
TRAINED: Mapping[str, tuple[str, str]] = {
    "critical history": ("", "critical-history"),
    "prior-guided": ("", "prior-guided"),
    "what moves": ("motion", "critical-history"),
}
"""The flagship's names of the anonymizer, where it is not the usual one, and of the estimator."""
METHODS = (RAW, START, *TRAINED)
EXAMPLES = "examples"


@dataclass(frozen=True)
class Extent:
    """How much is run; part of a job's key.

    Args:
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        guide_steps: Steps of the guide of prior-guided probes, before the first question.
        test_clips: Clips that are judged.
        attacker_steps: Steps of each attacker.
        examples: Clips of figures 5 and 6 each.
    """

    clips: int = 1500
    pool: int = 256
    calls: float = 15.0
    guide_steps: int = TrainConfig().guide_steps
    test_clips: int = 500
    attacker_steps: int = FINE_TUNING_STEPS
    examples: int = 6


QUICK = Extent(clips=200, pool=32, calls=4.0, guide_steps=20, test_clips=40, attacker_steps=10, examples=3)


def jobs(extent: Extent, seeds: int) -> list[Job]:
    """All rows; raw pictures and the start have one seed, for nothing is trained.

    Args:
        extent: How much is run.
        seeds: Seeds of the trainings.
    """
    sizes = tuple(asdict(extent).items())
    return [Job(name, EXAMPLES, seed, sizes) for name in METHODS for seed in range(seeds if name in TRAINED else 1)]


def make(job: Job, folder: Path) -> Fields:
    """One anonymizer, judged: shares of right answers, leakage, and what is said and believed about the examples.

    Args:
        job: The job.
        folder: Where its network is kept.
    """
    networks, test = train(job, folder), experiment_of(job).test
    shown = anonymized(method_of(job, networks), test)
    drawn = draw_examples(test, int(job["examples"]))
    return {**_answers(shown, drawn), **_leakage(job, networks, shown, drawn[ATTRIBUTES])}


def _answers(shown: Clips, drawn: Mapping[str, list[Example]]) -> Fields:
    """Right answers in percent, to the main question and on average to the others, and the answers of the examples."""
    oracle = EmbeddedOracle()
    main, *others = shown.answers[0]
    replies = {question: ask(oracle, shown, question) for question in (main, *others)}
    shares = {question: 100 * fmean(reply.right for reply in said) for question, said in replies.items()}
    found: Fields = {ACTION: round(shares[main], 2), VQA: round(fmean(shares[one] for one in others), 2)}
    for example in (*drawn[ACTION], *drawn[VQA]):
        reply = replies[example.subject][example.row]
        found[f"said: {example.name}"] = reply.text
        found[f"probability: {example.name}"] = None if reply.probability is None else round(reply.probability, 4)
    return found


def ask(oracle: EmbeddedOracle, clips: Clips, question: str) -> list[Reply]:
    """A reply for each clip.

    Args:
        oracle: The black box.
        clips: Clips of which the question is asked.
        question: The question.
    """
    said = oracle.ask(clips.frames, [question] * len(clips))
    return [to_reply(answer, accepted[question]) for answer, accepted in zip(said, clips.answers, strict=True)]


def _leakage(job: Job, networks: Start, shown: Clips, drawn: list[Example]) -> Fields:
    """What the strongest attacker, fine-tuned on the method's own pictures, reads, and what it believes of examples."""
    starts = {RAW_START: networks.raw_reviewer}
    if job.method != RAW:
        starts[OWN_START] = networks.reviewer
    known = anonymized(method_of(job, networks), experiment_of(job).private)
    attackers = Attackers(steps=int(job["attacker_steps"]), seed=job.seed)
    best = worst_attack(attackers.attack(known, shown, starts))
    believed, names = best.logits.sigmoid(), shown.attribute_names
    return {
        "attacker_cmap": round(best.leakage.value, 2),
        "chance": round(class_mean_average_precision(shown.attributes, shown.attributes).chance, 2),
        **{f"believed: {one.name}": round(float(believed[one.row, names.index(one.subject)]), 4) for one in drawn},
    }


def method_of(job: Job, networks: Start) -> Anonymizer:
    """The job's anonymizer.

    Args:
        job: The job.
        networks: Its networks.
    """
    return Raw() if job.method == RAW else NetworkAnonymizer(networks.anonymizer, job.method)


def train(job: Job, folder: Path) -> Start:
    """The networks of a job, trained now; they are kept, if there was something to train.

    Args:
        job: The job.
        folder: Where to.
    """
    start = start_of(job)
    if job.method not in TRAINED:
        return start
    anonymizer, estimator = TRAINED[job.method]
    training = experiment_of(job).training(job.seed, anonymizer=anonymizer, estimator=estimator)
    with training.desk:
        for _ in training.steps():
            pass
    networks = replace(start, anonymizer=training.anonymizer, reviewer=training.reviewer)
    folder.mkdir(parents=True, exist_ok=True)
    zo.save_checkpoint(_file(job, folder), networks.state_dict())
    return networks


def kept_networks(job: Job, folder: Path) -> Start:
    """The networks of a job that was made; trained anew where their file is gone.

    Args:
        job: The job.
        folder: Where they are kept.
    """
    file = _file(job, folder)
    if job.method in TRAINED and not file.is_file():
        return train(job, folder)
    start = start_of(job)
    if job.method in TRAINED:
        start.load_state_dict(zo.load_checkpoint(file))
    return start


def start_of(job: Job) -> Start:
    """The networks from which a job's training begins."""
    return experiment_of(job).start(job.seed, *TRAINED.get(job.method, ())[:1])


def experiment_of(job: Job) -> Experiment:
    """The clips and the black box of a job."""
    sizes = int(job["clips"]), int(job["pool"]), float(job["calls"]), int(job["test_clips"])
    experiment = experiment_with(*sizes)
    return replace(experiment, config=replace(experiment.config, guide_steps=int(job["guide_steps"])))


def _file(job: Job, folder: Path) -> Path:
    key = hashlib.sha256(repr(job).encode()).hexdigest()[:12]
    return folder / f"{job.method.replace(' ', '_')}.{job.seed}.{key}.ckpt"
