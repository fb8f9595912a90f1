"""What the trainings of the white-box methods share: steps of each player, and the start by reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.methods.surrogates.framewise import FrameWise
from privacy_mllm.methods.surrogates.initial import fresh
from privacy_mllm.methods.surrogates.labelled import Batch, LabelledClips
from privacy_mllm.models.factory import build_anonymizer
from privacy_mllm.models.reviewer import Reviewer


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> float:
    """One step of an optimizer on a loss; the loss before the step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@contextmanager
def frozen(*models: nn.Module) -> Iterator[None]:
    """The models in evaluation mode and without gradients of their own; what flows through them stays exact.

    Every module gets back the mode and every parameter the flag that it had.
    """
    modes = [(module, module.training) for model in models for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for model in models for parameter in model.parameters()]
    for model in models:
        model.eval().requires_grad_(requires_grad=False)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def update_utility(model: nn.Module, optimizer: torch.optim.Optimizer, shown: Tensor, actions: Tensor) -> float:
    """One step of the action model on anonymized clips, which pass no gradient on; its cross-entropy before it."""
    model.train()
    return descend(optimizer, F.cross_entropy(model(shown.detach()), actions))


def update_reviewer(model: nn.Module, optimizer: torch.optim.Optimizer, shown: Tensor, attributes: Tensor) -> float:
    """One step of a reviewer on all frames of anonymized clips; its cross-entropy before it.

    Args:
        model: The reviewer.
        optimizer: Its optimizer.
        shown: Anonymized clips, ``[p, s, 3, h, w]``; they pass no gradient on.
        attributes: Their attributes, ``[p, k]``.
    """
    model.train()
    logits = model(shown.detach().flatten(0, 1))
    labels = attributes.repeat_interleave(shown.shape[1], dim=0)
    return descend(optimizer, F.binary_cross_entropy_with_logits(logits, labels))


def clip_logits(model: nn.Module, clips: Tensor) -> Tensor:
    """What a model of frames thinks of whole clips ``[b, t, 3, h, w]``: the mean of its logits, ``[b, k]``."""
    logits: Tensor = model(clips.flatten(0, 1))
    return logits.view(*clips.shape[:2], -1).mean(dim=1)


def show_both(network: Callable[[Tensor], Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
    """A batch as an anonymizer shows it: the clips with actions, and those with attributes; the same if they are.

    Args:
        network: The anonymizer.
        batch: The batch; each source passes the network once.
    """
    shown = [network(clips) for clips in batch.sources]
    return shown[0], shown[-1]


def reconstructing(
    anonymizer: str, data: LabelledClips, *, steps: int, batch: int, generator: torch.Generator
) -> FrameWise:
    """An anonymizer of single frames that has learned to give its input back, in evaluation mode.

    So batch normalisation holds what it knows of all sources from then on, and no picture depends on those that happen
    to be in its batch.

    Args:
        anonymizer: Name of its network, see :func:`privacy_mllm.models.factory.build_anonymizer`.
        data: The training clips.
        steps: Steps of reconstruction.
        batch: Clips a step.
        generator: Source of weights and batches.
    """
    network = FrameWise(fresh(lambda: build_anonymizer(anonymizer), generator)).to(data.device).train()
    train_to_reconstruct(network, data, steps=steps, batch=batch, lr=6e-3, generator=generator)
    return network.eval()


def train_to_reconstruct(
    network: nn.Module, data: LabelledClips, *, steps: int, batch: int, lr: float, generator: torch.Generator
) -> list[float]:
    """Train a network of clips in place to give its input back; the mean absolute error before each step.

    Of two sources both are given back, and count the same.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2))
    errors = []
    for drawn in data.draw_ahead(steps, batch, generator):
        error = torch.stack([F.l1_loss(network(clips), clips) for clips in drawn.sources]).mean()
        errors.append(descend(optimizer, error))
        schedule.step()
    return errors


def raw_reviewer(data: LabelledClips, width: int, steps: int, generator: torch.Generator) -> Reviewer:
    """A reviewer of attributes trained on raw frames of the clips that have them, 16 clips a step."""
    reviewer = fresh(lambda: Reviewer(data.attributes.shape[1], width), generator).to(data.device)
    optimizer = torch.optim.Adam(reviewer.parameters(), 2e-3)
    for pictures, attributes in data.draw_private_ahead(steps, 16, generator):
        update_reviewer(reviewer, optimizer, pictures, attributes)
    return reviewer
