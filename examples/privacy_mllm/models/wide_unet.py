"""The U-Net that the paper's family of anonymizers uses: 17 million parameters at its usual width."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.models.precision import in_precision

MULTIPLE = 16
"""Heights and widths are padded to a multiple of this: four poolings by two."""

NORMS = ("batch", "group", "none")
GROUPS = 4


class WideUNet(nn.Module):
    r"""Four times down by max-pooling and up by bilinear doubling, from picture to picture.

    As in SPAct: channels w, 2w, 4w, 8w, 8w, two 3x3 convolutions a stage, a 1x1 convolution and a sigmoid at the end.
    17,267,523 parameters at width 64, 4,320,675 at 32, 68,343 at 4. A zeroth-order search moves in as many dimensions:
    see `width`, and `select` of :class:`zoopt_mo.Parameters`.

    Batch normalisation learns running statistics in training mode; hold them while the network is probed, with
    :func:`privacy_mllm.models.batch_norm.frozen_batch_norm`.

    Args:
        width: Channels w of the outermost stage, positive; a multiple of 4 for group normalisation.
        norm: "batch" as published; "group" has no statistics that could move; "none".

    Raises:
        ValueError: If `width` or `norm` is not one of these.

    Reference:
        Ronneberger et al. (2015), "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI;
        Dave et al. (2022), "SPAct: Self-supervised Privacy Preservation for Action Recognition", CVPR.
    """

    memory_format: torch.memory_format | None = None
    """Order of the numbers of pictures inside; that of the weights is as it is. None takes channels last on a GPU: a
    training step then takes two thirds of the time and a picture 40 % (``python -m benchmarks.gpu``)."""

    def __init__(self, width: int = 64, *, norm: str = "batch") -> None:
        super().__init__()
        _check(width, norm)
        self.inc = DoubleConv(3, width, width, norm)
        self.down1 = DoubleConv(width, 2 * width, 2 * width, norm)
        self.down2 = DoubleConv(2 * width, 4 * width, 4 * width, norm)
        self.down3 = DoubleConv(4 * width, 8 * width, 8 * width, norm)
        self.down4 = DoubleConv(8 * width, 8 * width, 8 * width, norm)
        self.up1 = DoubleConv(16 * width, 8 * width, 4 * width, norm)
        self.up2 = DoubleConv(8 * width, 4 * width, 2 * width, norm)
        self.up3 = DoubleConv(4 * width, 2 * width, width, norm)
        self.up4 = DoubleConv(2 * width, width, width, norm)
        self.outc = nn.Conv2d(width, 3, 1)

    @in_precision
    def forward(self, frames: Tensor) -> Tensor:
        """Pictures ``[b, 3, h, w]`` in [0, 1], of any size, to pictures of the same size in [0, 1]."""
        height, width = frames.shape[-2:]
        padded = F.pad(frames, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        hidden = self.inc(padded.contiguous(memory_format=self._format_on(padded.device)))
        skips = []
        for down in (self.down1, self.down2, self.down3, self.down4):
            skips.append(hidden)
            hidden = down(F.max_pool2d(hidden, 2))
        for up in (self.up1, self.up2, self.up3, self.up4):
            doubled = F.interpolate(hidden, scale_factor=2.0, mode="bilinear", align_corners=True)
            hidden = up(torch.cat([skips.pop(), doubled], dim=1))
        return torch.sigmoid(self.outc(hidden).float())[..., :height, :width]

    def _format_on(self, device: torch.device) -> torch.memory_format:
        if self.memory_format is not None:
            return self.memory_format
        return torch.channels_last if device.type == "cuda" else torch.contiguous_format


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions, each normalised and rectified.

    Args:
        inputs: Channels that come in.
        middle: Channels between the two.
        outputs: Channels that go out.
        norm: One of ``NORMS``.
    """

    def __init__(self, inputs: int, middle: int, outputs: int, norm: str) -> None:
        super().__init__(
            nn.Conv2d(inputs, middle, 3, 1, 1),
            _norm(norm, middle),
            nn.ReLU(),
            nn.Conv2d(middle, outputs, 3, 1, 1),
            _norm(norm, outputs),
            nn.ReLU(),
        )


def _norm(norm: str, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(GROUPS, channels) if norm == "group" else nn.Identity()


def _check(width: int, norm: str) -> None:
    if norm not in NORMS:
        raise ValueError(f"`norm` must be one of {', '.join(NORMS)}, got {norm!r}.")
    if width < 1:
        raise ValueError(f"`width` must be positive, got {width}.")
    if norm == "group" and width % GROUPS:
        raise ValueError(f'`width` must be a multiple of {GROUPS} for norm="group", got {width}.')
