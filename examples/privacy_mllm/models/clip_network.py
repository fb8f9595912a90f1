"""Anonymizers that look at a whole clip, and how clips are shown to any anonymizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClipNetwork(nn.Module):
    """An anonymizer that needs the pictures before and after: clips ``[b, t, 3, h, w]`` in [0, 1] to the same.

    All other networks map pictures ``[b, 3, h, w]``, each on its own.
    """


def looks_at_clips(anonymizer: nn.Module) -> bool:
    """Whether an anonymizer is a :class:`ClipNetwork`."""
    return isinstance(anonymizer, ClipNetwork)


def show_clips(anonymizer: nn.Module, clips: Tensor) -> Tensor:
    """What an anonymizer makes of clips.

    Args:
        anonymizer: It looks at whole clips, or at each picture alone.
        clips: ``[b, t, 3, h, w]`` in [0, 1].

    Returns:
        Clips of the same shape.
    """
    if looks_at_clips(anonymizer):
        shown: Tensor = anonymizer(clips)
        return shown
    pictures: Tensor = anonymizer(clips.flatten(0, 1))
    return pictures.view(clips.shape)


def pan(stills: Tensor) -> Tensor:
    """Still pictures ``[b, 1, 3, h, w]`` as clips of two frames, the second shifted to the left by 1/64 of the width.

    At least by one pixel; the right border is repeated.
    """
    step = max(1, round(stills.shape[-1] / 64))
    moved = torch.cat([stills[..., step:], stills[..., -1:].expand(*stills.shape[:-1], step)], dim=-1)
    return torch.cat([stills, moved], dim=1)
