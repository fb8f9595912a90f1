"""What of a clip tells who is in it: maps in [0, 1] that say how much of each pixel is to be hidden."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.blur import gaussian_blur
from privacy_mllm.methods.regions import region_mask

Saliency = Callable[[Clips], Tensor]
"""From clips to maps in [0, 1], ``float32 [n, t, 1, h, w]``."""

BRIGHTEST = 0.95
"""Quantile of a map from which on a pixel counts as fully salient. Our choice; not tuned."""


def people_saliency(clips: Clips) -> Tensor:
    """1 on people, 0 elsewhere: an oracle, from the clips' own masks.

    Raises:
        ValueError: If the clips do not say where people are.
    """
    return region_mask(clips, "silhouette", needed_by="SelectivePrivacy (people)")


def detail_saliency(clips: Clips) -> Tensor:
    """Where something moves or has edges: difference to the clip's temporal median, and length of the gradient.

    Both are blurred and scaled to the brightest part of their clip. It needs no weights and knows nothing of people.
    """
    if clips.frames.numel() == 0:
        return torch.zeros(*clips.frames.shape[:2], 1, *clips.frames.shape[-2:])
    return torch.stack([_of_clip(frames) for frames in clips.frames])


def _of_clip(frames: Tensor) -> Tensor:
    grey = frames.float().mean(dim=1, keepdim=True)
    motion = (grey - grey.quantile(0.5, dim=0)).abs()
    across = F.pad(grey, (0, 1, 0, 0), mode="replicate").diff(dim=-1)
    down = F.pad(grey, (0, 0, 0, 1), mode="replicate").diff(dim=-2)
    return torch.maximum(_scaled(motion), _scaled((across.square() + down.square()).sqrt()))


def _scaled(strength: Tensor) -> Tensor:
    smooth = gaussian_blur(strength, 7, 2.0)
    brightest = smooth.flatten().kthvalue(1 + int(BRIGHTEST * (smooth.numel() - 1))).values
    return (smooth / brightest.clamp_min(1.0)).clamp(0, 1)
