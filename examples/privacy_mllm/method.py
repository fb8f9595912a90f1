"""What the settings of a training stand for: its steps, budget, estimator and scalarizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.guiding import Guide, Unprobed
from privacy_mllm.losses import PRIVACY_IDEAL, privacy_loss
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.factory import build_reviewer
from privacy_mllm.models.precision import set_precision
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.reviewers import ReviewerScheme, build_scheme
from privacy_mllm.teaching import TaughtGuide
from privacy_mllm.utility import check_targets

REUSE_FACTOR = 4
"""How many times larger the critical history gets towards the end of the budget, with ``reuse_more``."""


UNPROBED = ("guide-taught", "guide-gated")
"""Estimators that follow the guide's gradient as it is; the black box is asked at the parameters alone."""
FOLLOWED = ("guide-corrected", *UNPROBED)
"""Those whose gradient is no longer than an exact one: it is clipped as these are, and has their step."""
GUIDED = ("prior-guided", "guide-alone", *FOLLOWED)
"""Those that have a guide."""


@dataclass(frozen=True)
class Asking:
    """What a step asks.

    Args:
        probes: Probes a step.
        clips: Clips that each of them is judged on, a call each.
    """

    probes: int
    clips: int

    @property
    def calls(self) -> int:
        """Calls of a step."""
        return self.probes * self.clips


def asking(config: TrainConfig) -> Asking:
    """What a step asks: a pair of probes of a batch, two pairs of half a batch, or a batch without a probe.

    Args:
        config: The settings.
    """
    if config.estimator == "prior-guided":
        return Asking(4, max(1, config.batch // 2))
    return Asking(1 if config.estimator in UNPROBED else 2, config.batch)


def build_budget(limits: OracleConfig, calls: int) -> zo.Budget:
    """What a training may spend.

    Args:
        limits: Settings of the black box.
        calls: Calls of all steps.
    """
    return zo.Budget(queries=calls, cost=limits.max_cost or None, seconds=3600 * limits.max_hours or None)


def check_clips(config: TrainConfig, clips: Clips, private: Clips) -> None:
    """See that clips and settings go together, before anything is asked.

    Args:
        config: The settings.
        clips: Clips with questions.
        private: Labelled clips.

    Raises:
        ValueError: If they do not.
    """
    if config.shows_motion and clips.frames.shape[1] < 2:
        raise ValueError("`anonymizer` 'motion' shows what moves: clips must have two pictures or more, got stills.")
    pool = min(len(clips), config.pool)
    if pool < config.batch:
        raise ValueError(f"`batch` must be at most the number of clips asked about, {pool}, got {config.batch}.")
    if not private.attribute_names:
        raise ValueError("`privacy_data` must name labelled pictures, for `data` has no private attributes.")
    for name, answers in zip(clips.names, clips.answers, strict=True):
        if not answers:
            raise ValueError(f"`clips` must have a question for every clip, but {name} has none.")
        check_targets(list(answers.values()), config.utility_loss)
    if config.question and config.question not in all_questions(clips):
        raise ValueError(f"`question` must be one of {all_questions(clips)}, got {config.question!r}.")


def count_steps(config: TrainConfig, pool: int) -> int:
    """Steps that the budget of calls pays for.

    Args:
        config: The settings.
        pool: Clips that are asked about.

    Raises:
        ValueError: If it pays for none.
    """
    step = asking(config).calls
    steps = int(config.calls_per_sample * pool) // step
    if steps == 0:
        raise ValueError(
            f"`calls_per_sample` must pay for a step of {step} calls on {pool} clips, got {config.calls_per_sample}."
        )
    return steps


def build_estimator(config: TrainConfig, gains: zo.SpallGains, budget: zo.Budget) -> zo.Estimator:
    """How the black box's gradient is estimated: equations 7 to 10, plain SPSA, or with what else is known of it.

    The estimator that the library recommends takes the reviewer's gradient as a control variate; with "guide-corrected"
    the guide's too, which what the probes measure weighs and corrects.

    Args:
        config: The settings.
        gains: Where the radius comes from.
        budget: What is being spent, for a history that grows with it.
    """
    spsa = zo.SPSA(radius=gains.radius_at, seed=config.seed)
    if config.estimator == "spsa":
        return spsa
    if config.estimator == "prior-guided":
        share = config.guide_radius / config.radius
        return zo.PriorGuided(spsa, radius=lambda step: share * gains.radius_at(step), weight=config.guide_weight)
    if config.estimator in UNPROBED:
        return Unprobed()
    if config.estimator in ("recommended", "guide-corrected"):
        return zo.recommended(radius=gains.radius_at, mixed=True, seed=config.seed)
    capacity: int | Callable[[int], float] = config.capacity
    if config.reuse_more:
        capacity = zo.reuse_more(budget, full=config.capacity, empty=REUSE_FACTOR * config.capacity)
    return zo.CriticalHistory(
        spsa, capacity=capacity, decay=config.decay, blend=config.blend, magnitude=config.magnitude
    )


def build_guide(config: TrainConfig, clips: Clips, device: torch.device) -> Guide | None:
    """The network whose gradient is a guess of the black box's, untrained; None where the estimator needs none.

    Args:
        config: The settings.
        clips: Training clips with questions.
        device: Where it computes.
    """
    if config.estimator not in GUIDED:
        return None
    asked = clips, config.question or all_questions(clips)[0], config.question_share
    if config.estimator == "guide-taught":
        lessons, memory = config.guide_lessons, config.guide_memory
        return TaughtGuide(
            *asked, steps=config.guide_steps, refreshes=lessons, seed=config.seed, device=device, memory=memory
        )
    return Guide(*asked, steps=config.guide_steps, refreshes=config.guide_refreshes, seed=config.seed, device=device)


def build_scalarizer(config: TrainConfig) -> zo.Scalarizer:
    """How the two losses become one: equation 6, or one of its rivals.

    Args:
        config: The settings.
    """
    weights = [config.utility_weight, 1 - config.utility_weight]
    ideal = [config.utility_ideal, PRIVACY_IDEAL[config.privacy_loss]]
    if config.scalarizer == "weighted-sum":
        return zo.WeightedSum(weights=weights)
    if config.scalarizer == "tchebycheff":
        return zo.Tchebycheff(weights=weights, ideal=ideal, margin=config.margin)
    return zo.AugmentedTchebycheff(weights=weights, ideal=ideal, margin=config.margin, augmentation=config.augmentation)


def build_reviewers(config: TrainConfig, reviewer: AttributeNetwork, base_rates: Tensor) -> ReviewerScheme:
    """The reviewer, or reviewers, that judge and learn along.

    Args:
        config: The settings.
        reviewer: The first of them.
        base_rates: How often each attribute occurs, ``[k]``, where the networks are.
    """
    return build_scheme(
        config.reviewer_scheme,
        reviewer,
        lambda logits: privacy_loss(logits, base_rates, config.privacy_loss),
        lr=config.reviewer_lr,
        fresh=lambda number: set_precision(
            build_reviewer(config.reviewer, len(base_rates), seed=config.seed + number).to(base_rates.device),
            config.precision,
        ),
    )
