"""One reviewer that takes a step for each of the anonymizer's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.reviewers.protocol import PrivacyLoss


class Alternate:
    """The reviewer learns on what the anonymizer showed, by Adam, after each of the anonymizer's steps.

    It judges with its running batch-norm statistics and learns with those of the batch.

    Args:
        reviewer: The network, changed in place.
        privacy: The anonymizer's loss of the reviewer's logits.
        lr: Step size of Adam.
        steps: Steps on each batch, positive.

    Raises:
        ValueError: If `lr` or `steps` is not positive.
    """

    def __init__(self, reviewer: AttributeNetwork, privacy: PrivacyLoss, *, lr: float = 1e-3, steps: int = 1) -> None:
        for name, value in (("lr", lr), ("steps", steps)):
            if value <= 0:
                raise ValueError(f"`{name}` must be positive, got {value}.")
        self.reviewer, self.steps = reviewer, steps
        self._privacy, self._lr = privacy, lr
        self.optimizer = torch.optim.Adam(reviewer.parameters(), lr)

    @property
    def reviewers(self) -> tuple[AttributeNetwork, ...]:
        """The one reviewer."""
        return (self.reviewer,)

    def loss(self, pictures: Tensor) -> Tensor:
        """The anonymizer's loss of privacy, by the reviewer in evaluation mode.

        Args:
            pictures: Anonymized pictures, ``[b, 3, h, w]`` in [0, 1].
        """
        self.reviewer.eval()
        return self._privacy(self.reviewer(pictures))

    def refresh(self, pictures: Tensor, labels: Tensor) -> float:
        """Learn from labelled anonymized pictures.

        Args:
            pictures: What the anonymizer showed, ``[b, 3, h, w]``.
            labels: Their attributes, ``[b, k]``.

        Returns:
            The reviewer's loss before the first step.
        """
        losses = [self._step(pictures.detach(), labels) for _ in range(self.steps)]
        return losses[0]

    def forget(self, weights: Mapping[str, Tensor]) -> None:
        """Begin again from other weights, with a fresh optimizer.

        Args:
            weights: The state dict of a network like the reviewer.
        """
        self.reviewer.load_state_dict(weights)
        self.optimizer = torch.optim.Adam(self.reviewer.parameters(), self._lr)

    def state_dict(self) -> dict[str, Any]:
        """The reviewer and its optimizer."""
        return {"reviewer": self.reviewer.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self.reviewer.load_state_dict(state["reviewer"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _step(self, pictures: Tensor, labels: Tensor) -> float:
        self.reviewer.train()
        loss = F.binary_cross_entropy_with_logits(self.reviewer(pictures), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())
