"""The utility model of the white-box methods: a small network that names what happens in a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.data.lazy import prefetch
from privacy_mllm.devices import device_of, to_pictures
from privacy_mllm.methods.surrogates.initial import fresh
from privacy_mllm.methods.surrogates.labelled import LabelledClips
from privacy_mllm.methods.surrogates.steps import descend
from privacy_mllm.models._blocks import Residual

CLIPS_AT_ONCE = 64
"""Clips named in one forward pass; bounds the memory."""


class ActionModel(nn.Module):
    """A residual network over each frame, a convolution over time, and one logit a class.

    It stands for the 3D ResNet of the papers, which is too large for the rendered world. Any module of the same
    signature can take its place.

    Args:
        num_classes: Number of answers.
        width: Channels of the first convolution.
    """

    def __init__(self, num_classes: int, width: int = 24) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, width, 6, 4, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            Residual(width, 2 * width, 2),
            nn.AdaptiveAvgPool2d(8),
        )
        self.follow = nn.Sequential(
            nn.Conv3d(2 * width, 3 * width, 3, (1, 2, 2), 1, bias=False),
            nn.BatchNorm3d(3 * width),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(3 * width * 16, num_classes))

    def forward(self, clips: Tensor) -> Tensor:
        """One logit a class, ``[b, classes]``, of clips ``[b, t, 3, h, w]`` in [0, 1]."""
        seen = self.look(clips.flatten(0, 1) * 2 - 1).unflatten(0, clips.shape[:2])
        logits: Tensor = self.head(self.follow(seen.transpose(1, 2)).mean(dim=2))
        return logits


def train_action_model(
    data: LabelledClips, *, steps: int, seed: int, batch: int = 24, lr: float = 3e-3, width: int = 24
) -> ActionModel:
    """An action model trained on raw clips. AdamW, one cycle.

    500 steps take half a minute of one core and name three of four actions of unseen clips of the rendered world.

    Args:
        data: Labelled clips.
        steps: Number of steps, positive.
        seed: Seed of weights and batches.
        batch: Clips a step.
        lr: Peak step size.
        width: Channels of the first convolution.

    Returns:
        The model, in evaluation mode.
    """
    if steps < 1:
        raise ValueError(f"`steps` must be positive, got {steps}.")
    generator = torch.Generator().manual_seed(seed)
    model = fresh(lambda: ActionModel(len(data.classes), width), generator).to(data.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2))
    for clips, actions in data.draw_actions_ahead(steps, batch, generator):
        descend(optimizer, F.cross_entropy(model(clips), actions))
        schedule.step()
    return model.eval()


def name_actions(model: nn.Module, frames: Tensor) -> Tensor:
    """The most likely class of each clip, ``int64 [n]``, of frames ``uint8 [n, t, 3, h, w]``."""
    was_training, device = model.training, device_of(model)
    model.eval()
    with torch.inference_mode():
        rows = torch.arange(len(frames)).split(CLIPS_AT_ONCE)
        parts = [model(to_pictures(part, device)).argmax(dim=1).cpu() for part in prefetch(frames, rows)]
    model.train(was_training)
    return torch.cat(parts).clone()
