"""VISPR: photographs with any of 67 private attributes, or none.

``ROOT/<split>2017.txt`` lists ``annotations/<split>2017/<image>.json``; each has the path of its image and its labels.
The splits are train, val and test.

Reference:
    Orekondy, Schiele, Fritz, *Towards a Visual Privacy Advisor*, ICCV 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from privacy_mllm.data._files import file_name, list_of, read_json, read_lines, text_of
from privacy_mllm.data.attributes import SAFE, VISPR_ATTRIBUTES
from privacy_mllm.media import TableError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class VisprImage:
    """One annotation.

    Args:
        name: The image's file name, with its suffix.
        folder: Folder of the image below the root, as published; with forward slashes.
        labels: Its labels without ``a0_safe``; a safe image has none, whether its list is empty or says so.
        where: The annotation's file.
    """

    name: str
    folder: str
    labels: frozenset[str]
    where: str

    @property
    def is_safe(self) -> bool:
        """Whether nothing private can be seen."""
        return not self.labels


def read_vispr(root: Path, split: str) -> tuple[VisprImage, ...]:
    """The images of a split, in the order of its list; opens none.

    Args:
        root: Folder with ``<split>2017.txt`` and ``annotations``.
        split: "train", "val" or "test".

    Raises:
        TableError: If a file is missing or says something wrong; with file and line.
        ValueError: If `split` is unknown.
    """
    found: dict[str, VisprImage] = {}
    for file, where in list_annotations(root, split).items():
        image = _read_annotation(root, file)
        if image.name in found:
            raise TableError(f"{where}: {image.name} has an annotation already, {found[image.name].where}.")
        found[image.name] = image
    return tuple(found.values())


def list_annotations(root: Path, split: str) -> dict[PurePosixPath, str]:
    """The annotations that a split lists, below the root, each with file and line; opens none of them.

    Raises:
        TableError: If the list is missing or a line is wrong; with file and line.
        ValueError: If `split` is unknown.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    listed: dict[PurePosixPath, str] = {}
    for where, text in read_lines(root / f"{split}2017.txt"):
        file = _inside(text, where)
        if file in listed:
            raise TableError(f"{where}: {file} is listed already in {listed[file]}.")
        listed[file] = where
    return listed


def _read_annotation(root: Path, file: PurePosixPath) -> VisprImage:
    path = root / file
    entry, where = read_json(path), str(path)
    image = _inside(text_of(entry, "image_path", where), where)
    labels = list_of(entry, "labels", where)
    for label in labels:
        if label not in VISPR_ATTRIBUTES:
            raise TableError(f"{where}: {label!a:.80} is no label of VISPR, such as 'a4_gender'.")
    if not labels and entry.get("safe") is False:
        raise TableError(f"{where} has no label but says that the image is not safe.")
    name = file_name(image.name, where)
    return VisprImage(name, str(image.parent), frozenset(labels) - {SAFE}, where)


def _inside(text: str, where: str) -> PurePosixPath:
    """A path below the root."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.name or not text.isprintable() or "\\" in text:
        raise TableError(f"{where} must hold a path inside the data set, got {text[:80]!a}.")
    return path
