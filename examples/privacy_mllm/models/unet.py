"""The anonymizer's network: a small U-Net from picture to picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.models.precision import in_precision

MULTIPLE = 8
"""Heights and widths are padded to a multiple of this: one unshuffling and two poolings by two."""


class UNet(nn.Module):
    """A U-Net that works at half the resolution and has no shortcut from input to output.

    Pixels are first unshuffled two by two, so that the body costs a quarter; the last step doubles the
    resolution by nearest neighbours and a 3x3 convolution, which leaves no checkerboard. 17,427 parameters
    at the default width.

    Args:
        width: Channels of the outermost stage, a multiple of 4.
    """

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.outer = _stage(12, width)
        self.inner = _stage(width, 2 * width)
        self.bottom = _stage(2 * width, 2 * width)
        self.inner_up = _stage(4 * width, width)
        self.outer_up = _stage(2 * width, width)
        self.out = nn.Conv2d(width, 3, 3, 1, 1)

    @in_precision
    def forward(self, frames: Tensor) -> Tensor:
        """Pictures ``[b, 3, h, w]`` in [0, 1], of any size, to pictures of the same size in [0, 1]."""
        height, width = frames.shape[-2:]
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        outer = self.outer(F.pixel_unshuffle(F.pad(frames, padding, mode="replicate"), 2))
        inner = self.inner(F.avg_pool2d(outer, 2))
        bottom = self.bottom(F.avg_pool2d(inner, 2))
        up = self.inner_up(torch.cat([_double(bottom), inner], dim=1))
        up = self.outer_up(torch.cat([_double(up), outer], dim=1))
        return torch.sigmoid(self.out(_double(up)).float())[..., :height, :width]


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1), nn.GroupNorm(4, outputs), nn.SiLU())


def _double(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="nearest")
