"""What the anonymizer makes of a step's clips, and what is thought of it without asking the black box."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import zoopt_mo as zo
from privacy_mllm.asking import Question
from privacy_mllm.batches import StepBatch
from privacy_mllm.devices import device_of, to_pictures
from privacy_mllm.guiding import Guide
from privacy_mllm.models.batch_norm import frozen_batch_norm
from privacy_mllm.models.clip_network import show_clips
from privacy_mllm.utility import Target

KnownUtility = Callable[[Tensor, Sequence[str], Sequence[Target]], Tensor]
"""A loss that autograd can follow: of clips ``[b, t, 3, h, w]`` in [0, 1], questions and right answers."""


class Showing:
    """The clips of the present step, shown by the anonymizer as it is now.

    Args:
        anonymizer: The network.
        known: The black box's loss where it is known; in bounds alone.
        guide: The network that answers in its place, if there is one.
    """

    batch: StepBatch
    """What the step looks at."""

    def __init__(self, anonymizer: nn.Module, known: KnownUtility | None, guide: Guide | None) -> None:
        self.anonymizer, self.known, self.guide = anonymizer, known, guide
        self._device = device_of(anonymizer)

    def payloads(self) -> zo.Batch:
        """X_A = f_A(X) of the batch, in bytes as it would be sent, with a question a clip."""
        batch = self.batch
        with frozen_batch_norm(self.anonymizer):
            clips = (self._clips() * 255).round().to(torch.uint8).cpu()  # what is sent, and no more
        return zo.Batch(map(Question, clips, batch.questions, batch.targets, itertools.count()))

    def loss(self) -> Tensor:
        """The black box's loss where it is known, else the guide's."""
        batch = self.batch
        if self.known is not None:
            return self.known(self._clips().cpu(), batch.questions, batch.targets)
        if self.guide is None:
            raise RuntimeError("loss() needs a known loss or a guide.")
        with frozen_batch_norm(self.anonymizer):  # as the probes are
            return self.guide.loss(self._clips(), batch.questions, batch.targets)

    def _clips(self) -> Tensor:
        return show_clips(self.anonymizer, to_pictures(self.batch.frames, self._device))
