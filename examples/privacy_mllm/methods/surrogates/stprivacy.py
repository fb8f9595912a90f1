"""STPrivacy: a transformer over tubelets that drops some and rewrites the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from privacy_mllm.methods.surrogates.initial import fresh
from privacy_mllm.methods.surrogates.labelled import Batch, LabelledClips
from privacy_mllm.methods.surrogates.losses import bounded_gain, budget_penalty
from privacy_mllm.methods.surrogates.steps import (
    clip_logits,
    descend,
    frozen,
    raw_reviewer,
    train_to_reconstruct,
    update_reviewer,
    update_utility,
)
from privacy_mllm.methods.surrogates.tubelets import TubeletTransformer
from privacy_mllm.models.reviewer import Reviewer

CEILING = 2 * math.log(2)
"""What the transformer can win by the reviewer's cross-entropy at most."""


@dataclass(frozen=True)
class STPrivacy:
    r"""Sparsification of tubelets, and anonymization of those that are kept.

    A clip is cut into tubelets of 2 x p x p pixels. A transformer decides for each whether it is kept (a hard Gumbel
    softmax in training, the best of each time slot afterwards), paints the dropped ones black and writes the pixels of
    the others anew. It lowers :math:`L_T - L_P + \beta (\bar k - r)^2`: action loss, privacy loss and the squared
    difference of the mean share that is kept from the share that should be.

    Our reading: the published code has the network only; the losses are as we understand the article. The privacy
    loss counts up to a ceiling, twice that of a reviewer that knows nothing: it has no bound of its own. The
    transformer is small and starts from reconstruction with everything kept. Where actions and attributes come from
    different data sets, L_T is that of the clips with actions, L_P that of the clips with attributes, and the last term
    is the mean over both. A still picture is a clip in which nothing moves: it is shown to the transformer twice, and
    the first of the two frames that come out is taken.

    Args:
        steps: Rounds.
        batch: Clips a round.
        gamma: Weight of the privacy loss.
        keep: r, share of tubelets that are kept.
        keep_weight: :math:`\beta`.
        patch: p; 16 in the published code, for clips of 112 pixels.
        dim: Width of the transformer; 384 in the published code.
        depth: Layers before the decision, and after it.
        width: First channels of the reviewer.
        start_steps: Steps of reconstruction.
        pretrain_steps: Steps of the reviewer on raw pictures.
        lr: Step size of the transformer.

    Reference:
        Li et al., STPrivacy: spatio-temporal privacy-preserving action recognition, ICCV 2023.
    """

    name: ClassVar[str] = "STPrivacy"
    needs_motion: ClassVar[bool] = True
    needs_attributes: ClassVar[bool] = True

    steps: int = 240
    batch: int = 8
    gamma: float = 1.0
    keep: float = 0.6
    keep_weight: float = 10.0
    patch: int = 8
    dim: int = 128
    depth: int = 1
    width: int = 16
    start_steps: int = 500
    pretrain_steps: int = 100
    lr: float = 2e-4

    def __post_init__(self) -> None:
        """Check the share."""
        if not 0 < self.keep <= 1:
            raise ValueError(f"`keep` must be in (0, 1], got {self.keep}.")

    def start(self, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> STPrivacyGame:
        """A transformer that reconstructs, and a reviewer that knows raw pictures."""
        return STPrivacyGame(self, data, utility, generator)


class STPrivacyGame:
    """The players of :class:`STPrivacy`."""

    def __init__(self, recipe: STPrivacy, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> None:
        self.recipe, self.utility, self.generator = recipe, utility, generator
        self.network = fresh(self._make_transformer, generator).to(data.device)
        train_to_reconstruct(
            self.network, data, steps=recipe.start_steps, batch=recipe.batch, lr=3e-3, generator=generator
        )
        self.network.keep = recipe.keep
        self.reviewer = raw_reviewer(data, recipe.width, recipe.pretrain_steps, generator)
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.lr)
        self.utility_optimizer = torch.optim.Adam(utility.parameters(), 5e-4)
        self.reviewer_optimizer = torch.optim.Adam(self.reviewer.parameters(), 2e-3)

    @property
    def insider(self) -> Reviewer:
        """The reviewer, which learned along."""
        return self.reviewer

    def _make_transformer(self) -> TubeletTransformer:
        recipe = self.recipe
        return TubeletTransformer(1.0, patch=recipe.patch, dim=recipe.dim, depth=recipe.depth)

    def step(self, batch: Batch, progress: float) -> Mapping[str, float]:  # noqa: ARG002
        """The transformer's step, then those of the action model and the reviewer."""
        recipe = self.recipe
        with frozen(self.utility, self.reviewer):
            samples = [self.network.sample(clips, self.generator) for clips in batch.sources]
            shown, seen = samples[0][0], samples[-1][0]
            useful = F.cross_entropy(self.utility(shown), batch.actions)
            logits = clip_logits(self.reviewer, seen)
            private = bounded_gain(F.binary_cross_entropy_with_logits(logits, batch.attributes), CEILING)
            sparse = torch.stack([budget_penalty(kept, recipe.keep) for _, kept in samples]).mean()
            objective = descend(self.optimizer, useful + recipe.gamma * private + recipe.keep_weight * sparse)
        update_utility(self.utility, self.utility_optimizer, shown, batch.actions)
        update_reviewer(self.reviewer, self.reviewer_optimizer, seen, batch.attributes)
        kept = torch.stack([kept.mean() for _, kept in samples]).mean().item()
        return {"objective": objective, "utility": useful.item(), "privacy": private.item(), "kept": kept}
