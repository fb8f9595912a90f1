"""What moves, painted black on white: a control that needs no training and no query."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.pixels import check_pictures


@dataclass(frozen=True)
class FrameDifference:
    """Paints black what differs from the temporal median of its clip, and white everything else.

    The median over the frames is what stands still. Camera motion makes every edge move, and in a clip of one
    frame nothing moves: the picture is then blank white. It has two levels only, so nothing faint remains that
    an attacker could learn to read.

    Args:
        threshold: Smallest difference, of 255, in any colour that counts as motion. Our choice; not tuned.
    """

    threshold: int = 25
    name: str = "frame difference"

    def __post_init__(self) -> None:
        """Check the threshold."""
        if not 1 <= self.threshold <= 255:
            raise ValueError(f"`threshold` must be between 1 and 255, got {self.threshold}.")

    def anonymize(self, clips: Clips) -> Tensor:
        """All clips in black and white, ``uint8 [n, t, 3, h, w]``."""
        check_pictures(clips.frames)
        return torch.stack([self._change(frames) for frames in clips.frames]) if len(clips) else clips.frames

    def _change(self, frames: Tensor) -> Tensor:
        # float32, because a median between two bytes may lie at a half.
        values = frames.float()
        difference = (values - values.quantile(0.5, dim=0)).abs().amax(dim=1, keepdim=True)
        return torch.where(difference < self.threshold, 255, 0).to(torch.uint8).expand_as(frames)
