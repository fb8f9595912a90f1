"""The two tables of a folder of clips: ``attributes.csv`` and ``questions.jsonl``; every problem has file and line."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from privacy_mllm.media import TableError
from privacy_mllm.media.kinds import kind_of

ATTRIBUTES_FILE = "attributes.csv"
QUESTIONS_FILE = "questions.jsonl"
SPLITS = ("train", "validation", "test")

_SHARES = (0.7, 0.8, 1.0)  # Upper ends of the splits' shares of the hash.


@dataclass(frozen=True)
class QuestionRecord:
    """One line of ``questions.jsonl``.

    Args:
        line: Its number, from 1.
        question: The question.
        answers: The answers that count as right.
    """

    line: int
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class ClipRecord:
    """One row of ``attributes.csv`` with its questions.

    Args:
        line: The row's line, from 1.
        file: Relative path of the picture, video or folder of frames, with forward slashes.
        split: The split that it belongs to.
        attributes: 0 or 1, one a name.
        questions: At least one.
    """

    line: int
    file: str
    split: str
    attributes: tuple[int, ...]
    questions: tuple[QuestionRecord, ...]


def read_tables(
    root: Path, attribute_names: Sequence[str] | None = None
) -> tuple[tuple[str, ...], tuple[ClipRecord, ...]]:
    """The attribute names and the rows of all splits, in the order of ``attributes.csv``; opens no picture.

    Args:
        root: The folder.
        attribute_names: The attributes that there must be, whatever their order in the file; None for any.

    Returns:
        The names, as given or as in the file, and the records.

    Raises:
        TableError: On the first problem; the message names file and line and says what to do.
    """
    table = root / ATTRIBUTES_FILE
    if not table.is_file():
        raise TableError(f"{table} is missing: it lists the clips, with the columns file and one for each attribute.")
    rows = _csv_rows(table)
    _, header = next(rows, (1, []))
    names = _attribute_columns(table, header, attribute_names)
    listed = [_clip_row(table, line, header, names, cells) for line, cells in rows]
    if not listed:
        raise TableError(f"{table} lists no clip.")
    _check_files(root, listed)
    questions = _read_questions(root / QUESTIONS_FILE, {record.file for record in listed})
    return names, tuple(_with_questions(table, record, questions) for record in listed)


def split_of(file: str) -> str:
    """The split of a file where the table has no column for it: by a hash of its name, 70/10/20 on average.

    So a clip stays in its split when others are added or removed.
    """
    digest = hashlib.sha256(file.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return next(split for split, end in zip(SPLITS, _SHARES, strict=True) if share < end)


@contextmanager
def at_row(root: Path, record: ClipRecord) -> Iterator[None]:
    """A problem with a clip's pictures becomes one of its row in the table."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise TableError(f"{root / ATTRIBUTES_FILE}:{record.line}: {error}") from error


def _csv_rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of every line that is not empty."""
    try:
        # utf-8-sig, because spreadsheets put a byte order mark before the first column's name.
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except UnicodeDecodeError as error:
        raise TableError(f"{table} is not UTF-8 text: {error}.") from error
    except csv.Error as error:
        raise TableError(f"{table}:{reader.line_num}: {error}.") from error


def _attribute_columns(table: Path, header: list[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    if "file" not in header:
        raise TableError(f"{table}:1 must have a column `file`, separated by commas, got {','.join(header)!r}.")
    doubled = next((name for name in header if header.count(name) > 1 or not name), None)
    if doubled is not None:
        raise TableError(f"{table}:1 must have different, named columns, got {doubled!r} more than once or empty.")
    names = tuple(name for name in header if name not in ("file", "split"))
    if not names:
        raise TableError(f"{table}:1 must have a column for at least one attribute.")
    if wanted is None:
        return names
    for name in (*names, *wanted):
        if name not in wanted or name not in names:
            wrong = "unknown" if name in names else "missing"
            raise TableError(f"{table}:1: the column {name!r} is {wrong}; the attributes are {', '.join(wanted)}.")
    return tuple(wanted)


def _clip_row(table: Path, line: int, header: list[str], names: Sequence[str], cells: list[str]) -> ClipRecord:
    where = f"{table}:{line}"
    if len(cells) != len(header):
        raise TableError(f"{where} must have {len(header)} cells, as the first line has, got {len(cells)}.")
    row = dict(zip(header, cells, strict=True))
    for name in names:
        if row[name] not in ("0", "1"):
            raise TableError(f"{where}: {name!r} must be 0 or 1, got {row[name]!r}.")
    file = _relative(row["file"], where)
    split = row.get("split") if "split" in row else split_of(file)
    if split not in SPLITS:
        raise TableError(f"{where}: `split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    return ClipRecord(line, file, split, tuple(int(row[name]) for name in names), ())


def _relative(file: str, where: str) -> str:
    path = PurePosixPath(file)
    if not file or path.is_absolute() or ".." in path.parts or str(path) == ".":
        raise TableError(f"{where}: `file` must be a path inside the folder, got {file!r}.")
    return str(path)  # "./a.png" is "a.png", so that it cannot be listed twice.


def _check_files(root: Path, records: Sequence[ClipRecord]) -> None:
    """Every file is there and looks like what it should be, and no picture belongs to two clips."""
    table = root / ATTRIBUTES_FILE
    places: dict[Path, ClipRecord] = {}
    for record in records:
        path = root / record.file
        if not path.exists():
            raise TableError(f"{table}:{record.line}: {path} is missing.")
        if path.is_file():
            with at_row(root, record):
                kind_of(path)
        place = path.resolve()
        if place in places:
            raise TableError(f"{table}:{record.line}: {record.file} is listed already in line {places[place].line}.")
        places[place] = record
    for place, record in places.items():
        around = next((parent for parent in place.parents if parent in places), None)
        if around is not None:
            raise TableError(
                f"{table}:{record.line}: {record.file} is also a part of the clip in line {places[around].line}."
            )


def _read_questions(table: Path, files: set[str]) -> dict[str, list[QuestionRecord]]:
    if not table.is_file():
        raise TableError(f'{table} is missing: one {{"file": ..., "question": ..., "answers": [...]}} a line.')
    questions: dict[str, list[QuestionRecord]] = {}
    try:
        lines = table.read_text(encoding="utf-8-sig").split("\n")  # JSON may hold the other kinds of line ends.
    except UnicodeDecodeError as error:
        raise TableError(f"{table} is not UTF-8 text: {error}.") from error
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        file, record = _question_line(table, number, text)
        if file not in files:
            raise TableError(f"{table}:{number}: {file} is not listed in {ATTRIBUTES_FILE}.")
        earlier = questions.setdefault(file, [])
        same = next((one for one in earlier if one.question == record.question), None)
        if same is not None:
            raise TableError(f"{table}:{number}: {record.question!r} is asked of {file} already in line {same.line}.")
        earlier.append(record)
    return questions


def _question_line(table: Path, number: int, text: str) -> tuple[str, QuestionRecord]:
    where = f"{table}:{number}"
    try:
        entry = json.loads(text)
    except json.JSONDecodeError as error:
        raise TableError(f"{where} is not JSON: {error.msg} at column {error.colno}.") from error
    if not isinstance(entry, dict):
        raise TableError(f"{where} must be an object with file, question and answers, got {text.strip()[:40]}.")
    file, question, answers = (entry.get(key) for key in ("file", "question", "answers"))
    for key, value in (("file", file), ("question", question)):
        if not isinstance(value, str) or not value.strip():
            raise TableError(f"{where}: `{key}` must be a text, got {value!r}.")
    if not isinstance(answers, list) or not answers or not all(isinstance(one, str) and one for one in answers):
        raise TableError(f"{where}: `answers` must be a list of at least one text, got {answers!r}.")
    return _relative(str(file), where), QuestionRecord(number, str(question), tuple(answers))


def _with_questions(table: Path, record: ClipRecord, questions: dict[str, list[QuestionRecord]]) -> ClipRecord:
    if record.file not in questions:
        raise TableError(f"{table}:{record.line}: {record.file} has no question in {QUESTIONS_FILE}.")
    return replace(record, questions=tuple(questions[record.file]))
