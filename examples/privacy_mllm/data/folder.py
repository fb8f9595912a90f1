"""The user's own pictures and clips: a folder with ``attributes.csv`` and ``questions.jsonl``.

``attributes.csv`` has the column ``file``, optionally ``split`` (train, validation or test), and a 0/1 column for
each private attribute. ``questions.jsonl`` has one object a line: ``{"file": ..., "question": ..., "answers":
[...]}``. A file is a picture, a folder of frames (sorted by name), or, with the extra ``video``, a video.

Without the column ``split``, a file's name decides by a hash: 70 % train, 10 % validation, 20 % test. Where people
are, if it is known, is in the folder ``people/``: for each file a mask of the same name, ending in ``.png``
(white where a person is), or a folder of masks of the same name for a folder of frames or a video.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from privacy_mllm.data._tables import ATTRIBUTES_FILE, QUESTIONS_FILE, SPLITS, ClipRecord, at_row, read_tables
from privacy_mllm.data.clips import Answers, Clips
from privacy_mllm.data.lazy import CACHE_BYTES, READ_AHEAD, LazyFrames, in_threads
from privacy_mllm.data.reading import Item, Reading, clip_size, read_clip, seconds_apart
from privacy_mllm.media import TableError
from privacy_mllm.media.kinds import PICTURE_FORMATS, kind_of
from privacy_mllm.media.pictures import read_mask, write_picture
from privacy_mllm.oracles.protocol import Oracle

PEOPLE = "people"


def read_folder(
    root: Path,
    *,
    attribute_names: Sequence[str] | None = None,
    frames: int = 4,
    size: int = 64,
    split: str | None = None,
    cache_bytes: int = CACHE_BYTES,
) -> Clips:
    """The clips of a folder, in the order of ``attributes.csv``; all are read once to see that none is broken.

    Their pictures are read again when they are needed, except for those that are kept.

    A clip has ``frames`` frames spread evenly from its first to its last; a picture, or a clip that has fewer,
    repeats them. A picture of another size is cut to the largest square around its centre and resized with
    antialiasing; of the same size, it is taken bit for bit.

    Args:
        root: The folder.
        attribute_names: The attributes that there must be, in the order of the result; None for the file's.
        frames: Frames a clip ``t``, positive.
        size: Height and width, positive.
        split: "train", "validation" or "test"; None for all clips.
        cache_bytes: Bytes of pictures that are kept, and of masks.

    Returns:
        The clips; a clip's name is its file's without the suffix of a picture.

    Raises:
        ValueError: On the first problem of the tables or of a picture; the message names file and line. The
            tables and the existence of every file are checked for all splits, whichever is read.
        ImportError: If there is a video and the extra ``video`` is not installed.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    reading = Reading(frames=frames, size=size)
    names, listed = read_tables(root, attribute_names)
    records = [record for record in listed if split in (None, record.split)]
    if not records:
        raise TableError(f"{root / ATTRIBUTES_FILE} has no clip in the split {split!r}.")
    pictures = _pictures(root, records, reading, cache_bytes)
    people = _masks(root, records, reading, cache_bytes) if (root / PEOPLE).is_dir() else None
    _check_pixels(root, records, pictures, people)
    return Clips(
        frames=pictures,
        attributes=torch.tensor([record.attributes for record in records], dtype=torch.float32),
        attribute_names=names,
        answers=tuple({one.question: one.answers for one in record.questions} for record in records),
        names=_clip_names(root, records, listed),
        people=people,
        apart=seconds_apart([Item(record.file, root / record.file) for record in records], reading),
    )


def export_clips(clips: Clips, root: Path, *, split: str | None = None, append: bool = False) -> None:
    """Write clips as a folder that :func:`read_folder` reads back bit for bit.

    A clip becomes a folder of PNG frames named like the clip, or one PNG if it has one frame; masks of people
    become the folder ``people/``.

    Args:
        clips: The clips; their names become file names.
        root: The folder; made if missing.
        split: "train", "validation" or "test", written into a column ``split``; None for no such column.
        append: Whether the clips are added to a folder that was exported before, with the same columns.

    Raises:
        ValueError: If a name is no file name or occurs twice, an attribute is neither 0 nor 1, or the folder
            has other columns.
        FileExistsError: If the folder holds a table and `append` is False, or a clip of the same name.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    if not bool(((clips.attributes == 0) | (clips.attributes == 1)).all()):
        raise ValueError("`clips.attributes` must be 0 or 1 to be written.")
    files = _file_names(clips)
    header = ["file", *(["split"] if split else []), *clips.attribute_names]
    _check_export(root, files, header, append=append)
    for index, file in enumerate(files):
        _write_frames(root / file, clips.frames[index])
        if clips.people is not None:
            _write_frames(root / PEOPLE / file, clips.people[index])
    rows = [
        [file, *([split] if split else []), *(str(int(value)) for value in attributes)]
        for file, attributes in zip(files, clips.attributes.tolist(), strict=True)
    ]
    # The tables come last, so that they never list a picture that is not there.
    _write_tables(root, header, rows, zip(files, clips.answers, strict=True))


def check_answers(clips: Clips, oracle: Oracle, source: Path | None = None) -> None:
    """Refuse an answer that the oracle can never give, before any query is paid.

    Every accepted answer must be one that it can give: one that it cannot is a slip of the pen, or a question
    for another oracle.

    Args:
        clips: The clips.
        oracle: The black box; it is not asked.
        source: The folder that the clips were read from: then all its splits are checked, and the message names
            the line. None for clips that came from elsewhere.

    Raises:
        ValueError: If there is such an answer.
    """
    for where, question, answers in _asked(clips) if source is None else _asked_in(source):
        for answer in answers:
            if not oracle.can_answer(question, answer):
                raise TableError(f"{where}: the oracle can never answer {answer!r} to {question!r}.")


Asked = list[tuple[str, str, tuple[str, ...]]]


def _asked(clips: Clips) -> Asked:
    pairs = zip(clips.names, clips.answers, strict=True)
    return [(f"clip {name}", question, answers[question]) for name, answers in pairs for question in answers]


def _asked_in(root: Path) -> Asked:
    questions = [question for record in read_tables(root)[1] for question in record.questions]
    return [
        (f"{root / QUESTIONS_FILE}:{one.line}", one.question, one.answers)
        for one in sorted(questions, key=lambda one: one.line)
    ]


def _pictures(root: Path, records: Sequence[ClipRecord], reading: Reading, cache_bytes: int) -> LazyFrames:
    """Pictures ``uint8 [n, t, 3, h, w]``."""

    def read(row: int) -> Tensor:
        with at_row(root, records[row]):
            return read_clip(Item(records[row].file, root / records[row].file), reading)

    return LazyFrames.fetched(in_threads(read), (len(records), *reading.shape), cache_bytes=cache_bytes)


def _masks(root: Path, records: Sequence[ClipRecord], reading: Reading, cache_bytes: int) -> LazyFrames:
    """Where people are, ``uint8 [n, t, 1, h, w]``."""

    def read(row: int) -> Tensor:
        with at_row(root, records[row]):
            place = _mask_place(root, records[row].file)
            return read_clip(Item(records[row].file, place), reading, read_mask)

    shape = (len(records), reading.frames, 1, reading.size, reading.size)
    return LazyFrames.fetched(in_threads(read), shape, cache_bytes=cache_bytes)


def _check_pixels(root: Path, records: Sequence[ClipRecord], pictures: LazyFrames, masks: LazyFrames | None) -> None:
    """Everything is read once, so that what is broken is told now and not in the middle of a training."""
    for frames in [pictures] if masks is None else [pictures, masks]:
        for rows in torch.arange(len(records)).split(READ_AHEAD):
            frames[rows]
    for record in () if masks is None else records:
        with at_row(root, record):
            if clip_size(_mask_place(root, record.file), read_mask) != clip_size(root / record.file):
                raise TableError(f"the mask of {record.file} in {PEOPLE}/ has another size than the picture.")


def _mask_place(root: Path, file: str) -> Path:
    place = root / PEOPLE / file
    source = root / file
    if not source.is_dir():
        is_video = kind_of(source).medium == "video"
        place = place.with_suffix("" if is_video else ".png")
    if not place.exists():
        raise TableError(f"{place} is missing: every clip must have a mask, or none; a black one says nobody.")
    return place


def _clip_names(root: Path, records: Sequence[ClipRecord], listed: Sequence[ClipRecord]) -> tuple[str, ...]:
    """Pictures without their suffixes, unless a name would then stand for two clips."""
    stems = {record.file: _stem(root, record.file) for record in listed}
    times = Counter(stems.values())
    return tuple(stems[one.file] if times[stems[one.file]] == 1 else one.file for one in records)


def _stem(root: Path, file: str) -> str:
    path = PurePosixPath(file)
    is_picture = path.suffix.lower() in PICTURE_FORMATS and not (root / file).is_dir()
    return str(path.with_suffix("")) if is_picture else file


def _file_names(clips: Clips) -> list[str]:
    for name in clips.names:
        path = PurePosixPath(name)
        inside = path.parts and not path.is_absolute() and not {"..", PEOPLE} & set(path.parts)
        # What the tables would not give back as it was: a name is stripped there, and stands in one line.
        readable = str(path) == name.strip() == name and name.isprintable() and "\\" not in name
        if not (inside and readable):
            raise ValueError(f"`clips.names` must be relative file names outside {PEOPLE}/, got {name!r}.")
    name, times = Counter(clips.names).most_common(1)[0]
    if times > 1:
        raise ValueError(f"`clips.names` must differ, got {name!r} {times} times.")
    return [f"{name}.png" if clips.frames.shape[1] == 1 else name for name in clips.names]


def _check_export(root: Path, files: Sequence[str], header: list[str], *, append: bool) -> None:
    table = root / ATTRIBUTES_FILE
    if table.exists():
        if not append:
            raise FileExistsError(f"{table} exists; choose an empty folder.")
        with table.open(encoding="utf-8-sig", newline="") as text:
            found = next(csv.reader(text), [])
        if found != header:
            raise ValueError(f"{table}:1 has the columns {','.join(found)}; these clips have {','.join(header)}.")
    for file in files:
        if (root / file).exists():
            raise FileExistsError(f"{root / file} exists; choose an empty folder.")


def _write_frames(path: Path, frames: Tensor) -> None:
    if len(frames) == 1:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, frames[0])
        return
    path.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(frames):
        write_picture(path / f"frame-{index:05d}.png", frame)


def _write_tables(root: Path, header: list[str], rows: list[list[str]], answers: zip[tuple[str, Answers]]) -> None:
    table, buffer = root / ATTRIBUTES_FILE, io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows(rows if table.exists() else [header, *rows])
    lines = [
        json.dumps({"file": file, "question": question, "answers": list(accepted)}, ensure_ascii=False) + "\n"
        for file, asked in answers
        for question, accepted in asked.items()
    ]
    with (root / QUESTIONS_FILE).open("a", encoding="utf-8") as questions:
        questions.writelines(lines)
    with table.open("a", encoding="utf-8", newline="") as attributes:
        attributes.write(buffer.getvalue())
