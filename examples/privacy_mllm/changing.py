"""The change of one file's pictures: a method under masks or a detector, and what there is to say about it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from torch import Tensor

from privacy_mllm.config import APART
from privacy_mllm.media.errors import MediaError
from privacy_mllm.media.masks import MaskSource
from privacy_mllm.media.video import VideoInfo
from privacy_mllm.methods.detectors import Box, Detector
from privacy_mllm.methods.protocol import Comparing, PictureMethod, Remarking
from privacy_mllm.methods.regions import boxes_mask

HOLD = 5
"""Frames of a video for which a detected box counts: a detector that blinks must not let a face through."""
MOST_KEPT = 1 << 30
"""Bytes of earlier frames that are kept to be compared with, at most."""


def compares(method: PictureMethod) -> bool:
    """Whether a method needs an earlier picture beside each of a video."""
    return isinstance(method, Comparing) and method.compares


@dataclass
class Change:
    """The method with the masks or the detector of one file; remembers what there is to say about it.

    With a detector, and for a method that compares, it must see the frames one after another; else in any order and
    several at once.

    Args:
        method: Changes one picture.
        masks: What to hide in each frame.
        detector: Finds what to hide, where there are no masks.
        name: Name of the file, by which masks go.
        apart: Seconds between the two pictures of a video that are compared, for a method that compares.
    """

    method: PictureMethod
    masks: MaskSource | None
    detector: Detector | None
    name: str
    apart: float = APART
    _of_size: str | None = None
    _num_pictures: int = 0
    _num_found: int = 0
    _recent: deque[list[Box]] = field(default_factory=lambda: deque(maxlen=HOLD))
    _earlier: deque[Tensor] | None = None  # of a video whose frames are compared, the last ones

    def begin_video(self, info: VideoInfo) -> None:
        """What comes are the frames of a video, which a method that compares is to see.

        Raises:
            MediaError: If the frames that would have to be kept for comparing are too many.
        """
        count = max(1, round(self.apart * info.rate))
        size = count * 3 * info.height * info.width
        if size > MOST_KEPT:
            raise MediaError(
                f"{self.name} has {float(info.rate):g} frames of {info.width}x{info.height} a second; to compare those "
                f"that are {self.apart:g} seconds apart (--apart), {count} must be kept, {size >> 20} MiB: the limit "
                f"is {MOST_KEPT >> 20}."
            )
        self._earlier = deque(maxlen=count)

    def __call__(self, picture: Tensor, frame: int = 0) -> Tensor:
        """A picture or frame ``uint8 [3, h, w]`` changed.

        Raises:
            RuntimeError: If the method gives something else than such a picture.
        """
        height, width = picture.shape[-2:]
        changed = self._change(picture, self._mask(picture, frame))
        if changed.shape != picture.shape or changed.dtype != picture.dtype:
            raise RuntimeError(
                f"{self.method.name} turned a picture {list(picture.shape)} into {changed.dtype} {list(changed.shape)}."
            )
        if isinstance(self.method, Remarking):
            self._of_size = self.method.remark(height, width)
        return changed

    @property
    def remark(self) -> str | None:
        """What the user should know about the copy, or None."""
        remarks = [self._of_size] if self._of_size else []
        if compares(self.method) and self._earlier is None:
            remarks.append("a still is shown as a moving camera would see it")
        if self.detector is not None and self._num_found < self._num_pictures:
            missed = self._num_pictures - self._num_found
            where = "the picture" if self._num_pictures == 1 else f"{missed} of {self._num_pictures} frames"
            remarks.append(f"the detector found nothing in {where}: left as it was")
        return "; ".join(remarks) or None

    def _change(self, picture: Tensor, mask: Tensor | None) -> Tensor:
        if self._earlier is None or not isinstance(self.method, Comparing):
            return self.method(picture, mask)
        earlier = self._earlier[0] if self._earlier else picture  # in the first frame nothing has moved
        self._earlier.append(picture)
        return self.method.compare(earlier, picture, mask)

    def _mask(self, picture: Tensor, frame: int) -> Tensor | None:
        height, width = picture.shape[-2:]
        if self.detector is None:
            return None if self.masks is None else self.masks.mask_for(self.name, height, width, frame)
        self._recent.append(list(self.detector(picture)))
        boxes = [box for found in self._recent for box in found]
        self._num_pictures += 1
        self._num_found += bool(boxes)
        return boxes_mask(boxes, height, width)
