"""VITA: adversarial training against an ensemble of budget models that are restarted again and again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.methods.surrogates.labelled import Batch, LabelledClips
from privacy_mllm.methods.surrogates.losses import worst_of_ensemble
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
class VITA:
    r"""Ensemble, maximum and restarts.

    The anonymizer lowers :math:`L_T + \gamma\, E[\max_m L_b^m]`: the action model's cross-entropy and, for each clip,
    the cross-entropy to one half of the budget model that is surest. Then the action model steps until it is right
    often enough, and each budget model steps on the true attributes. Every ``restart_every`` rounds the budget models
    are put back to what they knew of raw pictures and trained anew, so that the anonymizer cannot hide from habits.

    Actions and attributes may come from different data sets, as in the article: the action loss is then that of the
    clips with actions, and the budget models judge and learn the clips or still pictures with attributes.

    Ours: a U-Net (as in the comparison of the paper) that starts from reconstruction by mean absolute error alone,
    small reviewers of different widths as budget models, and far fewer steps. The target of one half is what the
    article says; the published code uses all ones.

    Args:
        anonymizer: Network of the anonymizer, see :func:`privacy_mllm.models.factory.build_anonymizer`.
        steps: Rounds.
        batch: Clips a round.
        gamma: Weight of the budget loss; .5 in the published code.
        widths: First channels of each budget model.
        restart_every: Rounds between two restarts; 200 in the published code, of 800.
        restart_steps: Steps of the budget models after a restart, on the anonymized clips of that time.
        utility_target: Accuracy on a batch at which the action model stops its steps; .7 in the published code.
        utility_steps: Its steps at most, a round.
        budget_steps: Steps of each budget model, a round; 5 in the published code.
        start_steps: Steps of reconstruction.
        pretrain_steps: Steps of the budget models on raw pictures.
        lr: Step size of the anonymizer.

    Reference:
        Wu et al., Privacy-preserving deep action recognition: an adversarial learning framework and a new dataset,
        IEEE TPAMI 2022, section 3.
    """

    name: ClassVar[str] = "VITA"
    needs_motion: ClassVar[bool] = False
    needs_attributes: ClassVar[bool] = True

    anonymizer: str = "small"
    steps: int = 200
    batch: int = 8
    gamma: float = 0.5
    widths: tuple[int, ...] = (12, 16)
    restart_every: int = 70
    restart_steps: int = 20
    utility_target: float = 0.7
    utility_steps: int = 2
    budget_steps: int = 2
    start_steps: int = 150
    pretrain_steps: int = 100
    lr: float = 2e-3

    def start(self, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> VITAGame:
        """An anonymizer that reconstructs, and budget models that know raw pictures."""
        return VITAGame(self, data, utility, generator)


class VITAGame:
    """The players of :class:`VITA`."""

    def __init__(self, recipe: VITA, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> None:
        self.recipe, self.data, self.utility, self.generator = recipe, data, utility, generator
        self.network = reconstructing(
            recipe.anonymizer, data, steps=recipe.start_steps, batch=recipe.batch, generator=generator
        )
        self.budgets = [raw_reviewer(data, width, recipe.pretrain_steps, generator) for width in recipe.widths]
        self.known = [copy.deepcopy(model.state_dict()) for model in self.budgets]
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.lr)
        self.utility_optimizer = torch.optim.Adam(utility.parameters(), 5e-4)
        self._reload()
        self.num_taken = 0

    @property
    def insider(self) -> Reviewer:
        """The last budget model."""
        return self.budgets[-1]

    def step(self, batch: Batch, progress: float) -> Mapping[str, float]:  # noqa: ARG002
        """The anonymizer's step, then the action model's, then those of the budget models."""
        if self.num_taken and self.num_taken % self.recipe.restart_every == 0:
            self.restart()
        self.num_taken += 1
        shown, seen, losses = self._anonymizer_step(batch)
        self._utility_steps(shown, batch)
        for model, optimizer in zip(self.budgets, self.budget_optimizers, strict=True):
            for _ in range(self.recipe.budget_steps):
                update_reviewer(model, optimizer, seen, batch.attributes)
        return losses

    def restart(self) -> None:
        """Put the budget models back to what they knew of raw pictures, and let them catch up."""
        self._reload()
        for _ in range(self.recipe.restart_steps):
            pictures, attributes = self.data.draw_private(self.recipe.batch, self.generator)
            with torch.no_grad():
                seen = self.network(pictures)
            for model, optimizer in zip(self.budgets, self.budget_optimizers, strict=True):
                update_reviewer(model, optimizer, seen, attributes)

    def _anonymizer_step(self, batch: Batch) -> tuple[Tensor, Tensor, dict[str, float]]:
        with frozen(self.utility, *self.budgets):
            shown, seen = show_both(self.network, batch)
            useful = F.cross_entropy(self.utility(shown), batch.actions)
            private = worst_of_ensemble([clip_logits(model, seen) for model in self.budgets])
            objective = descend(self.optimizer, useful + self.recipe.gamma * private)
        losses = {"objective": objective, "utility": useful.item(), "privacy": private.item()}
        return shown.detach(), seen.detach(), losses

    def _utility_steps(self, shown: Tensor, batch: Batch) -> None:
        for _ in range(self.recipe.utility_steps):
            with frozen(self.utility), torch.no_grad():
                right = (self.utility(shown).argmax(dim=1) == batch.actions).float().mean().item()
            if right >= self.recipe.utility_target:
                break
            update_utility(self.utility, self.utility_optimizer, shown, batch.actions)

    def _reload(self) -> None:
        for model, state in zip(self.budgets, self.known, strict=True):
            model.load_state_dict(state)
        self.budget_optimizers = [torch.optim.Adam(model.parameters(), 2e-3) for model in self.budgets]
