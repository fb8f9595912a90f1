"""Looking through a published data set on the disk: what is there, what is missing, what is broken, what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from privacy_mllm.data import hmdb51, okvqa, pa_hmdb51, ucf101, vispr
from privacy_mllm.data._tables import SPLITS, read_tables
from privacy_mllm.data.datasets import UNCERTAIN_END, find_coco_image, find_vispr_image
from privacy_mllm.data.locating import HMDB_FOLDERS, UCF_FOLDERS, find_video
from privacy_mllm.data.reading import Item, Reading, count_clip, read_clip
from privacy_mllm.data.sources import parse_source
from privacy_mllm.media import MediaError
from privacy_mllm.media.kinds import PICTURE_FORMATS
from privacy_mllm.media.pictures import read_picture

ORIGINS = {
    "hmdb51": "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database",
    "ucf101": "https://www.crcv.ucf.edu/data/UCF101.php",
    "vispr": "https://tribhuvanesh.github.io/vpa",
    "pa-hmdb51": "https://github.com/VITA-Group/PA-HMDB51 (annotations) and HMDB51 (videos)",
    "okvqa": "https://okvqa.allenai.org (questions) and https://cocodataset.org (images of 2014)",
    "okvqa-privacy": "https://github.com/phoebehxf/okvqa-privacy-attribute and https://cocodataset.org (val2014)",
}
"""Where each data set comes from."""

Progress = Callable[[int, int, str], None]
"""Called with the files opened, the files in all, and the name of the last one."""

_UCF_COUNTS = ((9537, 3783), (9586, 3734), (9624, 3696))
_VISPR_COUNTS = {"train": 10000, "val": 4167, "test": 8000}
_OKVQA_COUNTS = {"train": 9009, "val": 5046}


@dataclass
class Report:
    """What was found.

    Args:
        facts: Sentences on what is there.
        problems: Sentences on what is wrong, each with its file.
    """

    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def count(self, what: str, found: int, published: int) -> None:
        """State a number; another than the published one is a problem."""
        self.facts.append(f"{what}: {found}")
        if found != published:
            self.problems.append(f"{what}: {found}, but {published} are published")

    @contextmanager
    def noting(self) -> Iterator[None]:
        """A file that cannot be read or says something wrong becomes a problem, and the check goes on."""
        try:
            yield
        except (ValueError, OSError) as error:
            self.problems.append(str(error))


@dataclass(frozen=True)
class _File:
    """A clip that must be there.

    Args:
        path: Where.
        frames: Frames that it must have at least, if that is known.
    """

    path: Path
    frames: int = 1


def check_data(
    name: str, root: str, *, decode: bool = False, progress: Progress = lambda _done, _total, _name: None
) -> Report:
    """Look through a data set.

    Args:
        name: "folder", "hmdb51", "ucf101", "vispr", "pa-hmdb51", "okvqa" or "okvqa-privacy".
        root: Its folder, with options as in a source, such as ``DIR?videos=HMDB``.
        decode: Whether every file is also opened and decoded to its end.
        progress: Told of each file that was opened.

    Returns:
        What was found. Nothing is changed.

    Raises:
        ValueError: If the name or an option is unknown.
        ImportError: If videos are to be decoded and the extra ``video`` is not installed.
    """
    source, report = parse_source(f"{name}:{root}"), Report()
    if not source.root.is_dir():
        report.problems.append(f"{source.root} is no folder")
        return report
    files = list(_CHECKS[name](source.root, report, source.options.get("videos", "")))
    missing = [file.path for file in files if not file.path.exists()]
    report.facts.append(f"files: {len(files) - len(missing)} of {len(files)}")
    report.problems.extend(_name_missing(source.root, missing))
    if decode:
        _decode([file for file in files if file.path.exists()], report, progress)
    return report


def _folder(root: Path, report: Report, _videos: str) -> Iterator[_File]:
    with report.noting():
        names, records = read_tables(root)
        report.facts.append(f"attributes: {', '.join(names)}")
        for split in SPLITS:
            report.facts.append(f"{split}: {sum(record.split == split for record in records)}")
        yield from (_File(root / record.file) for record in records)


def _hmdb51(root: Path, report: Report, _videos: str) -> Iterator[_File]:
    listed: dict[str, Path] = {}
    for split in range(1, hmdb51.NUM_SPLITS + 1):
        with report.noting():
            lists = hmdb51.find_lists(root, split)
            report.count(f"lists of split {split}", len(lists), len(hmdb51.ACTIONS))
            lacking = (action for action in hmdb51.ACTIONS if action not in lists)
            report.problems.extend(f"{hmdb51.FOLDER}/{one}_test_split{split}.txt is missing" for one in lacking)
            videos = hmdb51.read_hmdb51(root, split=split)
            for part, published in (("train", 3570), ("test", 1530), ("unused", 1666)):
                report.count(f"split {split} {part}", sum(video.part == part for video in videos), published)
            places = {video.name: find_video(root, HMDB_FOLDERS, video.action, video.name) for video in videos}
            listed.update(places)
    yield from map(_File, listed.values())


def _ucf101(root: Path, report: Report, _videos: str) -> Iterator[_File]:
    listed: dict[str, Path] = {}
    with report.noting():
        report.count("actions", len(ucf101.read_actions(ucf101.find_lists(root))), 101)
    for split, published in enumerate(_UCF_COUNTS, start=1):
        with report.noting():
            videos = ucf101.read_ucf101(root, split=split)
            for part, number in zip(("train", "test"), published, strict=True):
                report.count(f"split {split} {part}", sum(video.part == part for video in videos), number)
            places = {video.name: find_video(root, UCF_FOLDERS, video.action, video.name) for video in videos}
            listed.update(places)
    yield from map(_File, listed.values())


def _vispr(root: Path, report: Report, _videos: str) -> Iterator[_File]:
    for split, published in _VISPR_COUNTS.items():
        with report.noting():
            images = vispr.read_vispr(root, split)
            report.count(split, len(images), published)
            report.facts.append(f"{split} safe: {sum(image.is_safe for image in images)}")
            yield from (_File(find_vispr_image(root, image, split)) for image in images)


def _pa_hmdb51(root: Path, report: Report, videos: str) -> Iterator[_File]:
    with report.noting():
        annotated = pa_hmdb51.read_pa_hmdb51(root)
        report.count("videos", len(annotated), 515)
        lacking = sorted(set(hmdb51.ACTIONS) - {video.action for video in annotated})
        report.problems.extend(f"{pa_hmdb51.FOLDER}/{action}.json is missing, or empty" for action in lacking)
        labelled = [len(video.labels()) for video in annotated]
        report.facts.append(f"frames with all labels: {sum(labelled)}, videos with none: {labelled.count(0)}")
        for video in annotated:
            place = find_video(Path(videos) if videos else root, HMDB_FOLDERS, video.action, video.name)
            yield _File(place, max(1, video.num_frames - UNCERTAIN_END))


def _okvqa(root: Path, report: Report, _videos: str) -> Iterator[_File]:
    for part, published in _OKVQA_COUNTS.items():
        with report.noting():
            questions = okvqa.read_okvqa(root, part)
            report.count(f"{part} questions", len(questions), published)
            odd = [question for question in questions if len(question.answers) != 10]
            report.problems.extend(f"{one.where} has {len(one.answers)} answers, not 10" for one in odd)
            yield from (_File(find_coco_image(root, name)) for name in dict.fromkeys(one.image for one in questions))


def _okvqa_privacy(root: Path, report: Report, _videos: str) -> Iterator[_File]:
    with report.noting():
        images = okvqa.read_image_attributes(root / okvqa.PRIVACY_FILE)
        report.count("images", len(images), 993)
        report.facts.append(f"images without attributes: {sum(not image.labels for image in images)}")
        yield from (_File(find_coco_image(root, image.image)) for image in images)


_CHECKS: dict[str, Callable[[Path, Report, str], Iterator[_File]]] = {
    "folder": _folder,
    "hmdb51": _hmdb51,
    "ucf101": _ucf101,
    "vispr": _vispr,
    "pa-hmdb51": _pa_hmdb51,
    "okvqa": _okvqa,
    "okvqa-privacy": _okvqa_privacy,
}


def _name_missing(root: Path, missing: Sequence[Path]) -> Iterator[str]:
    """A line for each file, or one for all those of a folder that is not there."""
    absent: dict[Path, int] = {}
    for path in missing:
        gone = _topmost_missing(root, path)
        if gone == path:
            yield f"{path} is missing"
        else:
            absent[gone] = absent.get(gone, 0) + 1
    yield from (f"{folder} is missing, a folder that should hold {number} files" for folder, number in absent.items())


def _topmost_missing(root: Path, path: Path) -> Path:
    while path.parent != root and not path.parent.exists():
        path = path.parent
    return path


def _decode(files: Sequence[_File], report: Report, progress: Progress) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (file, problem) in enumerate(zip(files, pool.map(_find_fault, files), strict=True), start=1):
            if problem is not None:
                report.problems.append(problem)
            progress(done, len(files), file.path.name)


def _find_fault(file: _File) -> str | None:
    """What is wrong with a file that is there."""
    try:
        if file.path.is_dir():
            for frame in sorted(file.path.iterdir()):
                if frame.suffix.lower() in PICTURE_FORMATS:
                    read_picture(frame)
        number = count_clip(file.path)
        if number < file.frames:
            return f"{file.path} has {number} frames, but {file.frames} or more are annotated"
        read_clip(Item(file.path.name, file.path, (number - 1,)), Reading(size=8))
    except (MediaError, OSError) as error:
        return str(error)
    return None
