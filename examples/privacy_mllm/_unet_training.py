"""How the anonymizer's two starting points were trained; neither asks the black box anything."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.devices import device_of
from privacy_mllm.drawing import draw_batches
from privacy_mllm.losses import privacy_loss
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.unet import UNet
from privacy_mllm.reviewing import Progress

RECONSTRUCTION_WEIGHT = 1.4
"""Weight of the mean absolute error that keeps the warm start's output an image of its input. Too small,
and the output turns into one grey picture for all inputs; too large, and it hides less."""


def train_identity(
    frames: Tensor,
    *,
    steps: int,
    seed: int,
    network: nn.Module | None = None,
    batch: int = 24,
    lr: float = 6e-3,
    progress: Progress | None = None,
) -> nn.Module:
    """A network that gives its input back as well as it can.

    Args:
        frames: Clips, ``uint8 [n, t, 3, h, w]``.
        steps: Number of steps.
        seed: Seed of weights and batches.
        network: The network, trained in place; None for a new small U-Net.
        batch: Frames a step.
        lr: Peak step size.
        progress: Called after each step with the steps done and `steps`.
    """
    if network is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = UNet()
    network.train()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2))
    unlabelled = torch.zeros(len(frames), 0)
    drawn = draw_batches(frames, unlabelled, steps, batch, generator, device_of(network))
    for step, (pictures, _) in enumerate(drawn):
        output = network(pictures)
        loss = F.l1_loss(output, pictures) + 3 * F.mse_loss(output, pictures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    return network.eval()


def train_warm(
    network: nn.Module,
    reviewer: AttributeNetwork,
    frames: Tensor,
    attributes: Tensor,
    *,
    steps: int,
    seed: int,
    batch: int = 32,
    lr: float = 1.5e-3,
    reviewer_lr: float = 2e-3,
    progress: Progress | None = None,
) -> None:
    """Train a U-Net against a reviewer that is trained against it, both in place.

    The U-Net lowers what the reviewer knows and keeps its output close to its input; the reviewer learns to read the
    attributes off that output. From the identity alone, the exact privacy gradient fools a frozen reviewer long before
    any attribute is gone.

    Args:
        network: The U-Net, from the identity.
        reviewer: The reviewer, from raw clips.
        frames: Clips, ``uint8 [n, t, 3, h, w]``.
        attributes: Their attributes, ``[n, k]``.
        steps: Number of steps.
        seed: Seed of the batches.
        batch: Frames a step.
        lr: Step size of the U-Net at the start; it falls to a tenth.
        reviewer_lr: Step size of the reviewer.
        progress: Called after each step with the steps done and `steps`.
    """
    generator = torch.Generator().manual_seed(seed)
    base_rates = attributes.mean(0).clamp(0.01, 0.99).to(device_of(network))
    optimizer = torch.optim.Adam(network.parameters(), lr)
    adversary = torch.optim.Adam(reviewer.parameters(), reviewer_lr)
    network.train()
    drawn = draw_batches(frames, attributes, steps, batch, generator, device_of(network))
    for step, (pictures, labels) in enumerate(drawn):
        optimizer.param_groups[0]["lr"] = lr * (1 - 0.9 * step / steps)
        output = network(pictures)
        private = privacy_loss(reviewer.eval()(output), base_rates)
        loss = private + RECONSTRUCTION_WEIGHT * F.l1_loss(output, pictures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        _review_step(reviewer.train(), adversary, output.detach(), labels)
        if progress is not None:
            progress(step + 1, steps)
    network.eval()
    reviewer.eval()


def _review_step(
    reviewer: AttributeNetwork, optimizer: torch.optim.Optimizer, pictures: Tensor, labels: Tensor
) -> None:
    loss = F.binary_cross_entropy_with_logits(reviewer(pictures), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
