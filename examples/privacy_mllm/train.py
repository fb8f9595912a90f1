"""Training an anonymizer against a black box: section 3.5 of the paper.

In each iteration k the utility loss of the black box gives an estimated gradient with its critical history
(equations 7 to 10), the reviewer's loss gives an exact one, the augmented Tchebycheff function (equation 6) weighs
them (equation 11), and the anonymizer takes the step (equation 12). The reviewer then learns on the anonymized
pictures, so that it stays a judge worth fooling.
"""

from __future__ import annotations

import copy
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.asking import Desk
from privacy_mllm.batches import StepBatches
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.devices import device_of, repeats_exactly
from privacy_mllm.differences import ZeroDifferences
from privacy_mllm.interrupts import held_interrupts
from privacy_mllm.method import (
    FOLLOWED,
    asking,
    build_budget,
    build_estimator,
    build_guide,
    build_reviewers,
    build_scalarizer,
    check_clips,
    count_steps,
)
from privacy_mllm.models.batch_norm import frozen_batch_norm
from privacy_mllm.models.clip_network import looks_at_clips
from privacy_mllm.oracles.protocol import Oracle
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.records import StepRecord, measures
from privacy_mllm.showing import KnownUtility, Showing
from privacy_mllm.starting import Start, make_start

_NETWORKS = ("anonymizer", "optimizer", "scheme")
"""The large parts of a training's state; they change at the end of a step alone."""
_COUNTERS = ("scheduler", "budget", "trajectory", "scheduler_of_clips")
"""The small ones, beside the black box and a few numbers."""


class Training:
    """One run: an anonymizer, its reviewer, and the black box that must go on answering.

    Args:
        config: All settings.
        clips: Training clips with questions; the first ``config.pool`` of them are the pool that is asked about.
        oracle: The black box.
        private: Labelled clips that the reviewer judges and learns from; None for those with questions.
        start: The networks, trained in place; None for those that the settings name.
        ask: False makes the control that never asks: the same start and steps for privacy alone.
        known: The black box's loss as a function of clips ``[b, t, 3, h, w]`` in [0, 1], questions and right answers
            that autograd can follow: makes the bound that no method may use, in which nothing is asked.
        ledger: Where answers are kept.
        limits: Settings of the black box, of which the limits on failures, money and time count here.
    """

    def __init__(
        self,
        config: TrainConfig,
        clips: Clips,
        oracle: Oracle,
        *,
        private: Clips | None = None,
        start: Start | None = None,
        ask: bool = True,
        known: KnownUtility | None = None,
        ledger: zo.Ledger | None = None,
        limits: OracleConfig | None = None,
    ) -> None:
        self.config = config
        self.ask = ask and known is None and config.estimator != "guide-alone"
        self.private = clips if private is None else private
        self.limits = OracleConfig() if limits is None else limits
        check_clips(config, clips, self.private)
        self.pool = clips.head(config.pool)
        start = make_start(config, self.private) if start is None else start
        self.anonymizer, self.reviewer = start.anonymizer, start.reviewer
        self._device = device_of(self.anonymizer)
        self.base_rates = self.private.attributes.mean(dim=0).clamp(0.01, 0.99).to(self._device)
        self.num_steps = count_steps(config, len(self.pool))
        self.num_taken = 0
        self.desk = Desk(
            oracle,
            ledger,
            max_failures=self.limits.max_failures,
            repeats_exactly=repeats_exactly(self._device),
        )
        self.differences = ZeroDifferences()
        self._asking = asking(config)
        self.budget = build_budget(self.limits, self.num_steps * self._asking.calls)
        self.trajectory = zo.StableTrajectory()
        self.scheduler_of_clips = zo.SampleScheduler(len(self.pool), seed=config.seed)
        drawing = replace(config, batch=self._asking.clips)
        whole = looks_at_clips(self.anonymizer)
        self.batches = StepBatches(drawing, self.pool, self.private, self.scheduler_of_clips, self._device, whole=whole)
        self.guide = build_guide(config, clips, self._device) if ask and known is None else None
        self.showing = Showing(self.anonymizer, known, self.guide)
        self._before: dict[str, Any] | None = None  # while a step is taken: the small parts before it
        self._is_moving = False
        self._build()

    def _build(self) -> None:
        config = self.config
        gains = zo.SpallGains(lr=1.0, radius=config.radius, stability=config.stability)
        follows = config.estimator in FOLLOWED
        hear = (lambda _question, _answer: None) if self.guide is None else self.guide.hear
        self.utility = zo.BlackBox(
            render=self.showing.payloads,
            judge=self.desk.judge,
            score=self.desk.score(config.utility_loss, hear),
            queries=self.desk.queries,
            estimator=build_estimator(config, gains, self.budget),
            prior=zo.WhiteBox(self.showing.loss) if self.guide is not None and self.ask else None,
            name="utility",
            step_factor=config.guide_lr if follows else config.utility_lr,
            max_norm=config.privacy_max_norm if follows else config.utility_max_norm or None,
        )
        self.privacy = zo.WhiteBox(
            self._reviewer_loss, name="privacy", step_factor=config.privacy_lr, max_norm=config.privacy_max_norm
        )
        self.objectives: list[zo.BlackBox | zo.WhiteBox] = [self.privacy]
        if self.ask:
            self.objectives = [self.utility, self.privacy]
        elif (self.showing.known or self.showing.guide) is not None:
            self.objectives = [self._exact_utility(), self.privacy]
        alone = len(self.objectives) == 1
        self.scalarize = zo.WeightedSum(weights=[1.0]) if alone else build_scalarizer(config)
        self.optimizer = torch.optim.SGD(self.anonymizer.parameters(), lr=1.0)
        self.scheduler = gains.scheduler(self.optimizer)
        self.scheme = build_reviewers(config, self.reviewer, self.base_rates)

    @property
    def num_calls(self) -> int:
        """Black-box calls that this run has spent, those before it was resumed included."""
        return self.utility.num_queries

    def steps(self) -> Iterator[StepRecord]:
        """Take the steps that are left, one a record, as far as money and time allow.

        Stopped anywhere, by an exception of the black box or by Ctrl-C, the state is that between two steps: Ctrl-C is
        heard while looking and asking, which takes the time, but not while the networks move.
        """
        self.prepare()
        while self.num_taken < self.num_steps and self.ended_by is None:
            self._before = self._small_state()
            self._draw()
            report = zo.backward(self.objectives, self.scalarize, self.anonymizer)  # equation 11
            with held_interrupts() as heard:
                record = self._move(report)
            yield record
            for number in heard:
                signal.raise_signal(number)

    @property
    def must_prepare(self) -> bool:
        """Whether :meth:`prepare` has something to do."""
        return self.guide is not None and not self.guide.is_prepared and self.num_taken < self.num_steps

    def prepare(self) -> None:
        """Train the guide, if the settings want one and it is not trained; asks nothing."""
        if self.guide is not None and self.must_prepare:
            self.guide.prepare(self.anonymizer)

    @property
    def ended_by(self) -> str | None:
        """What ends the run before its last step, in words; None for nothing."""
        if self.num_taken == self.num_steps:
            return None
        if self.config.early_stop and self.trajectory.is_stable:
            return "the loss no longer falls by more than its noise"
        limit = self.budget.reason(self._asking.calls)
        return None if limit is None else f"the limit on {limit} is reached"

    @property
    def has_state(self) -> bool:
        """Whether :meth:`state_dict` can be asked for: not where moving the networks itself failed halfway."""
        return not self._is_moving

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on, beside the settings and the data, between two steps.

        In a step that failed or was broken off, the state is that before it. The networks' tensors are shared with the
        training, not copied: write them before the next step.

        Raises:
            RuntimeError: If the networks are half moved.
        """
        if self._is_moving:
            raise RuntimeError("state_dict() must not be called where the networks are half moved.")
        small = self._small_state() if self._before is None else self._before
        return {**small, **{part: getattr(self, part).state_dict() for part in self._networks}}

    def _small_state(self) -> dict[str, Any]:
        """What a step changes before the networks move, as a snapshot: a few numbers, and the critical history."""
        return {
            "num_taken": self.num_taken,
            "utility": self.utility.state_dict(),  # a snapshot of its own
            **{part: copy.deepcopy(getattr(self, part).state_dict()) for part in _COUNTERS},
            **self.batches.state_dict(),
            "pairs": [self.differences.num_pairs, self.differences.num_zero],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state; the next step is the one that would have come.

        Args:
            state: What :meth:`state_dict` gave, of a training with the same settings and data.
        """
        self.num_taken = state["num_taken"]
        for part in (*self._networks, *_COUNTERS, "utility"):
            getattr(self, part).load_state_dict(state[part])
        self.batches.load_state_dict(state)
        self.differences.num_pairs, self.differences.num_zero = state["pairs"]

    @property
    def _networks(self) -> tuple[str, ...]:
        return _NETWORKS if self.guide is None else (*_NETWORKS, "guide")

    def expect_replay(self) -> None:
        """Be ready for steps that a killed process took already; where they do not repeat exactly, they ask anew."""
        self.desk.let_pictures_differ(self.utility.name, self.utility.state_dict()["round"])

    def _draw(self) -> None:
        """What the step looks at."""
        self._batch = self.showing.batch = self.batches.draw(is_last=self.num_taken + 1 == self.num_steps)
        if self.guide is not None:
            self.guide.begin_step()
        self._paid = self.num_calls, self.utility.cost

    def _move(self, report: zo.StepReport) -> StepRecord:
        """Both networks take their steps, and everything is counted."""
        self._is_moving = True
        lr, (calls, cost) = float(self.scheduler.get_last_lr()[0]), self._paid
        self.optimizer.step()  # equation 12
        self.optimizer.zero_grad()
        self.scheduler.step()
        if self.ask:
            losses = self.utility.item_losses.T  # [b, q]
            if losses.shape[1] % 2 == 0:
                self.differences.add(losses.ravel().tolist())
            self.scheduler_of_clips.tell(self._batch.rows.numpy(), losses)
        self.budget.spend(queries=self.num_calls - calls, cost=self.utility.cost - cost)
        self.trajectory.update(report.value)
        learned = self._refresh_reviewer()
        if self.guide is not None:
            self.guide.refresh(self.anonymizer)
        record = self._record(self.num_taken, report, learned, lr)
        self.num_taken += 1
        self._before, self._is_moving = None, False
        return record

    def _refresh_reviewer(self) -> float:
        """The reviewer learns on what the anonymizer showed it, and on more; its loss on the first."""
        learned = self.scheme.refresh(self._anonymized, self._batch.judged.labels)
        for _ in range(self.config.reviewer_refreshes):
            judged = self.batches.draw_more()
            with torch.no_grad(), frozen_batch_norm(self.anonymizer):
                shown = judged.shown(self.anonymizer)
            self.scheme.refresh(shown, judged.labels)
        return learned

    def _exact_utility(self) -> zo.WhiteBox:
        """The utility of the bound, or of the guide alone, whose gradient is clipped as that of privacy is."""
        config = self.config
        return zo.WhiteBox(
            self.showing.loss, name="utility", step_factor=config.guide_lr, max_norm=config.privacy_max_norm
        )

    def _reviewer_loss(self) -> Tensor:
        """L_Privacy of the anonymized pictures."""
        self._anonymized = self._batch.judged.shown(self.anonymizer)
        return self.scheme.loss(self._anonymized)

    def _record(self, step: int, report: zo.StepReport, reviewer: float, lr: float) -> StepRecord:
        return StepRecord(
            step=step,
            calls=self.num_calls,
            reviewer=reviewer,
            lr=lr,
            zero_pairs=self.differences.rate,
            cost=self.utility.cost,
            **measures(report),
        )
