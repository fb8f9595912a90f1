"""Which runs the four tables need, and one of them: a method made and judged.

Answers are judged by their text, and all questions are asked, whatever a method was trained for. Task and kind of black
box are known to the methods that ask it alone, so all others have one row for several tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from benchmarks.ablations import Fields, Job
from benchmarks.ablations.privacy_world import experiment_with
from privacy_mllm.config import TrainConfig
from privacy_mllm.contestants import BOUND, CONTROL, OURS, SPSA, START, Contestants
from privacy_mllm.data.world import QUESTIONS
from privacy_mllm.experiment import Experiment
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import (
    Black,
    Blur,
    Downsample,
    FrameDifference,
    Raw,
    SelectivePrivacy,
    baselines,
    surrogates,
)
from privacy_mllm.methods.saliency import people_saliency
from privacy_mllm.metrics import class_mean_average_precision
from privacy_mllm.results import mean_answers
from privacy_mllm.reviewers.attack import FINE_TUNING_STEPS

ACTION, VQA = "action", "VQA"
LOGPROBS, TEXT = "log-probabilities", "text only"
SHARES: Mapping[str, float] = {ACTION: TrainConfig().question_share, VQA: 1 / len(QUESTIONS)}
"""Share of the queries that put the main question, by task; the rest draw from the others."""
LOSSES: Mapping[str, str] = {LOGPROBS: "logprob", TEXT: "text"}
"""Loss of an answer, by what the black box tells."""
ANY = "any"
"""The task or the kind of a row that does not hang on it."""

RAW, SILHOUETTE, FRAMES = Raw().name, Black("silhouette").name, FrameDifference().name
PEOPLE = SelectivePrivacy(people_saliency).name
HIDDEN = (Downsample(2).name, Black("box").name, Blur("strong").name, Blur("weak").name)
SURROGATES = tuple(method.name for method in surrogates())
PAPER = (RAW, *HIDDEN, *SURROGATES, PEOPLE, OURS)
"""The paper's methods, in its order."""
BESIDE = (Downsample(4).name, SelectivePrivacy().name, SILHOUETTE, FRAMES, START, CONTROL, SPSA, BOUND)
"""Other forms of them, and controls."""
METHODS = (*PAPER, *BESIDE)
WITHOUT_CHANCE = (*(method.name for method in baselines(people=True)), START)
"""Those that are the same for every seed; the start comes with the package."""


@dataclass(frozen=True)
class Extent:
    """How much is run; part of a job's key.

    Args:
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        test_clips: Clips that are judged.
        attacker_steps: Steps of each attacker.
        surrogate_steps: Most steps of each part of a surrogate's training; 0 for its own.
    """

    clips: int = 1500
    pool: int = 256
    calls: float = 15.0
    test_clips: int = 500
    attacker_steps: int = FINE_TUNING_STEPS
    surrogate_steps: int = 0


QUICK = Extent(clips=96, pool=32, calls=4.0, test_clips=40, attacker_steps=5, surrogate_steps=3)


def key(method: str, task: str, kind: str) -> tuple[str, str]:
    """What a method's run hangs on, of a table's task and kind of black box.

    Args:
        method: The method.
        task: Key of ``SHARES``.
        kind: Key of ``LOSSES``.
    """
    asks = method in (OURS, SPSA)
    return task if asks or method == BOUND else ANY, kind if asks else ANY


def jobs(extent: Extent, seeds: int) -> list[Job]:
    """All runs, each once; methods that are the same for every seed have one.

    Args:
        extent: How much is run.
        seeds: Seeds of the others.
    """
    keys = dict.fromkeys((name, *key(name, task, kind)) for task in SHARES for kind in LOSSES for name in METHODS)
    counts = {name: 1 if name in WITHOUT_CHANCE else seeds for name in METHODS}
    sizes = tuple(asdict(extent).items())
    return [
        Job(name, task, seed, (("tells", kind), *sizes)) for name, task, kind in keys for seed in range(counts[name])
    ]


def make(job: Job) -> Fields:
    """One method, trained where it must be, and judged."""
    experiment = experiment_of(job)
    made = Contestants(experiment, int(job["surrogate_steps"]) or None).makers[job.method](job.seed)
    attackers = Attackers(steps=int(job["attacker_steps"]), seed=job.seed)
    with experiment.desk(None) as desk:
        row = experiment.evaluator(desk, attackers).judge(made.method, made.insider)
    labels = experiment.private_test.attributes
    return {
        ACTION: row.action,
        VQA: mean_answers(row),
        "frozen_cmap": row.frozen_cmap,
        "attacker_cmap": row.attacker_cmap,
        "chance": class_mean_average_precision(labels, labels).chance,
        "worst": row.worst,
        "worst_above": row.worst_above,
        "bits": row.total_bits,
        "bits_there": sum(row.prior_bits.values()),
        "calls": made.calls_per_sample,
    }


def experiment_of(job: Job) -> Experiment:
    """The clips and the black box of a job, with the share of the questions and the loss that it hangs on."""
    sizes = int(job["clips"]), int(job["pool"]), float(job["calls"]), int(job["test_clips"])
    experiment = experiment_with(*sizes)
    share = SHARES.get(job.setting, SHARES[ACTION])
    loss = LOSSES.get(str(job["tells"]), LOSSES[LOGPROBS])
    return replace(experiment, config=replace(experiment.config, question_share=share, utility_loss=loss))
