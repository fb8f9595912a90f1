"""Anonymize a user's pictures and videos: every file on its own, none lost, none overwritten, none let through."""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from privacy_mllm.media import MediaError
from privacy_mllm.media.kinds import Kind, kind_of, kind_of_name
from privacy_mllm.media.masks import MaskSource
from privacy_mllm.media.pictures import read_picture, write_picture
from privacy_mllm.media.video import transform_video
from privacy_mllm.methods.detectors import Box, Detector
from privacy_mllm.methods.protocol import PictureMethod, Remarking
from privacy_mllm.methods.regions import boxes_mask

HOLD = 5
"""Frames of a video for which a detected box counts: a detector that blinks must not let a face through."""

Progress = Callable[[int, int, str], None]
"""Called before each file with the files finished, their total and the file's name, and once at the end."""


@dataclass(frozen=True)
class Job:
    """One file to do.

    Args:
        source: The file.
        target: Where its anonymized copy goes.
        name: The source's path relative to the input folder, with forward slashes; masks go by it.
    """

    source: Path
    target: Path
    name: str


@dataclass(frozen=True)
class Done:
    """A file that was anonymized.

    Args:
        source: The file.
        target: Its anonymized copy.
        remark: What the user should know about the copy, or None.
    """

    source: Path
    target: Path
    remark: str | None = None


@dataclass(frozen=True)
class Failed:
    """A file that was not anonymized; nothing was written for it.

    Args:
        source: The file.
        reason: Why, in a sentence.
    """

    source: Path
    reason: str


@dataclass(frozen=True)
class AnonymizeReport:
    """What became of every file."""

    done: tuple[Done, ...]
    failed: tuple[Failed, ...]

    @property
    def ok(self) -> bool:
        """Whether every file was anonymized; otherwise a command exits with 1."""
        return not self.failed


def anonymize_paths(
    paths: Sequence[Path],
    out: Path,
    method: PictureMethod,
    *,
    masks: MaskSource | None = None,
    detector: Detector | None = None,
    force: bool = False,
    keep_audio: bool = False,
    progress: Progress | None = None,
) -> AnonymizeReport:
    """Anonymize pictures, videos and whole folders of them.

    A copy has its input's size and, below ``out``, its relative path; a picture is written in the format of its
    suffix. A file that cannot be done is reported with the reason, and the others are still done. A copy is
    written beside its place and moved there when it is complete, so an interruption leaves no half file.

    Args:
        paths: Files, and folders that are searched for files. Hidden files and folders below them are left out,
            and links to folders are not followed.
        out: A folder; or the copy itself where ``paths`` is one file and ``out`` has a picture's or video's
            suffix.
        method: Changes one picture.
        masks: What to hide in each picture; None for everything.
        detector: Finds what to hide in each picture and frame, where there are no ``masks``. A picture in which it
            finds nothing is copied as it is, with a remark.
        force: Whether a copy may replace a file that exists.
        keep_audio: Whether videos keep their sound.
        progress: Told before each file.

    Returns:
        What became of every file.

    Raises:
        ValueError: Before anything is written: if there is no file, the method needs masks and has none, there
            are masks and a detector, two files would get the same copy, or a copy would replace one of the inputs.
    """
    _check_source(method, masks, detector)
    jobs, failed = plan(paths, out)
    done: list[Done] = []
    for index, job in enumerate(jobs):
        if progress is not None:
            progress(index, len(jobs), job.name)
        try:
            done.append(
                _anonymize(job, _Changer(method, masks, detector, job.name), force=force, keep_audio=keep_audio)
            )
        # Whatever is wrong with one file or too much for the memory, the next may be done.
        except (OSError, ValueError, RuntimeError, MemoryError, ImportError) as error:
            failed.append(Failed(job.source, _reason(error)))
    if progress is not None:
        progress(len(jobs), len(jobs), "")
    return AnonymizeReport(tuple(done), tuple(failed))


def _check_source(method: PictureMethod, masks: MaskSource | None, detector: Detector | None) -> None:
    if masks is not None and detector is not None:
        raise ValueError("`masks` and `detector` both say what to hide; give one of them.")
    if method.needs_mask and masks is None and detector is None:
        ways = "boxes or masks (--boxes, --masks), or a detector (--detector)"
        raise ValueError(f"{method.name} must be told what to hide: give {ways}.")


def plan(paths: Sequence[Path], out: Path) -> tuple[list[Job], list[Failed]]:
    """Which files there are to do, and where their copies go; writes nothing.

    Returns:
        The jobs, and the inputs that do not exist.

    Raises:
        ValueError: As for :func:`anonymize_paths`.
    """
    if not paths:
        raise ValueError("`paths` must not be empty.")
    into_file = len(paths) == 1 and paths[0].is_file() and not out.is_dir() and kind_of_name(out) is not None
    if not into_file and out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; the copies of several files need a folder.")
    jobs: list[Job] = []
    failed: list[Failed] = []
    for path in paths:
        if path.is_dir():
            jobs += [Job(file, out / name, name) for file, name in _files_below(path, out)]
        elif os.path.lexists(path):
            jobs.append(Job(path, out if into_file else out / path.name, path.name))
        else:
            failed.append(Failed(path, "there is no such file"))
    if not jobs and not failed:
        raise ValueError(f"There is no file in {', '.join(map(str, paths))}.")
    _check_targets(jobs)
    return jobs, failed


def _files_below(folder: Path, out: Path) -> Iterator[tuple[Path, str]]:
    """Files and their relative names, sorted. Former copies are no inputs, where ``out`` lies in the folder."""
    copies = out.resolve()
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (here / name).resolve() != copies)
        for name in sorted(files):
            if not name.startswith("."):
                yield here / name, (here / name).relative_to(folder).as_posix()


def _check_targets(jobs: Sequence[Job]) -> None:
    sources = {_place(job.source): job.source for job in jobs}
    targets: dict[Path, Path] = {}
    for job in jobs:
        place = _place(job.target)
        if place in sources:
            raise ValueError(f"{job.target} is an input itself and is never replaced; choose another output.")
        if place in targets:
            raise ValueError(f"{targets[place]} and {job.source} would both become {job.target}.")
        targets[place] = job.source


def _place(path: Path) -> Path:
    # realpath, because Path.resolve raises on a link that leads to itself.
    return Path(os.path.realpath(path))


def _anonymize(job: Job, change: _Changer, *, force: bool, keep_audio: bool) -> Done:
    if os.path.lexists(job.target) and not force:
        raise FileExistsError(f"{job.target} exists; use --force")
    kind = kind_of(job.source)
    promised = kind_of_name(job.target)
    if promised is not None and promised.medium != kind.medium:
        raise MediaError(f"{job.source} is a {kind.medium} and cannot become {job.target}.")
    job.target.parent.mkdir(parents=True, exist_ok=True)
    with _part(job.target, force=force) as part:
        do = _picture if kind.medium == "picture" else _video
        do(job, part, promised or kind, change, keep_audio=keep_audio)
    return Done(job.source, job.target, change.remark)


@dataclass
class _Changer:
    """The method with the masks or the detector of one file; remembers what there is to say about it."""

    method: PictureMethod
    masks: MaskSource | None
    detector: Detector | None
    name: str
    of_size: str | None = None
    num_pictures: int = 0
    num_found: int = 0
    recent: deque[list[Box]] = field(default_factory=lambda: deque(maxlen=HOLD))

    def __call__(self, picture: Tensor, frame: int = 0) -> Tensor:
        height, width = picture.shape[-2:]
        changed = self.method(picture, self._mask(picture, frame))
        if changed.shape != picture.shape or changed.dtype != picture.dtype:
            raise RuntimeError(
                f"{self.method.name} turned a picture {list(picture.shape)} into {changed.dtype} {list(changed.shape)}."
            )
        if isinstance(self.method, Remarking):
            self.of_size = self.method.remark(height, width)
        return changed

    @property
    def remark(self) -> str | None:
        """What the user should know about the copy, or None."""
        remarks = [self.of_size] if self.of_size else []
        if self.detector is not None and self.num_found < self.num_pictures:
            missed = self.num_pictures - self.num_found
            where = "the picture" if self.num_pictures == 1 else f"{missed} of {self.num_pictures} frames"
            remarks.append(f"the detector found nothing in {where}: left as it was")
        return "; ".join(remarks) or None

    def _mask(self, picture: Tensor, frame: int) -> Tensor | None:
        height, width = picture.shape[-2:]
        if self.detector is None:
            return None if self.masks is None else self.masks.mask_for(self.name, height, width, frame)
        self.recent.append(list(self.detector(picture)))
        boxes = [box for found in self.recent for box in found]
        self.num_pictures += 1
        self.num_found += bool(boxes)
        return boxes_mask(boxes, height, width)


def _picture(job: Job, part: Path, kind: Kind, change: _Changer, *, keep_audio: bool) -> None:  # noqa: ARG001
    write_picture(part, change(read_picture(job.source)), picture_format=kind.format)


def _video(job: Job, part: Path, kind: Kind, change: _Changer, *, keep_audio: bool) -> None:
    transform_video(job.source, part, change, container_format=kind.format, keep_audio=keep_audio)


@contextmanager
def _part(target: Path, *, force: bool) -> Iterator[Path]:
    """A new file beside the target that takes its place at the end, or vanishes on any failure."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        if os.path.lexists(target) and not force:
            raise FileExistsError(f"{target} exists; use --force")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}"
    return str(error) or type(error).__name__
