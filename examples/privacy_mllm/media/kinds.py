"""What a file holds, by its first bytes: a name can say anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from privacy_mllm.media.errors import MediaError

PICTURE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
"""Pillow's name of the format that a picture's suffix stands for."""

VIDEO_FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
}
"""FFmpeg's name of the container that a video's suffix stands for."""

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (8, b"WEBP", "WEBP"),
    (8, b"AVI ", "avi"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
)
_STILL_BRANDS = (b"heic", b"heix", b"heim", b"mif1", b"avif")  # Of ISO media files that hold a picture.


@dataclass(frozen=True)
class Kind:
    """What a file holds.

    Args:
        medium: "picture" or "video".
        format: Pillow's or FFmpeg's name of the format.
    """

    medium: Literal["picture", "video"]
    format: str


def kind_of_name(path: Path) -> Kind | None:
    """What the suffix promises; None for a suffix that is neither a picture's nor a video's."""
    suffix = path.suffix.lower()
    if suffix in PICTURE_FORMATS:
        return Kind("picture", PICTURE_FORMATS[suffix])
    if suffix in VIDEO_FORMATS:
        return Kind("video", VIDEO_FORMATS[suffix])
    return None


def kind_of_content(path: Path) -> Kind:
    """What the file holds, by its first bytes; costs one short read.

    Raises:
        MediaError: If it is empty, or neither a picture nor a video that can be read.
        OSError: If it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise MediaError(f"{path} is empty.")
    if head[4:8] == b"ftyp":
        return _iso_media(path, head[8:12])
    for offset, signature, name in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return Kind("picture" if name.isupper() else "video", name)
    known = ", ".join([*PICTURE_FORMATS, *VIDEO_FORMATS])
    raise MediaError(f"{path} is neither a picture nor a video that can be read ({known}).")


def kind_of(path: Path) -> Kind:
    """What a file holds, where its name does not contradict it.

    Raises:
        MediaError: If it is neither picture nor video, or the name says one and the content the other.
        OSError: If it cannot be opened.
    """
    content, name = kind_of_content(path), kind_of_name(path)
    if name is not None and name.medium != content.medium:
        raise MediaError(f"{path} is named like a {name.medium} but holds a {content.medium}; rename it.")
    return content


def _iso_media(path: Path, brand: bytes) -> Kind:
    if brand in _STILL_BRANDS:
        raise MediaError(f"{path} is a {brand.decode().upper()} picture, which is not supported; save it as JPEG.")
    return Kind("video", "mov" if brand == b"qt  " else "mp4")
