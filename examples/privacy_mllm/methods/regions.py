"""Where people are, as a classical baseline wants to know it: boxes, silhouettes, or what a detector finds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.detectors import Box, Detector

Region = Literal["box", "silhouette"]

_TOUCHING = np.ones((3, 3), dtype=bool)  # Pixels that meet at a corner belong to the same person.


def region_mask(clips: Clips, region: Region | Detector, *, needed_by: str) -> Tensor:
    """The pixels to hide, from what the clips know of their people or from what a detector finds.

    ``"silhouette"`` is every pixel that shows any part of a person: an oracle, since no detector is that
    exact. ``"box"`` is the smallest upright box around each connected silhouette, which is what a perfect
    detector gives. People who touch share a box; one whom something cuts in two has two. A detector looks at
    each frame alone and needs no ``people``.

    Args:
        clips: Clips, with ``people`` unless there is a detector.
        region: "box", "silhouette", or a function from a picture to boxes.
        needed_by: Name of the method, for the message.

    Returns:
        0 or 1, ``float32 [n, t, 1, h, w]``.

    Raises:
        ValueError: If the region is unknown, or the clips do not say where people are.
    """
    if callable(region):
        return _detected(clips.frames, region)
    if region not in get_args(Region):
        raise ValueError(f'`region` must be "box" or "silhouette", got {region!r}.')
    if clips.people is None:
        raise ValueError(
            f"{needed_by} must know where people are, but these clips have no `people` masks. Give them as "
            "pictures in the folder people/ (white where a person is), give a detector, or leave this method out."
        )
    shown = clips.people > 0
    return (shown if region == "silhouette" else _boxes(shown)).float()


def region_name(region: Region | Detector) -> str:
    """How names of methods call a region."""
    if callable(region):
        return "detected"
    return "oracle silhouette" if region == "silhouette" else region


def boxes_mask(boxes: Iterable[Box], height: int, width: int) -> Tensor:
    """1 in every box, ``float32 [1, h, w]``; a pixel that a box only touches counts, what lies outside is cut off."""
    mask = torch.zeros(1, height, width)
    for x0, y0, x1, y1 in boxes:
        rows = slice(max(0, math.floor(y0)), max(0, math.ceil(y1)))
        columns = slice(max(0, math.floor(x0)), max(0, math.ceil(x1)))
        mask[:, rows, columns] = 1
    return mask


def _detected(frames: Tensor, detector: Detector) -> Tensor:
    height, width = frames.shape[-2:]
    masks = [boxes_mask(detector(picture), height, width) for picture in frames.flatten(0, 1)]
    if not masks:
        return torch.zeros(*frames.shape[:2], 1, height, width)
    return torch.stack(masks).view(*frames.shape[:2], 1, height, width)


def _boxes(shown: Tensor) -> Tensor:
    planes: npt.NDArray[np.bool_] = shown.flatten(0, 2).numpy()
    filled = np.zeros_like(planes)
    for plane, box in zip(planes, filled, strict=True):
        labels, _ = ndimage.label(plane, structure=_TOUCHING)
        for rows, columns in ndimage.find_objects(labels):
            box[rows, columns] = True
    return torch.from_numpy(filled).view(shown.shape)
