"""Gaussian blur, weak and strong, of the people or of the whole picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.detectors import Detector
from privacy_mllm.methods.pixels import check_pictures, composite, in_parts, reference_size, resize, to_bytes
from privacy_mllm.methods.regions import Region, region_mask, region_name

KERNELS = {"weak": 13, "strong": 21}
"""Taps of the Gaussian; its sigma is 10 in both."""

SIGMA = 10.0


@dataclass(frozen=True)
class Blur:
    r"""Blurs pictures with a Gaussian of 13 (weak) or 21 (strong) taps and :math:`\sigma = 10`.

    The blur sees the whole picture, mirrored at its borders, and is then composited under the mask, so what
    surrounds a person bleeds into the region but the surroundings themselves stay. On a picture larger than
    ``pixels.REFERENCE_SIDE`` the kernel counts at that size.

    Args:
        strength: "weak" or "strong".
        region: What is hidden in clips: the "box" or the "silhouette" of each person, or what a detector finds;
            None for everything.
    """

    needs_mask: ClassVar[bool] = False

    strength: Literal["weak", "strong"] = "strong"
    region: Region | Detector | None = "box"

    def __post_init__(self) -> None:
        """Check the strength."""
        if self.strength not in KERNELS:
            raise ValueError(f'`strength` must be "weak" or "strong", got {self.strength!r}.')

    @property
    def name(self) -> str:
        """For example ``strong blur (box)``."""
        where = "whole picture" if self.region is None else region_name(self.region)
        return f"{self.strength} blur ({where})"

    def anonymize(self, clips: Clips) -> Tensor:
        """All pictures with their people blurred, ``uint8 [n, t, 3, h, w]``."""
        check_pictures(clips.frames)
        mask = None if self.region is None else region_mask(clips, self.region, needed_by=self.name)
        changed = in_parts(self._change, clips.frames.flatten(0, 1))
        return composite(clips.frames, changed.view(clips.frames.shape), mask)

    def __call__(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """One picture ``uint8 [3, h, w]`` blurred everywhere or under the mask ``[1, h, w]``."""
        check_pictures(picture)
        return composite(picture, self._change(picture[None])[0], mask)

    def _change(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        small = resize(pictures, *reference_size(height, width))
        return resize(to_bytes(gaussian_blur(small.float(), KERNELS[self.strength], SIGMA)), height, width)


def gaussian_blur(pictures: Tensor, taps: int, sigma: float) -> Tensor:
    """Float pictures ``[b, c, h, w]`` under a Gaussian of an odd number of taps, mirrored at the border."""
    for dimension in (-2, -1):
        pictures = _blur_along(pictures, gaussian_weights(taps, sigma).to(pictures), dimension)
    return pictures


def gaussian_weights(taps: int, sigma: float) -> Tensor:
    """The Gaussian at whole pixels around its centre, summing to 1, ``float64 [taps]``."""
    offsets = torch.arange(taps, dtype=torch.float64) - taps // 2
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def _blur_along(pictures: Tensor, weights: Tensor, dimension: int) -> Tensor:
    size, reach = pictures.shape[dimension], len(weights) // 2
    padded = pictures.index_select(dimension, _mirrored(size, reach))
    planes = padded.flatten(0, 1)[:, None]
    kernel = weights.view(1, 1, -1, 1) if dimension == -2 else weights.view(1, 1, 1, -1)
    return F.conv2d(planes, kernel)[:, 0].view(pictures.shape)


def _mirrored(size: int, reach: int) -> Tensor:
    """Indices of a border of ``reach`` pixels, mirrored as often as a side shorter than the kernel needs."""
    period = max(1, 2 * (size - 1))
    positions = torch.arange(-reach, size + reach) % period
    return torch.minimum(positions, period - positions) if size > 1 else torch.zeros_like(positions)
