"""Where people are in a picture nobody has marked: detectors, of which OpenCV's come without weights to fetch."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt
from torch import Tensor

if TYPE_CHECKING:
    import cv2

Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)`` in pixels; the right and lower edges are not part of it."""

Detector = Callable[[Tensor], Sequence[Box]]
"""The boxes to hide in one picture ``uint8 [3, h, w]``; they may reach beyond its borders."""

Kind = Literal["face", "person"]

SHORTEST, LONGEST = 256, 1024
"""A picture is searched with its shorter side at least and its longer side at most this long."""

CASCADES = ("haarcascade_frontalface_default.xml", "haarcascade_profileface.xml")
FACE_MARGIN = 0.25
"""How far a face's box is widened at each side, as a share of it: the cascades leave out hair, chin and ears."""

_loaded = threading.local()  # an OpenCV detector may serve one thread only


@dataclass(frozen=True)
class OpenCVDetector:
    """Faces by Haar cascades, frontal and of either profile, and standing people by histograms of gradients.

    Both are from before deep learning and come with OpenCV. They find an upright face or a standing figure that is
    clearly seen, miss many others, and take some things for people that are none: look at what comes out, or give
    boxes. A detector of your own is any function from a picture to boxes.

    Args:
        kinds: What is looked for: "face", "person" or both.

    Raises:
        ImportError: If OpenCV is missing.
        ValueError: If a kind is unknown, or there is none.

    Reference:
        Viola and Jones, CVPR 2001; Dalal and Triggs, CVPR 2005.
    """

    kinds: tuple[Kind, ...] = ("face", "person")

    def __post_init__(self) -> None:
        """Check the kinds, and that OpenCV is there: a missing package must not look like an empty picture."""
        if not self.kinds or not set(self.kinds) <= set(get_args(Kind)):
            raise ValueError(f'`kinds` must be of "face" and "person", got {self.kinds!r}.')
        import_cv2()

    def __call__(self, picture: Tensor) -> list[Box]:
        """The boxes of what was found in a picture ``uint8 [3, h, w]``."""
        cv2 = import_cv2()
        height, width = picture.shape[-2:]
        scale = max(min(1.0, LONGEST / max(height, width)), SHORTEST / min(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        seen = cv2.resize(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()), size)
        grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)
        found = [box for kind in self.kinds for box in (_faces(grey) if kind == "face" else _people(grey))]
        across, down = width / size[0], height / size[1]
        return [(x0 * across, y0 * down, x1 * across, y1 * down) for x0, y0, x1, y1 in found]


def _faces(grey: npt.NDArray[np.uint8]) -> list[Box]:
    width = grey.shape[1]
    frontal, profile = (_cascade(name) for name in CASCADES)
    found = [_widened(box) for cascade in (frontal, profile) for box in _detect(cascade, grey)]
    # The profile cascade knows faces that look to the left only.
    for x, y, w, h in _detect(profile, np.ascontiguousarray(grey[:, ::-1])):
        found.append(_widened((width - x - w, y, w, h)))
    return found


def _people(grey: npt.NDArray[np.uint8]) -> list[Box]:
    boxes, weights = _person_detector().detectMultiScale(grey, winStride=(8, 8), scale=1.05)
    pairs = zip(boxes, np.ravel(weights), strict=True)
    return [(float(x), float(y), float(x + w), float(y + h)) for (x, y, w, h), weight in pairs if weight > 0.3]


def _detect(cascade: cv2.CascadeClassifier, grey: npt.NDArray[np.uint8]) -> list[tuple[int, int, int, int]]:
    found = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=4, minSize=(24, 24))
    return [(int(x), int(y), int(w), int(h)) for x, y, w, h in found]


def _widened(box: tuple[int, int, int, int]) -> Box:
    x, y, w, h = box
    return x - FACE_MARGIN * w, y - FACE_MARGIN * h, x + (1 + FACE_MARGIN) * w, y + (1 + FACE_MARGIN) * h


def _cascade(name: str) -> cv2.CascadeClassifier:
    cascade: cv2.CascadeClassifier | None = getattr(_loaded, name, None)
    if cascade is None:
        cv2 = import_cv2()
        cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}{name}")
        if cascade.empty():
            raise ImportError(f'OpenCV {cv2.__version__} comes without {name}: pip install "zoopt-mo[detect]"')
        setattr(_loaded, name, cascade)
    return cascade


def _person_detector() -> cv2.HOGDescriptor:
    detector: cv2.HOGDescriptor | None = getattr(_loaded, "person", None)
    if detector is None:
        cv2 = import_cv2()
        detector = cv2.HOGDescriptor()
        detector.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())
        _loaded.person = detector
    return detector


def import_cv2() -> ModuleType:
    """OpenCV, or an error that names the extra."""
    try:
        return importlib.import_module("cv2")
    except ModuleNotFoundError as error:
        raise ImportError('OpenCV is missing: pip install "zoopt-mo[detect]"') from error
