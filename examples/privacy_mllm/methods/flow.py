"""Optical flow from each frame of a clip to its first: where what is seen now was seen then."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.methods.detectors import import_cv2
from privacy_mllm.methods.pixels import resize

Flow = Callable[[Tensor], Tensor]
"""From frames ``uint8 [t, 3, h, w]`` to displacements in pixels ``float32 [t, 2, h, w]``, x before y.

What is at ``(x, y)`` in frame t was at ``(x + dx, y + dy)`` in frame 0; frame 0 itself does not move.
"""

SEARCHED_SIDE = 64
"""Shorter side at which blocks are compared; larger frames are reduced to it."""


def no_flow(frames: Tensor) -> Tensor:
    """No motion at all."""
    return torch.zeros(len(frames), 2, *frames.shape[-2:])


def block_flow(frames: Tensor, *, block: int = 8, radius: int = 6) -> Tensor:
    """The shift of each block of pixels that leaves the least mean absolute difference, tried one by one.

    Coarse, whole pixels only, and blind to motion beyond the radius; needs no weights. Where nothing is better, the
    shorter shift counts, so that a flat region stands still.

    Args:
        frames: ``uint8 [t, 3, h, w]``.
        block: Side of a block, at the searched size.
        radius: Longest shift along each axis, at the searched size.
    """
    height, width = frames.shape[-2:]
    reduced = max(1.0, min(height, width) / SEARCHED_SIDE)
    grey = resize(frames, max(1, round(height / reduced)), max(1, round(width / reduced))).float().mean(1, keepdim=True)
    shifts = _shifts(radius)
    # A shift must be better by a tenth of a grey level: noise alone moves nothing.
    costs = _block_costs(grey[1:], grey[0, 0], radius, block) + 0.1 * shifts.norm(dim=-1)[..., None, None]
    nearest_first = shifts.flatten(0, 1).square().sum(1).argsort(stable=True)
    chosen = costs.flatten(1, 2)[:, nearest_first].argmin(dim=1)
    best = torch.zeros(len(grey), 2, *chosen.shape[1:])  # Frame 0 is where everything is.
    best[1:] = shifts.flatten(0, 1)[nearest_first][chosen].permute(0, 3, 1, 2)
    scale = torch.tensor([width / grey.shape[3], height / grey.shape[2]]).view(1, 2, 1, 1)
    return F.interpolate(best, size=(height, width)) * scale


def farneback_flow(frames: Tensor) -> Tensor:
    """Dense flow by polynomial expansion, from OpenCV.

    Raises:
        ImportError: If OpenCV is missing.

    Reference:
        Farnebäck, Two-frame motion estimation based on polynomial expansion, SCIA 2003.
    """
    cv2 = import_cv2()
    grey = [cv2.cvtColor(np.ascontiguousarray(frame.permute(1, 2, 0)), cv2.COLOR_RGB2GRAY) for frame in frames]
    found = [cv2.calcOpticalFlowFarneback(now, grey[0], None, 0.5, 3, 15, 3, 5, 1.2, 0) for now in grey[1:]]
    flow = no_flow(frames)
    for displacement, of_frame in zip(flow[1:], found, strict=True):
        displacement.copy_(torch.from_numpy(of_frame).permute(2, 0, 1))
    return flow


def carried(first: Tensor, flow: Tensor, elsewhere: Tensor) -> Tensor:
    """A picture of frame 0 carried along by the motion: each pixel of frame t shows where it came from.

    Args:
        first: What frame 0 shows, ``float32 [c, h, w]``.
        flow: As of a :data:`Flow`, ``[t, 2, h, w]``.
        elsewhere: What is shown where a pixel came from outside the picture, ``[t, c, h, w]``.

    Returns:
        ``float32 [t, c, h, w]``, by the nearest pixel, so that noise keeps its distribution.
    """
    height, width = first.shape[-2:]
    x = (torch.arange(width) + flow[:, 0]).round().long()
    y = (torch.arange(height)[:, None] + flow[:, 1]).round().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    seen = first[:, y.clamp(0, height - 1), x.clamp(0, width - 1)].transpose(0, 1)
    return torch.where(inside[:, None], seen, elsewhere)


def _shifts(radius: int) -> Tensor:
    """All shifts ``(x, y)`` along each axis, ``float32 [x, y, 2]``."""
    steps = torch.arange(-radius, radius + 1).float()
    return torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)


def _block_costs(grey: Tensor, first: Tensor, radius: int, block: int) -> Tensor:
    """Mean absolute difference of each block to frame 0 under each shift, ``[t, x, y, rows, columns]``.

    Args:
        grey: Frames, ``[t, 1, h, w]``.
        first: Frame 0, ``[h, w]``.
        radius: Longest shift along each axis.
        block: Side of a block.
    """
    height, width = first.shape
    padded = F.pad(first[None, None], (radius,) * 4, mode="replicate")[0, 0]
    costs = []
    # The shifts of a column at a time: together they would not fit into the processor's cache.
    for moved in padded.unfold(0, height, 1).unfold(1, width, 1).transpose(0, 1):
        apart = (grey - moved).abs_()
        costs.append(F.avg_pool2d(apart, block, ceil_mode=True, count_include_pad=False))
    return torch.stack(costs, dim=1)
