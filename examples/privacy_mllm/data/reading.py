"""From a place on the disk to the pixels of one clip: which frames, how large, and cut how.

A clip lies in a video, a folder of frames, a picture, or a ``.npy`` file of bytes ``[t, h, w, 3]``.
"""

from __future__ import annotations

import hashlib
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.media import MediaError
from privacy_mllm.media.kinds import PICTURE_FORMATS, kind_of, kind_of_name
from privacy_mllm.media.pictures import read_picture
from privacy_mllm.media.video import count_frames, evenly_spaced, read_frames, video_span

SAMPLINGS = ("even", "random")
CROPS = ("centre", "random", "squash")

_SMALLEST_CROP = 0.6  # Of the shorter side, as in SPAct's training.
_MOST_TIMED = 32  # Videos that are asked how long they are.

_Reader = Callable[[Sequence[int]], Tensor]
_ReadPicture = Callable[[Path], Tensor]


@dataclass(frozen=True)
class Reading:
    """How clips are read.

    Args:
        frames: Frames a clip, positive.
        size: Height and width in pixels, positive.
        sampling: "even": spread from the first frame to the last. "random": a random one of each of as many equal
            parts of the clip, as in temporal segment networks. A clip that has fewer repeats some.
        crop: "centre": the largest square around the middle. "random": a square of 0.6 to 1 times that side anywhere.
            "squash": the whole picture, its shape lost.
        seed: With a clip's name decides all that is random in it; the order in which clips are read does not.

    Reference:
        Wang et al., *Temporal Segment Networks*, ECCV 2016.
    """

    frames: int = 4
    size: int = 64
    sampling: str = "even"
    crop: str = "centre"
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of a clip, ``(t, 3, h, w)``."""
        return self.frames, 3, self.size, self.size

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in ("frames", "size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")
        for name, known in (("sampling", SAMPLINGS), ("crop", CROPS)):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {getattr(self, name)!r}.")


@dataclass(frozen=True)
class Item:
    """One clip to be read.

    Args:
        name: The clip's name.
        path: Where it lies.
        frames: Numbers of the frames that are to be taken, instead of those that the settings choose; None for these.
    """

    name: str
    path: Path
    frames: tuple[int, ...] | None = None


def read_clip(item: Item, reading: Reading, read: _ReadPicture = read_picture) -> Tensor:
    """The pixels of one clip, ``uint8 [t, 3, size, size]``.

    Args:
        item: The clip.
        reading: The settings.
        read: How a picture is read; other channels come from another way.

    Raises:
        MediaError: If the clip is missing, broken or too short; the message names it.
        ImportError: If it is a video and the extra ``video`` is not installed.
        OSError: If it cannot be opened.
    """
    generator = torch.Generator().manual_seed(_seed(reading.seed, item.name))
    count, read_frames_of = _open(item.path, read)
    chosen = item.frames
    if chosen is None:
        total = count()
        if total == 0:
            raise MediaError(f"{item.path} has no frame that can be decoded.")
        chosen = _choose(total, reading, generator)
    return _fit(read_frames_of(chosen), reading, generator)


def count_clip(path: Path) -> int:
    """Frames of a clip; costs decoding all of a video.

    Args:
        path: Where it lies.

    Raises:
        MediaError: If it is missing or broken.
        ImportError: If it is a video and the extra ``video`` is not installed.
        OSError: If it cannot be opened.
    """
    return _open(path)[0]()


def seconds_apart(items: Sequence[Item], reading: Reading) -> float | None:
    """Seconds between the pictures of a usual clip: the median over some of the videos, by what they say of themselves.

    None where there are no videos, or a clip has one picture. A video that cannot be opened tells nothing here, and is
    named when it is read. Clips whose frames are chosen already do not count.

    Args:
        items: The clips.
        reading: How they are read.
    """
    if reading.frames == 1:
        return None
    some = [item.path for item in items[:: -(-len(items) // _MOST_TIMED) or 1] if item.frames is None]
    spans = [_span_of(path) for path in some if _is_video(path)]
    known = [span for span in spans if span]
    return statistics.median(known) / (reading.frames - 1) if known else None


def _span_of(path: Path) -> float | None:
    try:
        return video_span(path)
    except (MediaError, OSError, ImportError):
        return None


def _is_video(path: Path) -> bool:
    kind = kind_of_name(path)
    return kind is not None and kind.medium == "video"


def clip_size(path: Path, read: _ReadPicture = read_picture) -> tuple[int, int]:
    """Height and width of a clip's first frame.

    Args:
        path: Where it lies.
        read: How a picture is read.

    Raises:
        MediaError: If it is missing or broken.
        ImportError: If it is a video and the extra ``video`` is not installed.
        OSError: If it cannot be opened.
    """
    height, width = _open(path, read)[1]([0]).shape[-2:]
    return height, width


def _choose(total: int, reading: Reading, generator: torch.Generator) -> tuple[int, ...]:
    if reading.sampling == "even":
        return tuple(evenly_spaced(total, reading.frames))
    edges = torch.arange(reading.frames) * total / reading.frames
    places = edges + torch.rand(reading.frames, generator=generator) * total / reading.frames
    return tuple(places.long().clamp(max=total - 1).tolist())


def _open(path: Path, read: _ReadPicture = read_picture) -> tuple[Callable[[], int], _Reader]:
    """Ways to count the frames of a clip, and to read some of them as ``uint8 [n, 3, h, w]``."""
    if path.is_dir():
        return _open_folder(path, read)
    if not path.is_file():
        raise MediaError(f"{path} is missing.")
    if path.suffix.lower() == ".npy":
        return _open_array(path)
    if kind_of(path).medium == "video":
        return lambda: count_frames(path), lambda wanted: read_frames(path, wanted)
    picture = read(path)
    return lambda: 1, lambda wanted: picture.expand(len(wanted), -1, -1, -1)


def _open_folder(path: Path, read: _ReadPicture) -> tuple[Callable[[], int], _Reader]:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURE_FORMATS)
    if not files:
        raise MediaError(f"{path} has no frames: a folder of frames must hold pictures.")

    def read_some(wanted: Sequence[int]) -> Tensor:
        _check_last(path, len(files), wanted)
        pictures = [read(files[index]) for index in wanted]
        for index, picture in zip(wanted, pictures, strict=True):
            if picture.shape != pictures[0].shape:
                raise MediaError(f"{files[index]} has another size than {files[wanted[0]]}.")
        return torch.stack(pictures)

    return lambda: len(files), read_some


def _open_array(path: Path) -> tuple[Callable[[], int], _Reader]:
    # Broken headers fail in any way: with SyntaxError, TokenError, EOFError, OverflowError...
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers of old versions, which can be read
            # Mapped, so that only the wanted frames are read; never unpickled, for that would run what the file says.
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:
        raise MediaError(f"{path} cannot be read as an array of bytes: {error}") from error
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape[1:3]:
        raise MediaError(f"{path} must hold uint8 [t, h, w, 3], got {array.dtype} {list(array.shape)}.")

    def read(wanted: Sequence[int]) -> Tensor:
        _check_last(path, len(array), wanted)
        return torch.from_numpy(np.array(array[list(wanted)])).permute(0, 3, 1, 2).contiguous()

    return lambda: len(array), read


def _check_last(path: Path, total: int, wanted: Sequence[int]) -> None:
    if max(wanted) >= total:
        raise MediaError(f"{path} has {total} frames, too few for number {max(wanted)}, from 0.")


def _fit(pictures: Tensor, reading: Reading, generator: torch.Generator) -> Tensor:
    """Cut alike in all frames, and resized; unchanged where that is what came in."""
    height, width = pictures.shape[-2:]
    rows, columns = height, width
    top = left = 0
    if reading.crop != "squash":
        rows = columns = min(height, width)
        top, left = (height - rows) // 2, (width - columns) // 2
    if reading.crop == "random":
        share, down, right = torch.rand(3, generator=generator).tolist()
        rows = columns = max(1, round(rows * (_SMALLEST_CROP + (1 - _SMALLEST_CROP) * share)))
        top, left = int(down * (height - rows + 1)), int(right * (width - columns + 1))
    part = pictures[..., top : top + rows, left : left + columns].contiguous()
    if part.shape[-2:] == (reading.size, reading.size):
        return part
    return F.interpolate(part, size=(reading.size, reading.size), mode="bilinear", antialias=True)


def _seed(seed: int, name: str) -> int:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
