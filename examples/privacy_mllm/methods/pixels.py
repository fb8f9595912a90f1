"""Between bytes and numbers, and between changed and unchanged pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

REFERENCE_SIDE = 224
"""Shorter side, in pixels, at which the classical operators are defined.

A blur of 21 pixels hides a face on a small picture and nothing at all on one of twelve megapixels. So a
picture whose shorter side is longer than this is changed at this size and enlarged again: the same share of it
is lost. The literature states the kernels without a size; this one is our choice.
"""

PIXELS_IN_CACHE = 8 * 64 * 64
"""Pixels whose floats stay in a core's cache through a few operations.

A blur of eight pictures of 64x64 at a time is 5 times faster than of 256, with the same bits.
"""


def to_bytes(pixels: Tensor) -> Tensor:
    """Pixels in [0, 255] as ``uint8``, rounded to the nearest (half to even); values beyond are clipped."""
    return pixels.round().clamp(0, 255).to(torch.uint8)


def check_pictures(pictures: Tensor) -> None:
    """Refuse what is not ``uint8 [..., 3, h, w]`` with at least one pixel."""
    if pictures.dtype != torch.uint8:
        raise TypeError(f"Pictures must be uint8, got {pictures.dtype}.")
    if pictures.ndim < 3 or pictures.shape[-3] != 3 or 0 in pictures.shape[-2:]:
        raise ValueError(f"Pictures must have shape [..., 3, h, w], got {list(pictures.shape)}.")


def composite(pictures: Tensor, changed: Tensor, mask: Tensor | None) -> Tensor:
    """``changed`` where the mask is 1, ``pictures`` where it is 0, their mixture between.

    Args:
        pictures: ``uint8 [..., 3, h, w]``.
        changed: The same shape.
        mask: In [0, 1], ``float [..., 1, h, w]``; None for 1 everywhere.

    Returns:
        ``uint8 [..., 3, h, w]``.
    """
    if mask is None:
        return changed
    wanted = [*pictures.shape[:-3], 1, *pictures.shape[-2:]]
    if list(mask.shape) != wanted:
        raise ValueError(f"`mask` must have shape {wanted}, got {list(mask.shape)}.")
    hard = (mask == 0) | (mask == 1)
    if bool(hard.all()):  # The usual case, at a quarter of the memory.
        return torch.where(mask.bool(), changed, pictures)
    return to_bytes(torch.lerp(pictures.float(), changed.float(), mask.float()))


def in_parts(change: Callable[[Tensor], Tensor], pictures: Tensor, *, size: int | None = None) -> Tensor:
    """``change`` of pictures ``[b, ..., h, w]``, a few at a time, so that their floats never exist all at once.

    Args:
        change: From some of the pictures to as many.
        pictures: All of them.
        size: How many at a time; None for as many as have ``PIXELS_IN_CACHE`` pixels, at least one.
    """
    if size is None:
        size = max(1, PIXELS_IN_CACHE // max(1, pictures.shape[-2] * pictures.shape[-1]))
    if len(pictures) <= size:
        return change(pictures)
    return torch.cat([change(part) for part in torch.split(pictures, size)])


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """Pictures ``[b, 3, h, w]`` at another size: bilinear, with antialiasing where they shrink."""
    if pictures.shape[-2:] == (height, width):
        return pictures
    return F.interpolate(pictures, size=(height, width), mode="bilinear", antialias=True)


def reference_size(height: int, width: int) -> tuple[int, int]:
    """The size at which a picture is changed: its own, or with the shorter side at ``REFERENCE_SIDE``."""
    shorter = min(height, width)
    if shorter <= REFERENCE_SIDE:
        return height, width
    return round(height * REFERENCE_SIDE / shorter), round(width * REFERENCE_SIDE / shorter)
