"""Anonymize a user's pictures and videos: every file on its own, none lost, none overwritten, none let through.

Several pictures, or several frames of a video, are in work at once: while the network looks at one, others are read and
written.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import KW_ONLY, dataclass
from itertools import groupby
from pathlib import Path

from privacy_mllm.changing import Change, compares
from privacy_mllm.concurrency import Gate, in_order
from privacy_mllm.config import APART
from privacy_mllm.media import MediaError
from privacy_mllm.media.kinds import kind_of, kind_of_name
from privacy_mllm.media.masks import MaskSource
from privacy_mllm.media.pictures import measure_picture, read_picture, write_picture
from privacy_mllm.media.video import probe_video
from privacy_mllm.media.video_copy import transform_video
from privacy_mllm.methods.detectors import Detector
from privacy_mllm.methods.protocol import PictureMethod

PIXELS_AT_ONCE = 24_000_000
"""Pixels of the pictures, or of the frames, that are in work at once: two of 4000x3000. A larger one is in work alone.

With the copies that reading and writing make, a pixel takes about 20 bytes: half a gigabyte in all. What passes the
network at once is bounded by :data:`privacy_mllm.methods.network.MAX_PIXELS` for each worker.
"""

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
    apart: float = APART,
    progress: Progress | None = None,
    workers: int = 1,
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
        apart: Seconds between the two pictures of a video that a `method` which compares looks at.
        progress: Told before each file.
        workers: Pictures, or frames of one video, that are in work at once, as far as ``PIXELS_AT_ONCE`` allows, each
            in a thread that calls `method` and `masks`; the copies are the same for any number. There is one under a
            `detector` or a `method` that compares, which look at one picture after another.

    Returns:
        What became of every file.

    Raises:
        ValueError: Before anything is written: if there is no file, the method needs masks and has none, there
            are masks and a detector, two files would get the same copy, or a copy would replace one of the inputs; or
            if `workers` or `apart` is not positive.
    """
    _check_source(method, masks, detector)
    if not apart > 0:
        raise ValueError(f"`apart` must be positive, got {apart}.")
    at_once = 1 if detector is not None or compares(method) else workers
    copier = _Copier(at_once, Gate(PIXELS_AT_ONCE), force=force, keep_audio=keep_audio)
    jobs, failed = plan(paths, out)
    found: list[Done | Failed] = [*failed]
    with closing(copier.copy(jobs, lambda job: Change(method, masks, detector, job.name, apart))) as outcomes:
        for index, job in enumerate(jobs):
            if progress is not None:
                progress(index, len(jobs), job.name)
            found.append(next(outcomes))
    if progress is not None:
        progress(len(jobs), len(jobs), "")
    done = tuple(outcome for outcome in found if isinstance(outcome, Done))
    return AnonymizeReport(done, tuple(outcome for outcome in found if isinstance(outcome, Failed)))


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


@dataclass(frozen=True)
class _Copier:
    """Makes the copies: several pictures at once, or one video with several of its frames at once."""

    workers: int
    gate: Gate
    _: KW_ONLY
    force: bool
    keep_audio: bool

    def copy(self, jobs: Sequence[Job], change_of: Callable[[Job], Change]) -> Generator[Done | Failed]:
        """What becomes of each job, in their order."""
        for alone, group in groupby(jobs, lambda job: _is_video(job.source)):
            yield from in_order(lambda job: self._attempt(job, change_of(job)), group, 1 if alone else self.workers)

    def _attempt(self, job: Job, change: Change) -> Done | Failed:
        try:
            return self._copy(job, change)
        # Whatever is wrong with one file or too much for the memory, the next may be done.
        except (OSError, ValueError, RuntimeError, MemoryError, ImportError) as error:
            return Failed(job.source, _reason(error))

    def _copy(self, job: Job, change: Change) -> Done:
        if os.path.lexists(job.target) and not self.force:
            raise FileExistsError(f"{job.target} exists; use --force")
        kind = kind_of(job.source)
        promised = kind_of_name(job.target)
        if promised is not None and promised.medium != kind.medium:
            raise MediaError(f"{job.source} is a {kind.medium} and cannot become {job.target}.")
        job.target.parent.mkdir(parents=True, exist_ok=True)
        with _part(job.target, force=self.force) as part:
            write = self._write_picture if kind.medium == "picture" else self._write_video
            write(job.source, part, change, (promised or kind).format)
        return Done(job.source, job.target, change.remark)

    def _write_picture(self, source: Path, part: Path, change: Change, picture_format: str) -> None:
        height, width = measure_picture(source)
        with self.gate.admit(height * width):
            write_picture(part, change(read_picture(source)), picture_format=picture_format)

    def _write_video(self, source: Path, part: Path, change: Change, container_format: str) -> None:
        if compares(change.method):
            change.begin_video(probe_video(source))
        transform_video(
            source,
            part,
            change,
            container_format=container_format,
            keep_audio=self.keep_audio,
            workers=self.workers,
            max_pixels=self.gate.limit,
        )


def _is_video(path: Path) -> bool:
    """Whether it is done in the caller's thread: a long one must stop at once when the user stops it."""
    try:
        return kind_of(path).medium == "video"
    except (OSError, MediaError):
        return False  # It is named when its turn comes.


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
