"""From the records of published data sets to clips: which are trained on, what is asked, what is private."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

import torch

from privacy_mllm.data import hmdb51, locating, okvqa, pa_hmdb51, ucf101, vispr
from privacy_mllm.data.attributes import SUBSETS, Subset, to_targets
from privacy_mllm.data.clips import Answers, Clips
from privacy_mllm.data.lazy import LazyFrames
from privacy_mllm.data.reading import Item, Reading, seconds_apart
from privacy_mllm.data.splits import check_disjoint, is_validation
from privacy_mllm.media.video import evenly_spaced

ACTION_QUESTION = "what is the person doing"
"""The question of data sets of actions, as in the paper."""

UNCERTAIN_END = 10
"""Frames at the end of an annotated video that are left out, where there are others: decoders differ there."""


@dataclass(frozen=True)
class Entry:
    """One clip before it is read.

    Args:
        item: Where its pixels are.
        answers: Its questions.
        targets: 0 or 1 for each private attribute.
    """

    item: Item
    answers: Answers = field(default_factory=dict)
    targets: tuple[int, ...] = ()


Options = Mapping[str, str]
_Entries = Callable[[Path, Options, str, Reading], list[Entry]]


@dataclass(frozen=True)
class DataSet:
    """What can be done with a data set.

    Args:
        entries: From its folder, options, a split and how it is read to its clips.
        options: Its options, with what each is by default.
        columns: From the options to the names of the private attributes; none where it has no such labels.
        candidates: From its folder and options to the closed lists of answers.
        frames: Frames of a clip by default; pictures have one.
        trains_on_pictures: Whether only its test clips are clips: its training is another data set's pictures.
    """

    entries: _Entries
    options: Options
    columns: Callable[[Options], tuple[str, ...]] = lambda _options: ()
    candidates: Callable[[Path, Options], dict[str, tuple[str, ...]]] = lambda _root, _options: {}
    frames: int = 4
    trains_on_pictures: bool = False


def to_clips(entries: Sequence[Entry], columns: Sequence[str], reading: Reading, *, cache_bytes: int) -> Clips:
    """Clips whose pictures are read when they are needed.

    Args:
        entries: The clips.
        columns: Names of the attributes.
        reading: How pictures are read.
        cache_bytes: Bytes of pictures that are kept.
    """
    items = [entry.item for entry in entries]
    targets = torch.tensor([entry.targets for entry in entries], dtype=torch.float32)
    return Clips(
        frames=LazyFrames(items, reading, cache_bytes=cache_bytes),
        attributes=targets.reshape(len(entries), len(columns)),
        attribute_names=tuple(columns),
        answers=tuple(entry.answers for entry in entries),
        names=tuple(item.name for item in items),
        apart=seconds_apart(items, reading),
    )


def shuffled(entries: Sequence[Entry]) -> list[Entry]:
    """In an order that says nothing: published lists are sorted by class, and only the first clips may be wanted."""
    return sorted(entries, key=lambda entry: hashlib.sha256(entry.item.name.encode()).digest())


def _hmdb51(root: Path, options: Options, split: str, _reading: Reading) -> list[Entry]:
    videos = hmdb51.read_hmdb51(root, split=_number(options, "split"))
    test = {video.name for video in videos if video.part == "test"}
    hidden: set[str] = set()
    if options["pa"]:
        # Whatever its code in the split: PA-HMDB51 has videos of all three.
        hidden = test = {video.name for video in pa_hmdb51.read_pa_hmdb51(Path(options["pa"]))}
    train = [video for video in videos if video.part == "train" and video.name not in hidden]
    check_disjoint((video.name for video in train), test)
    chosen = [video for video in videos if video.name in test] if split == "test" else _part(train, split)
    return [
        Entry(
            Item(video.name, locating.find_video(root, locating.HMDB_FOLDERS, video.action, video.name)),
            {ACTION_QUESTION: (hmdb51.display_name(video.action),)},
        )
        for video in chosen
    ]


def _ucf101(root: Path, options: Options, split: str, _reading: Reading) -> list[Entry]:
    videos = ucf101.read_ucf101(root, split=_number(options, "split"))
    train = [video for video in videos if video.part == "train"]
    test = [video for video in videos if video.part == "test"]
    check_disjoint((video.name for video in train), (video.name for video in test))
    return [
        Entry(
            Item(video.name, locating.find_video(root, locating.UCF_FOLDERS, video.action, video.name)),
            {ACTION_QUESTION: (ucf101.display_name(video.action),)},
        )
        for video in (test if split == "test" else _part(train, split))
    ]


def _vispr(root: Path, options: Options, split: str, _reading: Reading) -> list[Entry]:
    subset, part = _subset(options), "val" if split == "validation" else split
    lists = {name: set(vispr.list_annotations(root, name)) for name in ("train", part)}
    if part != "train":
        check_disjoint((file.name for file in lists["train"]), (file.name for file in lists[part]))
    return [
        Entry(Item(Path(image.name).stem, find_vispr_image(root, image, part)), {}, to_targets(image.labels, subset))
        for image in vispr.read_vispr(root, part)
    ]


def _pa_hmdb51(root: Path, options: Options, split: str, reading: Reading) -> list[Entry]:
    scheme = options["scheme"]
    if scheme not in pa_hmdb51.SCHEMES:
        raise ValueError(f"`scheme` must be one of {', '.join(pa_hmdb51.SCHEMES)}, got {scheme!r}.")
    if split != "test":
        return _training_from_vispr(options, "wu5" if scheme == "wu5" else "vispr6", split, reading)
    entries = []
    for video in pa_hmdb51.read_pa_hmdb51(root):
        targets = video.targets(scheme)
        if targets:
            frames = choose_labelled(targets, video.num_frames, reading.frames)
            path = locating.find_video(
                Path(options["videos"]) if options["videos"] else root, locating.HMDB_FOLDERS, video.action, video.name
            )
            shown = tuple(max(column) for column in zip(*(targets[frame] for frame in frames), strict=True))
            entries.append(Entry(Item(video.name, path, frames), {}, shown))
    return entries


def _okvqa(root: Path, options: Options, split: str, _reading: Reading) -> list[Entry]:
    part = "val" if split == "test" else "train"
    categories = [name.strip() for name in options["categories"].split("|") if name.strip()]
    asked: dict[str, dict[str, tuple[str, ...]]] = {}
    for one in okvqa.read_okvqa(root, part, categories=categories):
        answers = asked.setdefault(one.image, {})
        answers[one.question] = answers.get(one.question, ()) + one.answers
    chosen = [name for name in asked if split == "test" or is_validation(name) == (split == "validation")]
    return [Entry(Item(Path(name).stem, find_coco_image(root, name)), asked[name]) for name in chosen]


def _okvqa_privacy(root: Path, options: Options, split: str, reading: Reading) -> list[Entry]:
    if split != "test":
        return _training_from_vispr(options, options["attributes"], split, reading)
    subset = _subset(options)
    return [
        Entry(Item(Path(one.image).stem, find_coco_image(root, one.image)), {}, to_targets(one.labels, subset))
        for one in okvqa.read_image_attributes(root / okvqa.PRIVACY_FILE)
    ]


def _training_from_vispr(options: Options, attributes: str, split: str, reading: Reading) -> list[Entry]:
    """The reviewer's training pictures for a data set that is only tested on."""
    if not options["vispr"]:
        raise ValueError("This data set is published for testing only: give training pictures with ?vispr=DIR.")
    return _vispr(Path(options["vispr"]), {"attributes": attributes}, split, reading)


def choose_labelled(labelled: Mapping[int, object], total: int, count: int) -> tuple[int, ...]:
    """Frames spread evenly over those that are labelled, without the last ``UNCERTAIN_END`` of the video.

    Args:
        labelled: By the number of the frame.
        total: Frames of the annotation.
        count: How many are wanted.
    """
    certain = [frame for frame in sorted(labelled) if frame < total - UNCERTAIN_END] or sorted(labelled)
    return tuple(certain[place] for place in evenly_spaced(len(certain), count))


def find_vispr_image(root: Path, image: vispr.VisprImage, part: str) -> Path:
    """Where an image of VISPR lies: as published, or as SPAct keeps it."""
    return locating.find_image(root, (image.folder, f"images/{part}2017", f"{part}2017"), image.name)


def find_coco_image(root: Path, name: str) -> Path:
    """Where an image of COCO lies."""
    folder = "val2014" if name.startswith("COCO_val") else "train2014"
    return locating.find_image(root, (folder, f"images/{folder}"), name)


class _Cut(Protocol):
    @property
    def recording(self) -> str: ...


_Video = TypeVar("_Video", bound=_Cut)


def _part(videos: Sequence[_Video], split: str) -> list[_Video]:
    return [video for video in videos if is_validation(video.recording) == (split == "validation")]


def _number(options: Options, name: str) -> int:
    try:
        return int(options[name])
    except ValueError:
        raise ValueError(f"`{name}` must be a whole number, got {options[name]!r}.") from None


def _subset(options: Options) -> Subset:
    name = options["attributes"]
    if name not in SUBSETS:
        raise ValueError(f"`attributes` must be one of {', '.join(SUBSETS)}, got {name!r}.")
    return SUBSETS[name]


def _columns(options: Options) -> tuple[str, ...]:
    return tuple(_subset(options))


def _pa_columns(options: Options) -> tuple[str, ...]:
    return tuple(pa_hmdb51.SCHEMES.get(options["scheme"], ()))


def _hmdb_answers(_root: Path, _options: Options) -> dict[str, tuple[str, ...]]:
    return {ACTION_QUESTION: tuple(map(hmdb51.display_name, hmdb51.ACTIONS))}


def _ucf_answers(root: Path, _options: Options) -> dict[str, tuple[str, ...]]:
    return {ACTION_QUESTION: tuple(map(ucf101.display_name, ucf101.read_actions(ucf101.find_lists(root))))}


DATA_SETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "hmdb51": DataSet(_hmdb51, {"split": "1", "pa": ""}, candidates=_hmdb_answers),
        "ucf101": DataSet(_ucf101, {"split": "1"}, candidates=_ucf_answers),
        "vispr": DataSet(_vispr, {"attributes": "vispr1"}, _columns, frames=1),
        "pa-hmdb51": DataSet(
            _pa_hmdb51, {"scheme": "vispr6", "videos": "", "vispr": ""}, _pa_columns, trains_on_pictures=True
        ),
        "okvqa": DataSet(_okvqa, {"categories": ""}, frames=1),
        "okvqa-privacy": DataSet(_okvqa_privacy, {"attributes": "vispr1", "vispr": ""}, _columns, frames=1),
    }
)
"""The published data sets by the name that the command line has for them."""
