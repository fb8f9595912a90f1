"""Pictures of any size, mode and orientation from files, and back without anything but their pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from privacy_mllm.concurrency import Shared
from privacy_mllm.media.errors import MediaError
from privacy_mllm.media.kinds import PICTURE_FORMATS

MAX_PIXELS = 120_000_000
"""Pixels of the largest picture that is opened: more than the largest phones take, and 360 MB of bytes.

A file of a few kilobytes can claim any size, and decoding it would fill the memory: a decompression bomb.
"""

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A phone's JPEG may carry a second picture (MPO), a preview or a depth map; these formats' further frames are
# part of what the picture shows.
_ANIMATED = ("GIF", "PNG", "WEBP", "TIFF")
# Only these decoders see a file: others start programs (EPS) or were written for files one trusts.
_READ = tuple(dict.fromkeys(PICTURE_FORMATS.values()))
_SAVING: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "method": 4},
    # As small as at level 6, Pillow's own, in a third of the time: zlib-ng searches longer there and finds no more.
    "PNG": {"compress_level": 4},
}


def read_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """A picture file as upright RGB bytes.

    The EXIF orientation is applied, an embedded colour profile is turned into sRGB, transparency is laid on
    white, 16-bit grey is scaled to 8 bits; palettes, grey and CMYK become RGB.

    Args:
        path: The file; its content decides what it is, not its name.
        max_pixels: Pixels of the largest picture that is opened.

    Returns:
        ``uint8 [3, h, w]``.

    Raises:
        MediaError: If the file is no picture, is broken or cut off, is animated, or is too large.
        OSError: If it cannot be opened at all.
    """
    with path.open("rb") as file:
        image = _decode(file, path, max_pixels, mask=False)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def measure_picture(path: Path) -> tuple[int, int]:
    """Rows and columns of a picture file before it is turned upright, by its header; costs a short read.

    Raises:
        MediaError: If it is no picture, or its header is broken.
        OSError: If it cannot be opened at all.
    """
    with path.open("rb") as file, _decoding(path), Image.open(file, formats=_READ) as image:
        return image.height, image.width


def read_mask(path: Path, *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """A picture file as a mask: its brightness, upright, ``uint8 [1, h, w]``.

    Raises:
        MediaError: As for :func:`read_picture`.
        OSError: If it cannot be opened at all.
    """
    with path.open("rb") as file:
        image = _decode(file, path, max_pixels, mask=True)
    return torch.from_numpy(np.array(image))[None]


def write_picture(path: Path, picture: Tensor, *, picture_format: str | None = None) -> None:
    """Write pixels and nothing else: no EXIF, profile, comment or time.

    PNG, BMP, TIFF are exact; JPEG and WebP are written at quality 95; GIF has 256 colours.

    Args:
        path: The file, overwritten if it exists.
        picture: RGB ``uint8 [3, h, w]``, or grey ``uint8 [1, h, w]``.
        picture_format: Pillow's name of the format; None for the one that the suffix stands for.

    Raises:
        MediaError: If no format is given and the suffix stands for none, or the format cannot hold the size.
        OSError: If the file cannot be written.
    """
    chosen = picture_format or PICTURE_FORMATS.get(path.suffix.lower())
    if chosen is None:
        raise MediaError(f"{path} must end in one of {', '.join(PICTURE_FORMATS)} to be written as a picture.")
    pixels = picture.permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()  # Encoded first, so that a picture that cannot be encoded leaves no file.
    try:
        image.save(buffer, chosen, **_SAVING.get(chosen, {}))
    except (OSError, ValueError) as error:
        height, width = pixels.shape[:2]
        raise MediaError(f"{path}: {chosen} cannot hold a picture of {width}x{height} ({error}).") from error
    path.write_bytes(buffer.getvalue())


def _decode(file: io.BufferedReader, path: Path, max_pixels: int, *, mask: bool) -> Image.Image:
    with _decoding(path), Image.open(file, formats=_READ) as image:
        _check_header(image, path, max_pixels)
        image.load()
        upright = _turned(image)
        return _flattened(upright, path).convert("L") if mask else _to_rgb(upright, path)


@contextmanager
def _ignoring_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# Pillow warns of large pictures (ours is the limit that counts) and of oddities that it can read. The filters are those
# of all threads.
_quiet = Shared(_ignoring_warnings)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Whatever goes wrong in here is said of this file."""
    # Decoders of broken files fail in any way: with struct.error, SyntaxError, IndexError, EOFError, zlib.error...
    try:
        with _quiet:
            yield
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path} is refused as a decompression bomb: {error}") from error
    except UnidentifiedImageError as error:
        reason = "is empty" if path.stat().st_size == 0 else "is not a picture of a known format"
        raise MediaError(f"{path} {reason}.") from error
    except Exception as error:
        raise MediaError(f"{path} cannot be decoded as a picture, it is broken or cut off: {error}") from error


def _check_header(image: Image.Image, path: Path, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise MediaError(
            f"{path} claims {width}x{height} pixels and is refused as a decompression bomb: "
            f"the limit is {max_pixels} pixels."
        )
    frames = getattr(image, "n_frames", 1)
    if image.format in _ANIMATED and frames > 1:
        raise MediaError(f"{path} has {frames} frames, and only its first would be read; save it as a video.")


def _turned(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # EXIF that cannot be parsed turns nothing, as in every viewer.
        orientation = None
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _flattened(image: Image.Image, path: Path) -> Image.Image:
    """Without transparency, high bit depth or palette: mode L, RGB or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":
        return _to_eight_bits(image, path)
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _to_eight_bits(image: Image.Image, path: Path) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise MediaError(f"{path} has 32-bit pixels of unknown range; save it with 8 or 16 bits.")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _to_rgb(image: Image.Image, path: Path) -> Image.Image:
    profile = image.info.get("icc_profile")
    flat = _flattened(image, path)
    if profile and flat.mode in ("RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            # The profile is dropped with the rest, so its colours must be in the pixels.
            turned = ImageCms.profileToProfile(flat, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if turned is not None:
                return turned
        except (ImageCms.PyCMSError, OSError, ValueError):  # A broken profile, or one of another mode.
            pass
    return flat.convert("RGB")
