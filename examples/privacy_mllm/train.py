"""Training an anonymizer against a black box: section 3.5 of the paper.

In each iteration k the utility loss of the black box gives an estimated gradient with its critical history
(equations 7 to 10), the reviewer's loss gives an exact one, the augmented Tchebycheff function (equation 6) weighs
them (equation 11), and the anonymizer takes the step (equation 12). The reviewer then learns on the anonymized
pictures, so that it stays a judge worth fooling.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.losses import PRIVACY_IDEAL, privacy_loss
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.models.unet import UNet
from privacy_mllm.oracles.protocol import Oracle
from privacy_mllm.reviewing import draw_frames
from privacy_mllm.utility import check_targets, utility_loss
from privacy_mllm.weights import load_weights

PROBES_A_STEP = 2


@dataclass(frozen=True)
class StepRecord:
    """One line of a run's ``metrics.jsonl``."""

    step: int
    calls: int
    utility: float
    privacy: float
    reviewer: float
    i_max: int | None
    status: float
    cosine: float | None
    utility_norm: float
    privacy_norm: float
    lr: float


class Training:
    """One run: an anonymizer, its reviewer, and the black box that must go on answering.

    Args:
        config: All settings.
        clips: Labelled training clips; the first ``config.pool`` of them are the pool that is asked about.
        oracle: The black box.
        ask: False makes the control that never asks: the same start and steps for privacy alone.
    """

    def __init__(self, config: TrainConfig, clips: Clips, oracle: Oracle, *, ask: bool = True) -> None:
        self.config, self.clips, self.oracle, self.ask = config, clips, oracle, ask
        _check_clips(config, clips)
        self.pool = clips.head(config.pool)
        self.anonymizer = UNet()
        self.anonymizer.load_state_dict(load_weights(f"unet_{config.init}"))
        self.reviewer = load_reviewer("reviewer_warm" if config.init == "warm" else "reviewer")
        self.base_rates = clips.attributes.mean(dim=0).clamp(0.01, 0.99)
        self.num_steps = _num_steps(config, len(self.pool))
        self.question = config.question or all_questions(clips)[0]
        self._calls_before = oracle.num_calls
        self._generator = torch.Generator().manual_seed(config.seed)
        self._batches = self._draw_batches()
        self._build()

    def _build(self) -> None:
        config = self.config
        gains = zo.SpallGains(lr=1.0, radius=config.radius, stability=config.stability)
        self.utility = zo.BlackBox(
            render=self._anonymize_batch,
            judge=self._ask_oracle,
            estimator=_estimator(config, gains),
            name="utility",
            step_factor=config.utility_lr,
        )
        self.privacy = zo.WhiteBox(
            self._reviewer_loss, name="privacy", step_factor=config.privacy_lr, max_norm=config.privacy_max_norm
        )
        self.objectives = [self.utility, self.privacy] if self.ask else [self.privacy]
        self.scalarize = _scalarizer(config) if self.ask else zo.WeightedSum(weights=[1.0])
        self.optimizer = torch.optim.SGD(self.anonymizer.parameters(), lr=1.0)
        self.scheduler = gains.scheduler(self.optimizer)
        self.reviewer_optimizer = torch.optim.Adam(self.reviewer.parameters(), config.reviewer_lr)

    @property
    def num_calls(self) -> int:
        """Black-box calls that this run has spent, by the black box's own counter."""
        return self.oracle.num_calls - self._calls_before

    def steps(self) -> Iterator[StepRecord]:
        """Take all steps that the budget allows, one a record."""
        for step in range(self.num_steps):
            yield self._step(step)

    def _step(self, step: int) -> StepRecord:
        self._batch = next(self._batches)
        self._pictures, self._labels = draw_frames(
            self.clips.frames, self.clips.attributes, self.config.privacy_batch, self._generator
        )
        lr = float(self.scheduler.get_last_lr()[0])
        report: zo.StepReport = zo.backward(self.objectives, self.scalarize, self.anonymizer)  # equation 11
        self.optimizer.step()  # equation 12
        self.optimizer.zero_grad()
        self.scheduler.step()
        return self._record(step, report, self._refresh_reviewer(), lr)

    def _anonymize_batch(self) -> Tensor:
        """X_A = f_A(X) of the batch, in bytes as it would be sent."""
        frames = self.pool.frames[self._batch.rows]
        pictures: Tensor = self.anonymizer(frames.flatten(0, 1).float() / 255)
        return (pictures * 255).round().to(torch.uint8).view(frames.shape)

    def _ask_oracle(self, payloads: list[Tensor]) -> Tensor:
        """L_MLLM of each payload: one call a clip, all in one request."""
        questions, targets = self._batch.questions * len(payloads), self._batch.targets * len(payloads)
        answers = self.oracle.ask(torch.cat(payloads), questions)
        return utility_loss(answers, targets, self.config.utility_loss).view(len(payloads), -1).mean(dim=1)

    def _reviewer_loss(self) -> Tensor:
        """L_Privacy of the anonymized pictures."""
        self.reviewer.eval()
        self._anonymized = self.anonymizer(self._pictures)
        return privacy_loss(self.reviewer(self._anonymized), self.base_rates, self.config.privacy_loss)

    def _refresh_reviewer(self) -> float:
        """One step of the reviewer on what the anonymizer showed it; returns its loss before the step."""
        self.reviewer.train()
        loss = F.binary_cross_entropy_with_logits(self.reviewer(self._anonymized.detach()), self._labels)
        self.reviewer_optimizer.zero_grad()
        loss.backward()
        self.reviewer_optimizer.step()
        return float(loss.detach())

    def _draw_batches(self) -> Iterator[_Batch]:
        """Every clip of the pool once, in random order, then again; a question for each clip."""
        size = self.config.batch
        while True:
            order = torch.randperm(len(self.pool), generator=self._generator)
            for rows in order[: len(order) - len(order) % size].split(size):
                questions = [self._draw_question(int(row)) for row in rows]
                targets = [self.pool.answers[int(row)][question] for row, question in zip(rows, questions, strict=True)]
                yield _Batch(rows, questions, targets)

    def _draw_question(self, row: int) -> str:
        """The main question with its share of the queries, else one of the clip's others: untrained ones collapse."""
        questions = list(self.pool.answers[row])
        others = [question for question in questions if question != self.question]
        main, other = torch.rand(2, generator=self._generator).tolist()
        if self.question in questions and (not others or main < self.config.question_share):
            return self.question
        return others[int(other * len(others))]

    def _record(self, step: int, report: zo.StepReport, reviewer: float, lr: float) -> StepRecord:
        unasked = math.nan
        return StepRecord(
            step=step,
            calls=self.num_calls,
            utility=report.losses[0] if self.ask else unasked,
            privacy=report.losses[-1],
            reviewer=reviewer,
            i_max=report.i_max,
            status=report.gains[0] - 1,
            cosine=report.cosines[0],
            utility_norm=report.gradient_norms[0] if self.ask else unasked,
            privacy_norm=report.gradient_norms[-1],
            lr=lr,
        )


@dataclass(frozen=True)
class _Batch:
    rows: Tensor
    questions: list[str]
    targets: list[tuple[str, ...]]


def _check_clips(config: TrainConfig, clips: Clips) -> None:
    pool = min(len(clips), config.pool)
    if pool < config.batch:
        raise ValueError(f"`batch` must be at most the number of clips asked about, {pool}, got {config.batch}.")
    for name, answers in zip(clips.names, clips.answers, strict=True):
        if not answers:
            raise ValueError(f"`clips` must have a question for every clip, but {name} has none.")
        check_targets(list(answers.values()), config.utility_loss)
    if config.question and config.question not in all_questions(clips):
        raise ValueError(f"`question` must be one of {all_questions(clips)}, got {config.question!r}.")


def _num_steps(config: TrainConfig, pool: int) -> int:
    step = PROBES_A_STEP * config.batch
    steps = int(config.calls_per_sample * pool) // step
    if steps == 0:
        raise ValueError(
            f"`calls_per_sample` must pay for a step of {step} calls on {pool} clips, got {config.calls_per_sample}."
        )
    return steps


def _estimator(config: TrainConfig, gains: zo.SpallGains) -> zo.Estimator:
    spsa = zo.SPSA(radius=gains.radius_at, seed=config.seed)
    if config.estimator == "spsa":
        return spsa
    return zo.CriticalHistory(
        spsa, capacity=config.capacity, decay=config.decay, blend=config.blend, magnitude=config.magnitude
    )


def _scalarizer(config: TrainConfig) -> zo.Scalarizer:
    weights = [config.utility_weight, 1 - config.utility_weight]
    ideal = [config.utility_ideal, PRIVACY_IDEAL[config.privacy_loss]]
    if config.scalarizer == "weighted-sum":
        return zo.WeightedSum(weights=weights)
    if config.scalarizer == "tchebycheff":
        return zo.Tchebycheff(weights=weights, ideal=ideal, margin=config.margin)
    return zo.AugmentedTchebycheff(weights=weights, ideal=ideal, margin=config.margin, augmentation=config.augmentation)
