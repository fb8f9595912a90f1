"""Blackening: people painted over, by the box of a detector or by an oracle's silhouette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.detectors import Detector
from privacy_mllm.methods.pixels import check_pictures, composite
from privacy_mllm.methods.regions import Region, region_mask, region_name


@dataclass(frozen=True)
class Black:
    """Paints the people black.

    Args:
        region: What is painted in clips: the "box" or the "silhouette" of each person, or what a detector finds. The
            silhouette is exact, as no detector's is: an oracle, and the outline still shows a pose.
    """

    needs_mask: ClassVar[bool] = True  # A picture that is black everywhere is no picture.

    region: Region | Detector = "box"

    @property
    def name(self) -> str:
        """``black (box)`` or ``black (oracle silhouette)``."""
        return f"black ({region_name(self.region)})"

    def anonymize(self, clips: Clips) -> Tensor:
        """All pictures with their people black, ``uint8 [n, t, 3, h, w]``."""
        check_pictures(clips.frames)
        mask = region_mask(clips, self.region, needed_by=self.name)
        return composite(clips.frames, torch.zeros_like(clips.frames), mask)

    def __call__(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """One picture ``uint8 [3, h, w]``, black under the mask ``[1, h, w]``.

        Raises:
            ValueError: If there is no mask.
        """
        check_pictures(picture)
        if mask is None:
            raise ValueError("Blackening must be told what to hide: give boxes or masks.")
        return composite(picture, torch.zeros_like(picture), mask)
