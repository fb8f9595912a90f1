"""Random frames of clips, as reviewers and anonymizers are trained on them, and random clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data.lazy import Index, prefetch
from privacy_mllm.devices import send, to_pictures


@dataclass(frozen=True)
class Draw:
    """Which clips a step looks at, or which frame of each.

    Args:
        rows: Numbers of the clips, ``long [b]``.
        times: The frame of each, ``long [b]``; None for the whole clips.
        mirrored: Whether all of them are shown mirrored.
    """

    rows: Tensor
    times: Tensor | None
    mirrored: bool

    @classmethod
    def of(cls, frames: Tensor, count: int, generator: torch.Generator, *, one_frame: bool = False) -> Draw:
        """Random clips, with replacement; none is read.

        Args:
            frames: Clips, ``[n, t, 3, h, w]``.
            count: How many.
            generator: Source of the draws.
            one_frame: Whether a random frame of each is looked at, not the whole clip.
        """
        rows = torch.randint(len(frames), (count,), generator=generator)
        times = torch.randint(frames.shape[1], (count,), generator=generator) if one_frame else None
        return cls(rows, times, bool(torch.rand((), generator=generator) < 0.5))

    @property
    def index(self) -> Index:
        """Their place in a tensor of clips."""
        return self.rows if self.times is None else (self.rows, self.times)

    def show(self, read: Tensor, device: torch.device | str) -> Tensor:
        """The clips or frames in [0, 1], on a device.

        Args:
            read: What was read of them, ``uint8 [b, ..., 3, h, w]``.
            device: Where to.
        """
        pictures = to_pictures(read, device)
        return pictures.flip(-1) if self.mirrored else pictures

    def labels(self, attributes: Tensor, device: torch.device | str) -> Tensor:
        """Their labels ``[b, k]``, on a device.

        Args:
            attributes: Attributes of all clips, ``[n, k]``.
            device: Where to.
        """
        return send(attributes[self.rows].float(), device)


def draw_batches(
    frames: Tensor,
    attributes: Tensor,
    steps: int,
    batch: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Tensor, Tensor]]:
    """A random frame each of random clips, for one step after another; the next is read while the present one computes.

    Pictures ``[batch, 3, h, w]`` in [0, 1] and labels ``[batch, k]``; half of the batches are mirrored as a whole. All
    is drawn at the first step, so nothing else may draw from the generator in between.

    Args:
        frames: Clips, ``uint8 [n, t, 3, h, w]``.
        attributes: Their attributes, ``[n, k]``.
        steps: How many batches.
        batch: Frames of each.
        generator: Source of the draws.
        device: Where pictures and labels go.
    """
    draws = [Draw.of(frames, batch, generator, one_frame=True) for _ in range(steps)]
    for draw, pictures in zip(draws, show_ahead(frames, draws, device), strict=True):
        yield pictures, draw.labels(attributes, device)


def show_ahead(frames: Tensor, draws: Sequence[Draw], device: torch.device | str = "cpu") -> Iterator[Tensor]:
    """What one draw after another looks at, in [0, 1]; the next one's is read while the present one's is used.

    Args:
        frames: Clips, ``uint8 [n, t, 3, h, w]``.
        draws: Which.
        device: Where to.
    """
    for draw, read in zip(draws, prefetch(frames, (draw.index for draw in draws)), strict=True):
        yield draw.show(read, device)
