"""Random views of clips for contrastive learning; differentiable in the pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def random_view(clips: Tensor, generator: torch.Generator) -> Tensor:
    """A random frame of each clip, cropped, mirrored and with another brightness and contrast.

    Args:
        clips: In [0, 1], ``[b, t, 3, h, w]``.
        generator: Source of the draws.

    Returns:
        Pictures in [0, 1], ``[b, 3, h, w]``; the crops have sides of .6 to 1 and are enlarged to the full size.
    """
    count, length = clips.shape[:2]
    frames = clips[torch.arange(count), torch.randint(length, (count,), generator=generator)]
    side = 0.6 + 0.4 * torch.rand(count, generator=generator)
    corner = (1 - side)[:, None] * (2 * torch.rand(count, 2, generator=generator) - 1)
    mirrored = 1 - 2 * torch.randint(2, (count,), generator=generator)
    crop = torch.zeros(count, 2, 3)
    crop[:, 0, 0], crop[:, 1, 1], crop[:, :, 2] = side * mirrored, side, corner
    grid = F.affine_grid(crop.to(frames), list(frames.shape), align_corners=False)
    views = F.grid_sample(frames, grid, padding_mode="border", align_corners=False)
    contrast, brightness = (torch.rand(count, 1, 1, 1, generator=generator).to(frames) for _ in range(2))
    return ((views - 0.5) * (0.7 + 0.6 * contrast) + 0.5 + 0.3 * (brightness - 0.5)).clamp(0, 1)
