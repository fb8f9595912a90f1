"""Painting soft-edged shapes onto a block of clips at once.

A shape is its signed distance ``[n, t, h, w]``: negative inside, in units of the picture's side. The picture is the
unit square, x to the right and y downward. A point is ``[n, t, 2]``.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Canvas:
    """Clips being painted, ``[n, t, 3, s, s]`` in [0, 1].

    Args:
        frames: Number of frames ``t``.
        size: Height and width ``s``.
        camera: Where the camera points, ``[n, t, 2]``; the picture shows the world moved by minus this.
    """

    def __init__(self, frames: int, size: int, camera: Tensor) -> None:
        self.pixels = torch.zeros(len(camera), frames, 3, size, size)
        self.camera = camera
        self._line = (torch.arange(size) + 0.5) / size
        self._pixel = 1.0 / size
        self.look()

    def look(self, parallax: float = 1.0) -> None:
        """Set the grid ``x [n, t, 1, s]``, ``y [n, t, s, 1]`` for things that follow the camera by this factor."""
        offset = self.camera * parallax
        self.x = self._line + offset[..., 0, None, None]
        self.y = self._line[:, None] + offset[..., 1, None, None]

    def coverage(self, distance: Tensor, visible: Tensor | None = None) -> Tensor:
        """How much of each pixel a shape covers, ``[n, t, 1, s, s]``; `visible` ``[n]`` scales whole clips."""
        covered = (0.5 - distance / self._pixel).clamp_(0, 1).unsqueeze(2)
        return covered if visible is None else covered * visible.float().view(-1, 1, 1, 1, 1)

    def paint(self, distance: Tensor, colour: Tensor, visible: Tensor | None = None) -> Tensor:
        """Paint a shape in a colour ``[n, 3]`` or ``[3]``, and return its coverage."""
        covered = self.coverage(distance, visible)
        colour = colour.expand(len(self.pixels), 3).view(-1, 1, 3, 1, 1)
        self.pixels = torch.lerp(self.pixels, colour, covered)
        return covered

    def disc(self, centre: Tensor, radius: Tensor | float, squash: float = 1.0) -> Tensor:
        """A disc, or with `squash` below 1 an ellipse that is taller than wide."""
        x, y = self._around(centre)
        return (x.square() + (y * squash).square()).sqrt() - _per_clip(radius)

    def box(self, centre: Tensor, half_width: Tensor | float, half_height: Tensor | float) -> Tensor:
        """An upright rectangle."""
        x, y = self._around(centre)
        return torch.maximum(x.abs() - _per_clip(half_width), y.abs() - _per_clip(half_height))

    def capsule(self, start: Tensor, end: Tensor, radius: Tensor | float) -> Tensor:
        """A line with round ends."""
        x, y = self._around(start)
        along = (end - start)[..., None, None, :]
        dx, dy = along[..., 0], along[..., 1]
        part = ((x * dx + y * dy) / (dx.square() + dy.square() + 1e-6)).clamp_(0, 1)
        return ((x - part * dx).square_() + (y - part * dy).square_()).sqrt_() - _per_clip(radius)

    def stripes(self, centre: Tensor, frequency: float) -> Tensor:
        """A wave along x through a centre, in [-1, 1], ``[n, t, 1, s]``."""
        return (self._around(centre)[0] * frequency).sin()

    def _around(self, centre: Tensor) -> tuple[Tensor, Tensor]:
        return self.x - centre[..., 0, None, None], self.y - centre[..., 1, None, None]


def _per_clip(length: Tensor | float) -> Tensor | float:
    return length.view(-1, 1, 1, 1) if isinstance(length, Tensor) else length
