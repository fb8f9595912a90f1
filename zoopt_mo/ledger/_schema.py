"""The tables of a ledger, and what is checked before one is used."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

APPLICATION = 0x7A6F6D6F  # "zomo", in the file's header
VERSION = 1
FREE_BYTES = 16 << 20  # room on the disk below which no run begins

TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    about TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE queries (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    objective TEXT NOT NULL,
    step INTEGER NOT NULL,
    probe INTEGER NOT NULL,
    item INTEGER NOT NULL,
    key TEXT NOT NULL,
    seed TEXT,
    radius REAL,
    value REAL,
    reply TEXT,
    error TEXT,
    void INTEGER, -- the round that was given up, with this query
    attempts INTEGER NOT NULL,
    latency REAL NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost REAL NOT NULL,
    time REAL NOT NULL
);
CREATE INDEX queries_by_place ON queries (run, objective, step, probe, item);
CREATE INDEX queries_given_up ON queries (run, objective, void) WHERE void IS NOT NULL;
CREATE INDEX queries_by_key ON queries (key) WHERE error IS NULL;
"""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection to the ledger at ``path``, made if missing, that has been seen to take a write."""
    if not path.parent.is_dir():
        raise ValueError(f"`path` must lie in a folder that exists, got {str(path)!r}.")
    free = shutil.disk_usage(path.parent).free
    if free < FREE_BYTES:
        raise ValueError(f"`path` must lie on a disk with {FREE_BYTES >> 20} MiB free, got {free >> 20} MiB at {path}.")
    with _refusing(path, "a ledger that can be written"):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
    with _refusing(path, "a ledger that can be written", connection):
        _check_header(connection, path)
        _use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")  # survives a killed process
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            _create(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")  # a write, which a read-only file refuses here
        connection.execute("COMMIT")
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot change the ledger at ``path``."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no ledger at {path}.")
    log = path.with_name(f"{path.name}-wal")
    immutable = not log.exists() and not os.access(path.parent, os.W_OK)  # it could not lay a file beside it
    options = "mode=ro&immutable=1" if immutable else "mode=ro"
    with _refusing(path, "a ledger"):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True, timeout=30.0)
    with _refusing(path, "a ledger", connection):
        _check_header(connection, path)
        connection.execute("SELECT 1 FROM queries LIMIT 1")
    return connection


@contextlib.contextmanager
def _refusing(path: Path, what: str, connection: sqlite3.Connection | None = None) -> Iterator[None]:
    """Close the connection and say what is wrong with the file."""
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, ValueError):
            raise
        raise ValueError(f"`path` must be {what}, but {path}: {error}.") from error


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Readers and other runs do not wait for each other; the change to it does not wait by itself, as all else does."""
    deadline = time.monotonic() + 30.0
    while not _uses_write_ahead_log(connection, may_fail=time.monotonic() < deadline):
        time.sleep(0.05)


def _uses_write_ahead_log(connection: sqlite3.Connection, *, may_fail: bool) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if may_fail and "locked" in str(error):
            return False
        raise
    return True


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")


def _check_header(connection: sqlite3.Connection, path: Path) -> None:
    """A new file, or a ledger of this version; nothing else is written to."""
    connection.execute("BEGIN")  # another process may be making it
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if tables == version == application == 0:
        return
    if application != APPLICATION:
        raise ValueError(f"`path` must be a ledger, but {path} is another program's database.")
    if version != VERSION:
        raise ValueError(f"`path` must be a ledger of version {VERSION}, but {path} is of version {version}.")
