"""The residual block that the small networks share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut, ``[b, i, h, w]`` to ``[b, o, h / stride, w / stride]``.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: Step of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, pictures: Tensor) -> Tensor:
        """The features after the block."""
        hidden = F.relu(self.first_norm(self.first(pictures)))
        return F.relu(self.second_norm(self.second(hidden)) + self.shortcut(pictures))
