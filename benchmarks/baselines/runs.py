"""Which runs the four tables need, and one of them: a method made and judged.

Answers are judged by their text, and all questions are asked, whatever a method was trained for. Task and kind of black
box are known to the methods that ask it alone, so all others have one row for several tables. Where the black box tells
text only, those methods have a radius and a step of their own, chosen on validation clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from benchmarks.ablations import Fields, Job, Row
from benchmarks.ablations.privacy_world import experiment_with
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.contestants import BOUND, CONTROL, MOVES, OURS, SPSA, START, Contestants
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
TUNING = "tuning"
TUNING_SEED = 1000

RAW, SILHOUETTE, FRAMES = Raw().name, Black("silhouette").name, FrameDifference().name
PEOPLE = SelectivePrivacy(people_saliency).name
HIDDEN = (Downsample(2).name, Black("box").name, Blur("strong").name, Blur("weak").name)
SURROGATES = tuple(method.name for method in surrogates())
PAPER = (RAW, *HIDDEN, *SURROGATES, PEOPLE, OURS)
"""The paper's methods, in its order."""
ASKING = (OURS, SPSA, MOVES)
"""Those that ask the black box; they have a radius and a step of their own where it tells text only."""
BESIDE = (Downsample(4).name, SelectivePrivacy().name, SILHOUETTE, FRAMES, START, CONTROL, SPSA, MOVES, BOUND)
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
        radii: Radii that are tried with text only.
        steps: Steps that are tried there, in units of the settings'.
        motion_radii: The radii for what moves, whose parameters are in other units.
        motion_steps: Its steps.
    """

    clips: int = 1500
    pool: int = 256
    calls: float = 15.0
    test_clips: int = 500
    attacker_steps: int = FINE_TUNING_STEPS
    surrogate_steps: int = 0
    radii: tuple[float, ...] = (0.02, 0.05, 0.15)
    steps: tuple[float, ...] = (4.0, 16.0, 64.0)
    motion_radii: tuple[float, ...] = (0.15, 0.4, 1.0)
    motion_steps: tuple[float, ...] = (1.0, 4.0, 16.0)

    def grid(self, method: str) -> Iterator[tuple[float, float]]:
        """Every radius with every step that is tried for a method."""
        moves = method == MOVES
        return product(self.motion_radii if moves else self.radii, self.motion_steps if moves else self.steps)


QUICK = Extent(
    clips=96,
    pool=32,
    calls=4.0,
    test_clips=40,
    attacker_steps=5,
    surrogate_steps=3,
    radii=(0.05,),
    steps=(4.0, 16.0),
    motion_radii=(0.4,),
    motion_steps=(1.0, 4.0),
)
SIZES = ("clips", "pool", "calls", "test_clips", "attacker_steps", "surrogate_steps")
Chosen = Mapping[str, tuple[float, float]]
"""By method the radius with text only, and the step in units of the settings'."""


def key(method: str, task: str, kind: str) -> tuple[str, str]:
    """What a method's run hangs on, of a table's task and kind of black box.

    Args:
        method: The method.
        task: Key of ``SHARES``.
        kind: Key of ``LOSSES``.
    """
    asks = method in ASKING
    return task if asks or method == BOUND else ANY, kind if asks else ANY


def tuning_jobs(extent: Extent) -> list[Job]:
    """Every method that asks, told text only, with every radius and step; by the main question, on validation clips.

    Args:
        extent: How much is run.
    """
    return [_job(name, TUNING, TEXT, TUNING_SEED, extent, setting) for name in ASKING for setting in extent.grid(name)]


def chosen_settings(rows: Sequence[Row]) -> Chosen:
    """The radius and the step of each method with the most right answers less the attacker's cMAP.

    Args:
        rows: The runs of :func:`tuning_jobs`.
    """
    best: dict[str, Row] = {}
    for row in rows:
        known = best.setdefault(row.job.method, row)
        if _gain(row) > _gain(known):
            best[row.job.method] = row
    return {method: (float(row.job["radius"]), float(row.job["step"])) for method, row in best.items()}


def _gain(row: Row) -> float:
    return row.number(ACTION) - row.number("attacker_cmap")


def jobs(extent: Extent, seeds: int, chosen: Chosen) -> list[Job]:
    """All runs, each once; methods that are the same for every seed have one.

    Args:
        extent: How much is run.
        seeds: Seeds of the others.
        chosen: Radius and step with text only.
    """
    keys = dict.fromkeys((name, *key(name, task, kind)) for task in SHARES for kind in LOSSES for name in METHODS)
    counts = {name: 1 if name in WITHOUT_CHANCE else seeds for name in METHODS}
    return [
        _job(name, task, kind, seed, extent, chosen.get(name) if kind == TEXT else None)
        for name, task, kind in keys
        for seed in range(counts[name])
    ]


def _job(
    method: str, task: str, kind: str, seed: int, extent: Extent, chosen: tuple[float, float] | None = None
) -> Job:
    sizes = [(name, getattr(extent, name)) for name in SIZES]
    how = [] if chosen is None else list(zip(("radius", "step"), chosen, strict=True))
    return Job(method, task, seed, (("tells", kind), *how, *sizes))


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
    """The clips and the black box of a job, with the share of the questions, the loss and the settings of its own."""
    sizes = int(job["clips"]), int(job["pool"]), float(job["calls"]), int(job["test_clips"])
    experiment = experiment_with(*sizes, "validation" if job.setting == TUNING else "test")
    usual, how = experiment.config, dict(job.parameters)
    if job.method == MOVES:
        usual = replace(usual, anonymizer="motion", **settings_of("motion"))
    config = replace(
        usual,
        question_share=SHARES.get(job.setting, SHARES[ACTION]),
        utility_loss=LOSSES.get(str(job["tells"]), LOSSES[LOGPROBS]),
        radius=float(how.get("radius", usual.radius)),
        utility_lr=float(how.get("step", 1.0)) * usual.utility_lr,
    )
    return replace(experiment, config=config)
