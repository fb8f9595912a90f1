"""Writing a ledger: one run, one process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from zoopt_mo.evaluation._outcomes import Usage
from zoopt_mo.ledger._schema import open_for_writing


class Place(NamedTuple):
    """Which query of a run one is."""

    objective: str
    step: int
    probe: int
    item: int = 0


@dataclass(frozen=True)
class Entry:
    """One query as the ledger holds it.

    Args:
        place: Which query of the run it was.
        key: Digest of what was asked.
        reply: The answer, None for a query that failed.
        value: The loss that was made of it.
        error: What went wrong, None for an answer.
        usage: What it took.
        latency: Seconds until the answer.
        seed: Seed of the probe's directions.
        radius: Distance of the probe from theta, over the square root of ``p``.
        void: Whether the round was given up since, so that the run may ask something else here.
    """

    place: Place
    key: str
    reply: Any = None
    value: float | None = None
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    latency: float = 0.0
    seed: int | None = None
    radius: float | None = None
    void: bool = False


class Ledger:
    """Keeps every answer that was paid for, at once, in a SQLite file; one row a query.

    Pass it to :class:`zoopt_mo.QueryPolicy`. A run that was killed is started again with the same arguments and the
    same ledger: what was answered is taken from it, and only the rest is asked. Several runs may share a file, each
    under its own name; one run is written by one process at a time. Rows survive a killed process. They hold the
    digest of a payload, never the payload.

    Args:
        path: The file; it is made if it is missing.
        run: Name of the run.
        about: Settings of the run, as JSON can hold them; a later opening of the run must give the same ones.

    Raises:
        ValueError: If the file cannot be written, the disk is full, or it is no ledger of this version; if the run was
            made with other settings.
        RuntimeError: If another process writes this run.

    Example:
        >>> import tempfile, pathlib
        >>> import zoopt_mo as zo
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "queries.sqlite"
        >>> calls = []
        >>> def loss(x):
        ...     calls.append(1)
        ...     return float(x @ x)
        >>> for _ in range(2):  # the second time everything is known
        ...     with zo.Ledger(path, run="first") as ledger:
        ...         policy = zo.QueryPolicy(ledger=ledger)
        ...         result = zo.minimize(loss, [1.0, 2.0], budget=60, queries=policy)
        >>> len(calls) == int(result.nfev[0])
        True
    """

    def __init__(self, path: str | PathLike[str], *, run: str, about: Mapping[str, Any] | None = None) -> None:
        self.path, self.run = Path(path), run
        if not isinstance(run, str) or not run:
            raise ValueError(f"`run` must be a name, got {run!r}.")
        text = _as_text(about or {})
        self._thread_lock = threading.Lock()
        with contextlib.ExitStack() as opened:
            self._connection = opened.enter_context(contextlib.closing(open_for_writing(self.path)))
            self._process_lock = opened.enter_context(contextlib.closing(_lock(self.path, run)))
            self._id = self._register(text)
            self._opened = opened.pop_all()

    def recall(self, place: Place, key: str) -> Entry | None:
        """What the run already knows of a query, or None.

        Args:
            place: Which query of the run.
            key: Digest of what would be asked.

        Raises:
            ValueError: If something else was asked at this place: the run was made with other settings.
        """
        for row in self._rows(f"SELECT {_COLUMNS}, void FROM queries WHERE {_AT_PLACE} ORDER BY id DESC", *place):
            entry = _as_entry(row)
            if entry.key == key and not (entry.void and entry.error is not None):
                return entry
            if not entry.void:
                raise ValueError(
                    f"`run` {self.run!r} of {self.path} must be gone on with as it was begun, but {place.objective!r} "
                    f"asks something else at step {place.step}, probe {place.probe}. Use the same settings or another "
                    "`run`."
                )
        return None

    def lookup(self, key: str) -> Entry | None:
        """An answer to the same question at any place of any run, or None.

        Args:
            key: Digest of what would be asked.
        """
        query = f"SELECT {_COLUMNS}, void FROM queries WHERE key = ? AND error IS NULL ORDER BY id LIMIT 1"
        with self._thread_lock:
            row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else _as_entry(row)

    def record(self, entry: Entry) -> None:
        """Keep an answer or a failure.

        Args:
            entry: What came of the query.

        Raises:
            RuntimeError: If it cannot be written, for example because the disk is full.
        """
        values = (self._id, *_as_row(entry), time.time())
        marks = ", ".join("?" * len(values))
        self._write(f"INSERT INTO queries (run, {_COLUMNS}, time) VALUES ({marks})", *values)

    def void(self, objective: str, step: int) -> None:
        """Give up a round and those that followed: failed queries will be asked again, answers count if they fit.

        Their rows stay, and in the bill too.

        Args:
            objective: Name of the objective.
            step: The round.

        Raises:
            RuntimeError: If it cannot be written.
        """
        self._write(
            "UPDATE queries SET void = ?2 "
            "WHERE run = ?3 AND objective = ?1 AND step >= ?2 AND coalesce(void, step) >= ?2",
            objective,
            step,
            self._id,
        )

    def given_up(self, objective: str, step: int) -> tuple[int, float]:
        """Number and cost of the paid queries that are void since this round or an earlier one.

        Args:
            objective: Name of the objective.
            step: The round.
        """
        query = (
            "SELECT count(*), total(cost) FROM queries WHERE run = ? AND objective = ? AND void <= ? AND attempts > 0"
        )
        ((number, cost),) = self._rows(query, objective, step)
        return int(number), float(cost)

    def close(self) -> None:
        """Close the file and let another process write the run."""
        self._opened.close()

    def __enter__(self) -> Ledger:
        """The ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query about the run finds."""
        with self._thread_lock:
            return self._connection.execute(query, (self._id, *values)).fetchall()

    def _write(self, statement: str, *values: object) -> None:
        try:
            with self._thread_lock:
                self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise RuntimeError(f"The ledger {self.path} cannot be written: {error}. The run stops here.") from error

    def _register(self, about: str) -> int:
        self._write(
            "INSERT INTO runs (name, about, created) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
            self.run,
            about,
            time.time(),
        )
        number, known = self._connection.execute("SELECT id, about FROM runs WHERE name = ?", (self.run,)).fetchone()
        if known != about:
            raise ValueError(
                f"`about` must be as when run {self.run!r} of {self.path} was begun; {_difference(known, about)}."
            )
        return int(number)


_COLUMNS = (
    "objective, step, probe, item, key, seed, radius, value, reply, error, attempts, latency, tokens_in, tokens_out, "
    "cost"
)
_AT_PLACE = "run = ? AND objective = ? AND step = ? AND probe = ? AND item = ?"


def _as_row(entry: Entry) -> tuple[Any, ...]:
    usage = entry.usage
    seed = None if entry.seed is None else str(entry.seed)  # 64 bits and no sign
    reply = None if entry.error is not None else json.dumps(entry.reply)
    bill = (usage.attempts, entry.latency, usage.tokens_in, usage.tokens_out, usage.cost)
    return (*entry.place, entry.key, seed, entry.radius, entry.value, reply, entry.error, *bill)


def _as_entry(row: Sequence[Any]) -> Entry:
    place, (key, seed, radius, value, reply, error), bill = Place(*row[:4]), row[4:10], row[10:]
    attempts, latency, tokens_in, tokens_out, cost, void = bill
    return Entry(
        place=place,
        key=key,
        reply=None if reply is None else json.loads(reply),
        value=value,
        error=error,
        usage=Usage(attempts, tokens_in, tokens_out, cost),
        latency=latency,
        seed=None if seed is None else int(seed),
        radius=radius,
        void=void is not None,
    )


def _lock(path: Path, run: str) -> sqlite3.Connection:
    """A lock that ends with the process: an open transaction on a file beside the ledger, one a run."""
    name = hashlib.sha256(run.encode()).hexdigest()[:16]  # a run's name may be no name for a file
    lock = sqlite3.connect(
        path.with_name(f"{path.name}.{name}.lock"), isolation_level=None, timeout=0.0, check_same_thread=False
    )
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if "locked" in str(error):
            raise RuntimeError(
                f"Run {run!r} of {path} is being written already, perhaps by another process."
            ) from error
        raise ValueError(f"`path` must lie in a folder that can be written, but {path}: {error}.") from error
    return lock


def _as_text(about: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(about), sort_keys=True)
    except TypeError as error:
        raise TypeError(f"`about` must hold what JSON can hold: {error}.") from error


def _difference(known: str, about: str) -> str:
    """Which setting differs, in words."""
    before, now = json.loads(known), json.loads(about)
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            return f"{name!r} was {before.get(name)!r} and is {now.get(name)!r}"
    return "settings differ"
