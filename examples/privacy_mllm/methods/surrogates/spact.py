"""SPAct: privacy without private labels, by a self-supervised branch that must not recognise a clip again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.methods.surrogates.initial import fresh
from privacy_mllm.methods.surrogates.labelled import Batch, LabelledClips
from privacy_mllm.methods.surrogates.losses import nt_xent
from privacy_mllm.methods.surrogates.steps import descend, frozen, reconstructing, update_utility
from privacy_mllm.methods.surrogates.views import random_view
from privacy_mllm.models.reviewer import Reviewer


@dataclass(frozen=True)
class SPAct:
    r"""A minimax over the contrastive loss of two views.

    Two frames of a clip, cropped and recoloured at random, are two views of it. The privacy branch lowers the NT-Xent
    loss between the anonymized views; the anonymizer lowers :math:`w L_T - L_{NTXent}`, so that two frames of a clip no
    longer look related, whoever is in them. No private attribute is used. So where attributes come from another data
    set, that is not looked at: both losses are those of the clips with actions.

    Ours: a small encoder, and a ceiling on what the anonymizer can win by the contrastive loss: that of an encoder
    that takes all views for equal, :math:`\log(2b - 1)`. Without it the training is known to collapse.

    Args:
        anonymizer: Network of the anonymizer, see :func:`privacy_mllm.models.factory.build_anonymizer`.
        steps: Rounds.
        batch: Clips a round.
        utility_weight: w; 1 in the published code.
        temperature: Of NT-Xent; .1 in the published code.
        dim: Dimension of the embeddings; 128 in the published code.
        width: First channels of the encoder.
        privacy_steps: Steps of the privacy branch, a round.
        start_steps: Steps of reconstruction.
        pretrain_steps: Steps of the privacy branch on raw pictures.
        lr: Step size of the anonymizer.

    Reference:
        Dave, Chen, Shah, SPAct: self-supervised privacy preservation for action recognition, CVPR 2022, section 3.
    """

    name: ClassVar[str] = "SPAct"
    needs_motion: ClassVar[bool] = False
    needs_attributes: ClassVar[bool] = False

    anonymizer: str = "small"
    steps: int = 240
    batch: int = 12
    utility_weight: float = 1.0
    temperature: float = 0.1
    dim: int = 128
    width: int = 16
    privacy_steps: int = 1
    start_steps: int = 150
    pretrain_steps: int = 100
    lr: float = 2e-3

    def start(self, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> SPActGame:
        """An anonymizer that reconstructs, and a privacy branch that knows raw pictures."""
        return SPActGame(self, data, utility, generator)


class SPActGame:
    """The players of :class:`SPAct`."""

    def __init__(self, recipe: SPAct, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> None:
        self.recipe, self.utility, self.generator = recipe, utility, generator
        self.network = reconstructing(
            recipe.anonymizer, data, steps=recipe.start_steps, batch=recipe.batch, generator=generator
        )
        self.encoder = fresh(self._make_encoder, generator).to(data.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.lr)
        self.utility_optimizer = torch.optim.Adam(utility.parameters(), 5e-4)
        self.encoder_optimizer = torch.optim.Adam(self.encoder.parameters(), 2e-3)
        for _ in range(recipe.pretrain_steps):
            self._encoder_step(data.draw_actions(recipe.batch, generator)[0])

    @property
    def insider(self) -> None:
        """Nobody here knows attributes."""
        return

    def step(self, batch: Batch, progress: float) -> Mapping[str, float]:  # noqa: ARG002
        """The anonymizer's step, then those of the privacy branch and the action model."""
        ceiling = torch.tensor(2.0 * len(batch.clips) - 1, device=batch.clips.device).log()
        with frozen(self.utility, self.encoder):
            shown = self.network(batch.clips)
            useful = F.cross_entropy(self.utility(shown), batch.actions)
            alike = self._contrast(shown)
            objective = descend(self.optimizer, self.recipe.utility_weight * useful - torch.minimum(alike, ceiling))
        shown = shown.detach()
        for _ in range(self.recipe.privacy_steps):
            self._encoder_step(shown)
        update_utility(self.utility, self.utility_optimizer, shown, batch.actions)
        return {"objective": objective, "utility": useful.item(), "privacy": -alike.item()}

    def _make_encoder(self) -> nn.Module:
        dim = self.recipe.dim
        return nn.Sequential(Reviewer(dim, self.recipe.width), nn.ReLU(), nn.Linear(dim, dim))

    def _encoder_step(self, clips: Tensor) -> None:
        self.encoder.train()
        descend(self.encoder_optimizer, self._contrast(clips))

    def _contrast(self, clips: Tensor) -> Tensor:
        """NT-Xent between two views of each clip."""
        first, second = (self.encoder(random_view(clips, self.generator)) for _ in range(2))
        return nt_xent(first, second, self.recipe.temperature)
