"""MPPAR: meta-learning, so that what protects from some attributes and attackers also protects from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from privacy_mllm.methods.surrogates.labelled import Batch, LabelledClips
from privacy_mllm.methods.surrogates.losses import uniform_cross_entropy
from privacy_mllm.methods.surrogates.steps import (
    clip_logits,
    descend,
    frozen,
    raw_reviewer,
    reconstructing,
    show_both,
    update_reviewer,
    update_utility,
)
from privacy_mllm.models.reviewer import Reviewer


@dataclass(frozen=True)
class MPPAR:
    r"""Virtual training on a support set, virtual testing on a disjoint query set.

    In turn the private attributes are split into two random halves, seen by the same attacker, or the attackers are
    split, seen with all attributes. With :math:`L = L_T + \gamma L_P` on the support, a virtual step
    :math:`\theta' = \theta - \alpha \nabla L_s(\theta)` is taken; the anonymizer then lowers
    :math:`L_s(\theta) + L_q(\theta')`. Attackers and action model learn along on the anonymized clips.

    Our reading: there is no published code, and we know the article by its abstract. Ours are the privacy loss (the
    cross-entropy to one half), the gradient of first order by default, all sizes and steps. Where actions and
    attributes come from different data sets, the loss on either side has L_T of the clips with actions and L_P of the
    clips or still pictures with attributes; what is split are attackers and attributes, as ever.

    Args:
        anonymizer: Network of the anonymizer, see :func:`privacy_mllm.models.factory.build_anonymizer`.
        steps: Rounds.
        batch: Clips a round.
        gamma: Weight of the privacy loss.
        inner_lr: :math:`\alpha`, length of the virtual step.
        first_order: Whether :math:`\nabla L_q` is taken at :math:`\theta'` as if the virtual step did not depend on
            :math:`\theta`; exact otherwise, at about twice the cost.
        widths: First channels of each attacker, at least two.
        start_steps: Steps of reconstruction.
        pretrain_steps: Steps of the attackers on raw pictures.
        lr: Step size of the anonymizer.

    Reference:
        Peng et al., Joint attribute and model generalization learning for privacy-preserving action recognition,
        NeurIPS 2023.
    """

    name: ClassVar[str] = "MPPAR"
    needs_motion: ClassVar[bool] = False
    needs_attributes: ClassVar[bool] = True

    anonymizer: str = "small"
    steps: int = 200
    batch: int = 8
    gamma: float = 1.0
    inner_lr: float = 0.01
    first_order: bool = True
    widths: tuple[int, ...] = (12, 16)
    start_steps: int = 150
    pretrain_steps: int = 100
    lr: float = 2e-3

    def __post_init__(self) -> None:
        """See that attackers can be split."""
        if len(self.widths) < 2:
            raise ValueError(f"`widths` must name at least two attackers, got {list(self.widths)}.")

    def start(self, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> MPPARGame:
        """An anonymizer that reconstructs, and attackers that know raw pictures."""
        return MPPARGame(self, data, utility, generator)


@dataclass(frozen=True)
class Side:
    """One side of a split: who attacks, and which attributes.

    Args:
        attackers: Indices of the attackers.
        attributes: Indices of the attributes.
    """

    attackers: tuple[int, ...]
    attributes: tuple[int, ...]


def split_sides(
    num_attackers: int, num_attributes: int, *, by_attackers: bool, generator: torch.Generator
) -> tuple[Side, Side]:
    """Support and query: disjoint in their attackers or, for one random attacker, in their attributes.

    A single attribute cannot be split and stands on both sides.
    """
    attackers = torch.randperm(num_attackers, generator=generator).tolist()
    attributes = torch.randperm(num_attributes, generator=generator).tolist()
    if by_attackers:
        half, everything = num_attackers // 2, tuple(attributes)
        return Side(tuple(attackers[:half]), everything), Side(tuple(attackers[half:]), everything)
    half, one = num_attributes // 2, tuple(attackers[:1])
    return Side(one, tuple(attributes[:half] or attributes)), Side(one, tuple(attributes[half:]))


class MPPARGame:
    """The players of :class:`MPPAR`."""

    def __init__(self, recipe: MPPAR, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> None:
        self.recipe, self.utility, self.generator = recipe, utility, generator
        self.network = reconstructing(
            recipe.anonymizer, data, steps=recipe.start_steps, batch=recipe.batch, generator=generator
        )
        self.attackers = [raw_reviewer(data, width, recipe.pretrain_steps, generator) for width in recipe.widths]
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.lr)
        self.utility_optimizer = torch.optim.Adam(utility.parameters(), 5e-4)
        self.attacker_optimizers = [torch.optim.Adam(model.parameters(), 2e-3) for model in self.attackers]
        self.num_taken = 0

    @property
    def insider(self) -> Reviewer:
        """The last attacker."""
        return self.attackers[-1]

    def step(self, batch: Batch, progress: float) -> Mapping[str, float]:  # noqa: ARG002
        """The anonymizer's meta step, then one of the action model and of each attacker."""
        support, query = split_sides(
            len(self.attackers),
            batch.attributes.shape[1],
            by_attackers=self.num_taken % 2 == 1,
            generator=self.generator,
        )
        self.num_taken += 1
        with frozen(self.utility, *self.attackers):
            on_support, on_query, (shown, seen) = self.losses(batch, support, query)
            objective = descend(self.optimizer, on_support + on_query)
        update_utility(self.utility, self.utility_optimizer, shown, batch.actions)
        for model, optimizer in zip(self.attackers, self.attacker_optimizers, strict=True):
            update_reviewer(model, optimizer, seen, batch.attributes)
        return {"objective": objective, "support": on_support.item(), "query": on_query.item()}

    def losses(self, batch: Batch, support: Side, query: Side) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Losses on the support and, after the virtual step, on the query; and what was shown before that step."""
        weights = dict(self.network.named_parameters())
        shown = show_both(self.network, batch)
        on_support = self._loss(shown, batch, support)
        exact = not self.recipe.first_order
        slopes = torch.autograd.grad(on_support, list(weights.values()), retain_graph=True, create_graph=exact)
        moved = virtual_step(weights, slopes, self.recipe.inner_lr)
        after = show_both(lambda clips: functional_call(self.network, moved, (clips,)), batch)
        on_query = self._loss(after, batch, query)
        return on_support, on_query, shown

    def _loss(self, both: tuple[Tensor, Tensor], batch: Batch, side: Side) -> Tensor:
        shown, seen = both
        useful = F.cross_entropy(self.utility(shown), batch.actions)
        verdicts = [clip_logits(self.attackers[index], seen)[:, list(side.attributes)] for index in side.attackers]
        private = torch.stack([uniform_cross_entropy(logits).mean() for logits in verdicts]).mean()
        return useful + self.recipe.gamma * private


def virtual_step(weights: Mapping[str, Tensor], slopes: Sequence[Tensor], length: float) -> dict[str, Tensor]:
    """The weights one step further down, as a function of the weights themselves."""
    return {name: weight - length * slope for (name, weight), slope in zip(weights.items(), slopes, strict=True)}
