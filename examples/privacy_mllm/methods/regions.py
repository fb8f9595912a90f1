"""Where people are, as a classical baseline wants to know it: their boxes, or their silhouettes."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from privacy_mllm.data.clips import Clips

Region = Literal["box", "silhouette"]

_TOUCHING = np.ones((3, 3), dtype=bool)  # Pixels that meet at a corner belong to the same person.


def region_mask(clips: Clips, region: Region, *, needed_by: str) -> Tensor:
    """The pixels to hide, from what the clips know of their people.

    ``"silhouette"`` is every pixel that shows any part of a person: an oracle, since no detector is that
    exact. ``"box"`` is the smallest upright box around each connected silhouette, which is what a detector
    gives. People who touch share a box; one whom something cuts in two has two.

    Args:
        clips: Clips with ``people``.
        region: "box" or "silhouette".
        needed_by: Name of the method, for the message.

    Returns:
        0 or 1, ``float32 [n, t, 1, h, w]``.

    Raises:
        ValueError: If the region is unknown, or the clips do not say where people are.
    """
    if region not in get_args(Region):
        raise ValueError(f'`region` must be "box" or "silhouette", got {region!r}.')
    if clips.people is None:
        raise ValueError(
            f"{needed_by} must know where people are, but these clips have no `people` masks. Give them as "
            "pictures in the folder people/ (white where a person is), or leave this method out."
        )
    shown = clips.people > 0
    return (shown if region == "silhouette" else _boxes(shown)).float()


def _boxes(shown: Tensor) -> Tensor:
    planes: npt.NDArray[np.bool_] = shown.flatten(0, 2).numpy()
    filled = np.zeros_like(planes)
    for plane, box in zip(planes, filled, strict=True):
        labels, _ = ndimage.label(plane, structure=_TOUCHING)
        for rows, columns in ndimage.find_objects(labels):
            box[rows, columns] = True
    return torch.from_numpy(filled).view(shown.shape)
