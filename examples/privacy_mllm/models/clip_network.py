"""Anonymizers that look at a whole clip, and how clips are shown to any anonymizer."""

from __future__ import annotations

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
