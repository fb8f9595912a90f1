"""PA-HMDB51: private attributes of 515 videos of HMDB51, frame by frame.

``ROOT/PrivacyAttributes/<action>.json`` holds, for each video, five lists of segments ``[start, end, value]``: frames
are counted from 0 and ``end`` is the last one of the segment. A value may be a list, where several people differ.
Frames that no segment covers are unlabelled; where two overlap, the later one counts.

Reference:
    Wu et al., *Privacy-Preserving Deep Action Recognition: An Adversarial Learning Framework and A New Dataset*,
    TPAMI 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from privacy_mllm.data._files import file_name, is_count, read_json
from privacy_mllm.data.attributes import VISPR6, WU5
from privacy_mllm.data.hmdb51 import ACTIONS
from privacy_mllm.media import TableError

FOLDER = "PrivacyAttributes"
LARGEST = {"skin_color": 3, "gender": 2, "face": 2, "nudity": 2, "relationship": 1}
"""The attributes, each with its largest value; 0 always says that it cannot be seen.

Skin colour: 1 white, 2 brown or yellow, 3 black. Gender: 1 male, 2 female. Face: 1 in part, 2 complete. Nudity: 1 in
part, 2 half. Relationship: 1 there is one.
"""

MOST_FRAMES = 1_000_000
"""More frames than any video has."""

Values = Mapping[str, tuple[int, ...]]
"""The values of one frame, by attribute."""


@dataclass(frozen=True)
class Segment:
    """Frames of one value.

    Args:
        start: First frame.
        end: Last frame, which belongs to the segment.
        values: One value, or those of several people.
    """

    start: int
    end: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class PaVideo:
    """One annotated video.

    Args:
        name: Its name without ``.avi``, as in HMDB51.
        action: Its action.
        segments: By attribute.
        where: File and entry.
    """

    name: str
    action: str
    segments: Mapping[str, tuple[Segment, ...]]
    where: str

    @property
    def num_frames(self) -> int:
        """Frames up to the last one with any label."""
        return 1 + max((part.end for parts in self.segments.values() for part in parts), default=-1)

    def labels(self) -> dict[int, Values]:
        """The values of every frame that has one of each attribute; other frames are left out."""
        by_attribute = {name: _spread(parts) for name, parts in self.segments.items()}
        return {
            frame: {name: values[frame] for name, values in by_attribute.items()}
            for frame in range(self.num_frames)
            if all(frame in values for values in by_attribute.values())
        }

    def targets(self, scheme: str) -> dict[int, tuple[int, ...]]:
        """0 or 1 for each column of a binarisation, for every labelled frame.

        Args:
            scheme: One of ``SCHEMES``.

        Raises:
            ValueError: If it is unknown.
        """
        if scheme not in SCHEMES:
            raise ValueError(f"`scheme` must be one of {', '.join(SCHEMES)}, got {scheme!r}.")
        columns = SCHEMES[scheme]
        return {
            frame: tuple(int(is_shown(values)) for is_shown in columns.values())
            for frame, values in self.labels().items()
        }


def read_pa_hmdb51(root: Path) -> tuple[PaVideo, ...]:
    """All annotated videos, in the order of the actions and of each file; opens no video.

    Args:
        root: Folder with ``PrivacyAttributes``, or that folder itself.

    Raises:
        TableError: If there is no annotation, or one says something wrong; with file and entry.
    """
    folder = root / FOLDER if (root / FOLDER).is_dir() else root
    files = {path.stem: path for path in folder.iterdir() if path.suffix == ".json"} if folder.is_dir() else {}
    if not files:
        raise TableError(f"{root / FOLDER} has no <action>.json: clone the PA-HMDB51 repository.")
    found: dict[str, PaVideo] = {}
    for action in sorted(files):
        if action not in ACTIONS:
            raise TableError(f"{files[action]} is named after no action of HMDB51.")
        for video in _read_file(files[action], action):
            if video.name in found:
                raise TableError(f"{video.where} is annotated already, in {found[video.name].where}.")
            found[video.name] = video
    return tuple(found.values())


def _read_file(path: Path, action: str) -> list[PaVideo]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise TableError(f"{path} must be an object from video to annotation.")
    return [_read_video(path, action, name, entry) for name, entry in content.items()]


def _read_video(path: Path, action: str, name: str, entry: object) -> PaVideo:
    where = f"{path}: {name!a}"
    if not name.endswith(".avi") or not isinstance(entry, dict):
        raise TableError(f"{where} must be '<video>.avi' with an object of attributes.")
    segments = {}
    for attribute, largest in LARGEST.items():
        listed = entry.get(attribute)
        if not isinstance(listed, list):
            raise TableError(f"{where} must have a list of segments `{attribute}`, got {listed!a:.80}.")
        segments[attribute] = tuple(_segment(part, largest, f"{where}: {attribute}") for part in listed)
    return PaVideo(file_name(name[: -len(".avi")], where), action, MappingProxyType(segments), where)


def _segment(part: object, largest: int, where: str) -> Segment:
    if isinstance(part, list) and len(part) == 3:
        start, end, value = part
        values = tuple(value) if isinstance(value, list) else (value,)
        in_order = is_count(start) and is_count(end) and start <= end < MOST_FRAMES
        if in_order and values and all(is_count(one) and one <= largest for one in values):
            return Segment(start, end, values)
    raise TableError(f"{where} must be [first frame, last frame, 0 to {largest} or a list of them], got {part!a:.80}.")


def _spread(segments: Sequence[Segment]) -> dict[int, tuple[int, ...]]:
    """Frame -> values; a later segment wins."""
    return {frame: part.values for part in segments for frame in range(part.start, part.end + 1)}


def _seen(attribute: str) -> Callable[[Values], bool]:
    """Any value but 0, of anyone."""
    return lambda values: any(values[attribute])


def _is(attribute: str, value: int) -> Callable[[Values], bool]:
    return lambda values: value in values[attribute]


_VISPR6 = {
    "skin_color": _seen("skin_color"),
    "gender": _seen("gender"),
    "face_complete": _is("face", 2),
    "face_partial": _is("face", 1),
    "nudity": _is("nudity", 2),
    "relationship": _seen("relationship"),
}

SCHEMES: Mapping[str, Mapping[str, Callable[[Values], bool]]] = MappingProxyType(
    {
        "wu5": {name: _seen(name) for name in WU5},
        "vispr6": {name: _VISPR6[name] for name in VISPR6},
        "vispr6-partial-nudity": _VISPR6 | {"nudity": _seen("nudity")},
    }
)
"""Binarisations: "wu5" of the annotations' authors (1 for all but 0), "vispr6" in the terms of VISPR (nudity from half
on), and the same with nudity in part. A random guess reads 69, 50 and 58 % cMAP on them, so a figure without its
binarisation says nothing."""
