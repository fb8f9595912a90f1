"""Downsampling: fewer pixels, stretched over the same size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.pixels import check_pictures, composite, in_parts, reference_size, resize, to_bytes


@dataclass(frozen=True)
class Downsample:
    """Shrinks pictures by a factor and enlarges them again to the size they came in.

    Shrinking takes the mean of each block where the factor divides both sides, else it is bilinear with
    antialiasing; enlarging is bilinear. On a picture larger than ``pixels.REFERENCE_SIDE`` the factor counts
    from that size.

    Args:
        factor: How many pixels become one along each side, an integer of at least 2.
    """

    needs_mask: ClassVar[bool] = False

    factor: int = 2

    def __post_init__(self) -> None:
        """Check the factor."""
        if self.factor < 2:
            raise ValueError(f"`factor` must be an integer of at least 2, got {self.factor}.")

    @property
    def name(self) -> str:
        """For example ``downsample 2x``."""
        return f"downsample {self.factor}x"

    def anonymize(self, clips: Clips) -> Tensor:
        """All pictures with fewer pixels, ``uint8 [n, t, 3, h, w]``."""
        check_pictures(clips.frames)
        return in_parts(self._change, clips.frames.flatten(0, 1)).view(clips.frames.shape)

    def __call__(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """One picture ``uint8 [3, h, w]`` with fewer pixels, everywhere or under the mask ``[1, h, w]``."""
        check_pictures(picture)
        return composite(picture, self._change(picture[None])[0], mask)

    def _change(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        reference = reference_size(height, width)
        small = shrink(resize(pictures, *reference).float(), self.factor)
        # The last step is one of bytes, since the floats of a large picture would fill the memory.
        return resize(to_bytes(resize(small, *reference)), height, width)


def shrink(pictures: Tensor, factor: int) -> Tensor:
    """Float pictures ``[b, c, h, w]`` with ``factor`` times fewer pixels along each side, at least one."""
    height, width = pictures.shape[-2:]
    if height % factor == 0 and width % factor == 0:
        return F.avg_pool2d(pictures, factor)
    return resize(pictures, max(1, round(height / factor)), max(1, round(width / factor)))
