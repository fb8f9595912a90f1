"""Random frames of clips, as reviewers and anonymizers are trained on them, and random clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data.lazy import prefetch
from privacy_mllm.devices import send, to_pictures


@dataclass(frozen=True)
class FrameDraw:
    """Which frames a step looks at.

    Args:
        clips: Numbers of clips, ``long [b]``.
        times: The frame of each, ``long [b]``.
        mirrored: Whether all of them are shown mirrored.
    """

    clips: Tensor
    times: Tensor
    mirrored: bool

    @classmethod
    def of(cls, frames: Tensor, batch: int, generator: torch.Generator) -> FrameDraw:
        """Random frames of random clips; none is read.

        Args:
            frames: Clips, ``[n, t, 3, h, w]``.
            batch: How many.
            generator: Source of the draws.
        """
        clips = torch.randint(len(frames), (batch,), generator=generator)
        times = torch.randint(frames.shape[1], (batch,), generator=generator)
        return cls(clips, times, bool(torch.rand((), generator=generator) < 0.5))

    @property
    def index(self) -> tuple[Tensor, Tensor]:
        """Their place in a tensor of clips."""
        return self.clips, self.times

    def show(self, read: Tensor, attributes: Tensor, device: torch.device | str) -> tuple[Tensor, Tensor]:
        """Pictures ``[b, 3, h, w]`` in [0, 1] and labels ``[b, k]``, on a device.

        Args:
            read: The frames, ``uint8 [b, 3, h, w]``.
            attributes: Attributes of all clips, ``[n, k]``.
            device: Where to.
        """
        pictures = to_pictures(read, device)
        return pictures.flip(-1) if self.mirrored else pictures, send(attributes[self.clips].float(), device)


def draw_frames(
    frames: Tensor,
    attributes: Tensor,
    batch: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """A random frame each of random clips: pictures ``[batch, 3, h, w]`` in [0, 1] and labels ``[batch, k]``.

    Half of the batches are mirrored as a whole.
    """
    draw = FrameDraw.of(frames, batch, generator)
    return draw.show(frames[draw.index], attributes, device)


def draw_batches(
    frames: Tensor,
    attributes: Tensor,
    steps: int,
    batch: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Tensor, Tensor]]:
    """What :func:`draw_frames` gives, for one step after another; the next step is read while the present one computes.

    All is drawn at the first step, so nothing else may draw from the generator in between.

    Args:
        frames: Clips, ``uint8 [n, t, 3, h, w]``.
        attributes: Their attributes, ``[n, k]``.
        steps: How many batches.
        batch: Frames of each.
        generator: Source of the draws.
        device: Where pictures and labels go.
    """
    draws = [FrameDraw.of(frames, batch, generator) for _ in range(steps)]
    for draw, read in zip(draws, prefetch(frames, (draw.index for draw in draws)), strict=True):
        yield draw.show(read, attributes, device)


@dataclass(frozen=True)
class ClipDraw:
    """Which clips a step looks at.

    Args:
        rows: Their numbers, ``long [b]``.
        mirrored: Whether all of them are shown mirrored.
    """

    rows: Tensor
    mirrored: bool

    @classmethod
    def of(cls, frames: Tensor, count: int, generator: torch.Generator) -> ClipDraw:
        """Random clips, with replacement; none is read.

        Args:
            frames: Clips, ``[n, t, 3, h, w]``.
            count: How many.
            generator: Source of the draws.
        """
        rows = torch.randint(len(frames), (count,), generator=generator)
        return cls(rows, bool(torch.rand((), generator=generator) < 0.5))


def show_ahead(frames: Tensor, draws: Sequence[ClipDraw], device: torch.device | str = "cpu") -> Iterator[Tensor]:
    """The clips of one draw after another, in [0, 1]; those of the next are read while the present ones are used.

    Args:
        frames: Clips, ``uint8 [n, t, 3, h, w]``.
        draws: Which.
        device: Where to.
    """
    for draw, read in zip(draws, prefetch(frames, (draw.rows for draw in draws)), strict=True):
        clips = to_pictures(read, device)
        yield clips.flip(-1) if draw.mirrored else clips
