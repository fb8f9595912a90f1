"""The privacy reviewer: a small network that reads private attributes off one frame."""

from __future__ import annotations

from torch import Tensor, nn

from privacy_mllm.models._blocks import Residual
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.precision import in_precision
from privacy_mllm.weights import load_weights


class Reviewer(AttributeNetwork):
    """A frame classifier of private attributes (53,302 parameters at the default size).

    Args:
        num_attributes: Number of attributes ``k``.
        width: Channels of the first convolution.
    """

    def __init__(self, num_attributes: int = 6, width: int = 16) -> None:
        super().__init__()
        self.width = width
        self.stem = nn.Sequential(nn.Conv2d(3, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.stages = nn.Sequential(Residual(width, 2 * width, 2), Residual(2 * width, 3 * width, 2))
        # Four quarters of the picture: a card in a corner is not averaged away.
        self.head = nn.Sequential(nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(12 * width, num_attributes))

    @in_precision
    def features(self, frames: Tensor) -> Tensor:
        """The strongest responses in each quarter of a frame, ``[b, 12 * width]``."""
        pooled: Tensor = self.head[:2](self.stages(self.stem(frames * 2 - 1)))
        return pooled

    @in_precision
    def forward(self, frames: Tensor) -> Tensor:
        """One logit an attribute, ``[b, k]``, of frames ``[b, 3, h, w]`` in [0, 1]."""
        logits: Tensor = self.head[2](self.features(frames))
        return logits


def load_reviewer(name: str) -> Reviewer:
    """A shipped reviewer, in evaluation mode.

    Args:
        name: "reviewer" (of raw pictures) or "reviewer_warm" (trained along with the warm start).
    """
    reviewer = Reviewer()
    reviewer.load_state_dict(load_weights(name))
    return reviewer.eval()
