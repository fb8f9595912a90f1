"""Reading lists and JSON of published data sets: every problem is a :class:`TableError` with file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from privacy_mllm.media import TableError


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place (``file:line``, from 1) and stripped text of every line that is not blank; any line ends will do.

    Raises:
        TableError: If the file is missing or is not UTF-8 text.
    """
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        text = line.strip()
        if text:
            yield f"{path}:{number}", text


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON; what it must hold is said where it is used
    """What a JSON file holds. A key that occurs twice in one object is an error, for one of them would be lost.

    Raises:
        TableError: If the file is missing, is not UTF-8 text or is not JSON.
    """
    text = _read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise TableError(f"{path}:{error.lineno} is not JSON: {error.msg} at column {error.colno}.") from error
    except (ValueError, RecursionError) as error:  # a key twice, a number of thousands of digits, endless brackets
        raise TableError(f"{path} is not JSON that can be read: {error}.") from error


def file_name(value: object, where: str) -> str:
    """A plain file name: no folder, nothing that a file system cannot hold.

    Args:
        value: What was read.
        where: File and line, for the message.

    Raises:
        TableError: If it is anything else.
    """
    is_name = isinstance(value, str) and value.isprintable() and value.strip(". ") and not set("/\\") & set(value)
    if not is_name:
        raise TableError(f"{where} must name a file, without folders, got {_short(value)}.")
    return str(value)


def text_of(entry: object, key: str, where: str) -> str:
    """The text under a key of a JSON object.

    Args:
        entry: What should be an object.
        key: The key.
        where: File and entry, for the message.

    Raises:
        TableError: If it is no object, or has no text there.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, str):
        raise TableError(f"{where} must be an object with a text `{key}`, got {_short(entry)}.")
    return value


def number_of(entry: object, key: str, where: str) -> int:
    """The whole number, 0 or more, under a key of a JSON object.

    Args:
        entry: What should be an object.
        key: The key.
        where: File and entry, for the message.

    Raises:
        TableError: If it is no object, or has no such number there.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if not is_count(value):
        raise TableError(f"{where} must be an object with a whole number `{key}`, got {_short(entry)}.")
    return int(value)  # type: ignore[arg-type]


def list_of(entry: object, key: str, where: str) -> list[Any]:
    """The list under a key of a JSON object.

    Args:
        entry: What should be an object.
        key: The key.
        where: File and entry, for the message.

    Raises:
        TableError: If it is no object, or has no list there.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, list):
        raise TableError(f"{where} must be an object with a list `{key}`, got {_short(entry)}.")
    return value


def is_count(value: object) -> bool:
    """Whether a value of JSON is a whole number, 0 or more; ``true`` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _short(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise TableError(f"{path} is missing.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text: {error}.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!a} occurs twice in one object")
    return found
