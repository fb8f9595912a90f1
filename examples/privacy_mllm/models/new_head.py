"""A trained network under a new last layer, for attributes that it was not trained to name."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from privacy_mllm.models.attribute_network import AttributeNetwork


class NewHead(AttributeNetwork):
    """The features of a network, and a random last layer over them.

    Args:
        body: The network; a copy is taken.
        num_attributes: Number of logits ``k``.
        seed: Seed of the last layer.
        size: Side of the pictures by which the number of features is found.
    """

    def __init__(self, body: AttributeNetwork, num_attributes: int, *, seed: int = 0, size: int = 64) -> None:
        super().__init__()
        self.body = copy.deepcopy(body).eval()
        tensor = next(self.body.parameters())
        with torch.no_grad():
            width = self.body.features(torch.zeros(1, 3, size, size, device=tensor.device)).shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(width, num_attributes).to(tensor.device)

    def features(self, frames: Tensor) -> Tensor:
        """Those of the network, ``[b, d]``."""
        return self.body.features(frames)

    def forward(self, frames: Tensor) -> Tensor:
        """One logit an attribute, ``[b, k]``, of frames ``[b, 3, h, w]`` in [0, 1]."""
        logits: Tensor = self.head(self.features(frames))
        return logits
