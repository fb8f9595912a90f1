"""What every privacy reviewer's network is: pictures to features, features to one logit an attribute."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class AttributeNetwork(nn.Module, ABC):
    """A frame classifier of private attributes.

    Its features, before the last layer, also tell people apart: :func:`privacy_mllm.metrics.reidentify` uses them.
    """

    @abstractmethod
    def features(self, frames: Tensor) -> Tensor:
        """One vector a frame, ``[b, d]``, of frames ``[b, 3, h, w]`` in [0, 1]."""

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """One logit an attribute, ``[b, k]``, of frames ``[b, 3, h, w]`` in [0, 1]."""
