"""BDQ: blur, difference between frames, and quantisation with learned thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.methods.blur import gaussian_weights
from privacy_mllm.methods.surrogates.labelled import Batch, LabelledClips
from privacy_mllm.methods.surrogates.losses import verdict_entropy
from privacy_mllm.methods.surrogates.steps import descend, frozen, raw_reviewer, show_both, update_reviewer
from privacy_mllm.models.clip_network import pan
from privacy_mllm.models.reviewer import Reviewer

LEVELS = 15
"""Thresholds, and so steps, of the quantisation; the values are scaled to [0, 15] first."""

Scope = Literal["clip", "batch"]


def soft_quantize(values: Tensor, thresholds: Tensor, hardness: float = 5.0) -> Tensor:
    r"""A staircase with smooth steps: :math:`\sum_i \sigma(h (x - b_i))`, one step up at each threshold.

    Args:
        values: In [0, 15] where the thresholds are, any shape.
        thresholds: :math:`b_i`, ``[levels]``; each is read as if it lay in [0, levels].
        hardness: h, positive.

    Returns:
        Between 0 and the number of thresholds, of the shape of the values.
    """
    stairs = torch.zeros_like(values)
    for threshold in thresholds.clamp(0, len(thresholds)).sort().values:
        stairs = stairs + torch.sigmoid(hardness * (values - threshold))
    return stairs


class Degradation(nn.Module):
    """The fixed blur, the fixed difference and the learned quantisation; 15 parameters.

    Args:
        taps: Taps of the Gaussian along each side; 5 in the published code.
        sigma: Its width in pixels; 3 in the published code.
        hardness: Of the smooth steps; 5 in the published code.
        scope: Over what the least and the largest difference are taken: each "clip", or as in the published code the
            whole "batch", which makes a clip's picture depend on its neighbours.
    """

    def __init__(self, taps: int = 5, sigma: float = 3.0, hardness: float = 5.0, scope: Scope = "clip") -> None:
        super().__init__()
        if scope not in get_args(Scope):
            raise ValueError(f'`scope` must be "clip" or "batch", got {scope!r}.')
        self.hardness, self.scope = hardness, scope
        weights = gaussian_weights(taps, sigma).float()
        self.kernel: Tensor
        self.register_buffer("kernel", weights[:, None] * weights[None])
        self.thresholds = nn.Parameter(torch.arange(LEVELS) + 0.5)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips ``[b, t, 3, h, w]`` in [0, 1] to the same shape and range; no motion is grey.

        The difference has one frame less than the clip. The first one is shown twice, so that lengths stay. A still
        picture is shown as a moving camera would see it, see :func:`pan`.
        """
        if clips.shape[1] == 1:
            return self.forward(pan(clips))[:, :1]
        blurred = self._blur(clips)
        difference = blurred[:, 1:] - blurred[:, :-1]
        quantized = self._quantize(difference)
        shown = (quantized / 2 + 0.5).clamp(0, 1)
        return torch.cat([shown[:, :1], shown], dim=1)

    def _blur(self, clips: Tensor) -> Tensor:
        planes = clips.flatten(0, 2)[:, None]
        reach = len(self.kernel) // 2
        padded = F.pad(planes, (reach,) * 4, mode="replicate")
        return F.conv2d(padded, self.kernel[None, None]).view(clips.shape)

    def _quantize(self, difference: Tensor) -> Tensor:
        axes = (1, 2, 3, 4) if self.scope == "clip" else (0, 1, 2, 3, 4)
        low, high = difference.amin(axes, keepdim=True), difference.amax(axes, keepdim=True)
        span = (high - low).clamp_min(1e-6)  # nothing moves: everything is equal
        stairs = soft_quantize((difference - low) / span * LEVELS, self.thresholds, self.hardness)
        return stairs / LEVELS * span + low


@dataclass(frozen=True)
class BDQ:
    r"""Blur, Difference, Quantize.

    Everything but the 15 thresholds is fixed. Thresholds and action model lower :math:`L_T - \alpha H`, with H the
    entropy of the privacy model's verdict; the privacy model lowers its cross-entropy on one random frame.

    Ours: verdicts are yes or no for each attribute where the original names one of several persons, so H is their mean
    entropy; the signed difference is shown around middle grey; the scale is taken for each clip. The thresholds have
    a step size of their own: they are counted in steps of the staircase, and the published .01 barely moves them here.

    Attributes may come from another data set than actions: the privacy model then judges and learns a random frame of
    each of its clips. Our reading where these are still pictures, in which no frame differs from the one before: each
    is shown as a camera would see it that moves by 1/64 of the width, in training and afterwards. Left still it would
    be plain grey, and perfectly private, which says nothing about clips.

    Args:
        steps: Rounds.
        batch: Clips a round.
        alpha: Weight of the entropy; 2 in the published code.
        width: First channels of the privacy model.
        scope: See :class:`Degradation`.
        pretrain_steps: Steps of the privacy model on raw pictures.
        lr: Step size of the thresholds at first, falling as a cosine; momentum .9.
        model_lr: The same of action and privacy model; .01 in the published code.

    Reference:
        Kumawat and Nagahara, Privacy-preserving action recognition via motion difference quantization, ECCV 2022.
    """

    name: ClassVar[str] = "BDQ"
    needs_motion: ClassVar[bool] = True
    needs_attributes: ClassVar[bool] = True

    steps: int = 300
    batch: int = 12
    alpha: float = 2.0
    width: int = 16
    scope: Scope = "clip"
    pretrain_steps: int = 60
    lr: float = 0.1
    model_lr: float = 0.01

    def start(self, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> BDQGame:
        """Thresholds at equal distances, and a privacy model that knows raw pictures."""
        return BDQGame(self, data, utility, generator)


class BDQGame:
    """The players of :class:`BDQ`."""

    def __init__(self, recipe: BDQ, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> None:
        self.recipe, self.utility, self.generator = recipe, utility, generator
        self.network = Degradation(scope=recipe.scope).to(data.device)
        self.reviewer = raw_reviewer(data, recipe.width, recipe.pretrain_steps, generator)
        self.optimizer = torch.optim.SGD(
            [
                {"params": self.network.parameters(), "peak": recipe.lr},
                {"params": utility.parameters(), "peak": recipe.model_lr},
            ],
            recipe.lr,
            momentum=0.9,
        )
        self.reviewer_optimizer = torch.optim.SGD(self.reviewer.parameters(), recipe.model_lr, momentum=0.9)

    @property
    def insider(self) -> Reviewer:
        """The privacy model, which learned along."""
        return self.reviewer

    def step(self, batch: Batch, progress: float) -> Mapping[str, float]:
        """One step of thresholds and action model together, then one of the privacy model."""
        share = (1 + math.cos(math.pi * progress)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = share * group["peak"]
        self.reviewer_optimizer.param_groups[0]["lr"] = share * self.recipe.model_lr
        self.utility.train()
        with frozen(self.reviewer):
            shown, seen = show_both(self.network, batch)
            frame = self._random_frame(seen)
            useful = F.cross_entropy(self.utility(shown), batch.actions)
            unsure = verdict_entropy(self.reviewer(frame[:, 0]))
            objective = descend(self.optimizer, useful - self.recipe.alpha * unsure)
        update_reviewer(self.reviewer, self.reviewer_optimizer, frame, batch.attributes)
        return {"objective": objective, "utility": useful.item(), "privacy": -unsure.item()}

    def _random_frame(self, shown: Tensor) -> Tensor:
        time = int(torch.randint(shown.shape[1], (), generator=self.generator))
        return shown[:, time : time + 1]
