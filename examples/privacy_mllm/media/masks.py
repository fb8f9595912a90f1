"""What a user wants hidden in each picture: boxes from a file, or masks from a folder."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import torch
from torch import Tensor

from privacy_mllm.media.errors import TableError
from privacy_mllm.media.pictures import read_mask

Box = tuple[float, float, float, float]

_COLUMNS = ("file", "x0", "y0", "x1", "y1")


class MaskSource(Protocol):
    """Knows what to hide in each picture and in each frame of a video."""

    def mask_for(self, name: str, height: int, width: int, frame: int = 0) -> Tensor:
        """1 where the picture is to be hidden, ``float32 [1, h, w]``.

        Args:
            name: The picture's or video's path relative to the input folder, with forward slashes.
            height: Rows of the upright picture.
            width: Columns of the upright picture.
            frame: Which frame of a video.

        Raises:
            ValueError: If nothing is known of this picture, or what is known cannot be right. A picture that
                was forgotten must not pass as one with nothing to hide.
        """
        ...


@dataclass(frozen=True)
class Boxes:
    """Boxes to hide, in pixels of the upright picture; in a video the same in every frame.

    Args:
        path: Where they were read, for messages.
        boxes: From relative file name to ``(x0, y0, x1, y1)``; the right and lower edges are not part of the
            box. An empty list says that there is nothing to hide.
    """

    path: Path
    boxes: Mapping[str, tuple[Box, ...]]

    def mask_for(self, name: str, height: int, width: int, frame: int = 0) -> Tensor:  # noqa: ARG002
        """1 in every box; a pixel that a box only touches counts."""
        if name not in self.boxes:
            raise ValueError(f"{self.path} has no boxes for {name}; give [] if there is nothing to hide.")
        mask = torch.zeros(1, height, width)
        for x0, y0, x1, y1 in self.boxes[name]:
            if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
                raise ValueError(
                    f"{self.path}: the box [{x0:g}, {y0:g}, {x1:g}, {y1:g}] of {name} lies outside the upright "
                    f"picture of {width}x{height} pixels."
                )
            rows = slice(max(0, math.floor(y0)), math.ceil(y1))
            columns = slice(max(0, math.floor(x0)), math.ceil(x1))
            mask[:, rows, columns] = 1
        return mask


@dataclass(frozen=True)
class MaskFolder:
    """Masks as pictures, white where something is to be hidden, grey for a part of it.

    The mask of ``a/b.jpg`` is ``a/b.png`` in the folder, as large as the upright picture. A video may instead
    have a folder ``a/b`` with one mask for every frame, sorted by name.

    Args:
        root: The folder.
    """

    root: Path

    def mask_for(self, name: str, height: int, width: int, frame: int = 0) -> Tensor:
        """The mask of a picture or of one frame."""
        stem = self.root / PurePosixPath(name).with_suffix("")
        path = self._of_frame(stem, frame) if stem.is_dir() else stem.with_name(stem.name + ".png")
        if not path.is_file():
            raise ValueError(f"{path} is missing: {name} has no mask; give a black one if nothing is hidden.")
        mask = read_mask(path)
        if mask.shape[1:] != (height, width):
            raise ValueError(
                f"{path} is {mask.shape[2]}x{mask.shape[1]} pixels, but the upright picture {name} is {width}x{height}."
            )
        return mask.float() / 255

    def _of_frame(self, folder: Path, frame: int) -> Path:
        masks = sorted(folder.glob("*.png"))
        if frame >= len(masks):
            raise ValueError(f"{folder} has {len(masks)} masks, too few for frame {frame} of its video.")
        return masks[frame]


def parse_boxes(path: Path) -> Boxes:
    """Boxes from a file.

    JSON: ``{"a/b.jpg": [[x0, y0, x1, y1], ...], ...}``. CSV: the columns ``file,x0,y0,x1,y1``, one box a line;
    a line with four empty cells says that there is nothing to hide. Names are relative to the input folder, or
    the plain file name where a file is given itself.

    Raises:
        TableError: If the file is neither, or a box is no box; the message names file and line or entry.
        OSError: If it cannot be read.
    """
    readers = {".json": _read_json, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise TableError(f"{path} must be a .json or .csv file.")
    try:
        return Boxes(path, readers[path.suffix.lower()](path))
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text: {error}.") from error


def mask_folder(root: Path) -> MaskFolder:
    """Masks from a folder.

    Raises:
        TableError: If there is no such folder.
    """
    if not root.is_dir():
        raise TableError(f"{root} is not a folder of masks.")
    return MaskFolder(root)


def _read_json(path: Path) -> dict[str, tuple[Box, ...]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise TableError(f"{path}:{error.lineno} is not JSON: {error.msg}.") from error
    if not isinstance(content, dict):
        raise TableError(f"{path} must hold an object from file name to a list of boxes.")
    boxes = {}
    for name, entries in content.items():
        if not isinstance(entries, list):
            raise TableError(f"{path}: {name} must have a list of boxes [x0, y0, x1, y1], got {entries!r}.")
        boxes[_name(name)] = tuple(_box(entry, f"{path}: {name}") for entry in entries)
    return boxes


def _read_csv(path: Path) -> dict[str, tuple[Box, ...]]:
    boxes: dict[str, tuple[Box, ...]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = tuple(cell.strip() for cell in next(reader, []))
        if header != _COLUMNS:
            raise TableError(f"{path}:1 must have the columns {','.join(_COLUMNS)}, got {','.join(header)}.")
        for cells in reader:
            where = f"{path}:{reader.line_num}"
            if not cells:
                continue
            name = _name(cells[0].strip())
            found = () if len(cells) == 5 and not any(cells[1:]) else (_box(cells[1:], where),)
            boxes[name] = boxes.get(name, ()) + found
    return boxes


def _name(name: str) -> str:
    return str(PurePosixPath(name))  # "./a.jpg" is "a.jpg".


def _box(entry: object, where: str) -> Box:
    try:
        x0, y0, x1, y1 = (float(value) for value in entry)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise TableError(f"{where} must be four numbers [x0, y0, x1, y1], got {entry!r}.") from None
    if not (math.isfinite(x0 + y0 + x1 + y1) and x0 < x1 and y0 < y1):
        raise TableError(f"{where} must be a box with x0 < x1 and y0 < y1, got {[x0, y0, x1, y1]}.")
    return x0, y0, x1, y1
