"""SelectivePrivacy: what is salient drowned in noise that moves along with the picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.flow import Flow, block_flow, carried
from privacy_mllm.methods.pixels import check_pictures, to_bytes
from privacy_mllm.methods.saliency import Saliency, detail_saliency, people_saliency

_NAMES: dict[Saliency, str] = {detail_saliency: "detail", people_saliency: "people"}


@dataclass(frozen=True)
class SelectivePrivacy:
    r"""Mixes uniform noise into salient pixels: :math:`(1 - s) x + s \nu`. Needs no training.

    The noise is drawn once for the first frame and carried along by the optical flow, so that the motion can still be
    seen in it and no average over frames brings back what it hides. Where something comes in from outside, the noise
    is fresh. A clip's noise depends on the seed and its name alone.

    The original's saliency is the similarity of DINO features to templates of body parts, and its flow is RAFT's;
    neither can be shipped. Both are arguments; the defaults, motion and edges under block matching, are ours.

    Args:
        saliency: How much of each pixel is hidden.
        flow: Motion from each frame to the first; :func:`~privacy_mllm.methods.flow.no_flow` for still noise.
        seed: Seed of the noise.

    Reference:
        Ilic et al., Selective, interpretable and motion consistent privacy attribute obfuscation for action
        recognition, CVPR 2024.
    """

    saliency: Saliency = detail_saliency
    flow: Flow = block_flow
    seed: int = 0

    @property
    def name(self) -> str:
        """For example ``SelectivePrivacy (detail)``."""
        return f"SelectivePrivacy ({_NAMES.get(self.saliency, 'given')})"

    def anonymize(self, clips: Clips) -> Tensor:
        """All clips with their salient pixels drowned, ``uint8 [n, t, 3, h, w]``.

        Raises:
            ValueError: If the saliency has another shape than ``[n, t, 1, h, w]`` or leaves [0, 1].
        """
        check_pictures(clips.frames)
        salient = self.saliency(clips)
        wanted = (*clips.frames.shape[:2], 1, *clips.frames.shape[-2:])
        if salient.shape != wanted or not bool(((salient >= 0) & (salient <= 1)).all()):
            raise ValueError(
                f"`saliency` must give {list(wanted)} in [0, 1], got {list(salient.shape)} "
                f"from {salient.min().item():g} to {salient.max().item():g}."
            )
        drowned = [
            to_bytes(torch.lerp(frames.float(), self._noise(name, frames), share))
            for name, frames, share in zip(clips.names, clips.frames, salient, strict=True)
        ]
        return torch.stack(drowned) if drowned else clips.frames

    def _noise(self, name: str, frames: Tensor) -> Tensor:
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        first = torch.rand(frames.shape[1:], generator=generator) * 255
        fresh = torch.rand(frames.shape, generator=generator) * 255
        return carried(first, self.flow(frames), fresh)
