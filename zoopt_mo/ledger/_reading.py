"""Reading a ledger: bills and exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from zoopt_mo.ledger._schema import open_for_reading

Grouping = Literal["run", "objective", "step", "hour"]

_GROUPS = {
    "run": "runs.name",
    "objective": "objective",
    "step": "objective || ' ' || step",
    "hour": "strftime('%Y-%m-%d %H:00', queries.time, 'unixepoch', 'localtime')",
}


@dataclass(frozen=True)
class BillLine:
    """What a group of queries took.

    Args:
        group: Its name.
        queries: Queries, answers taken from the ledger included.
        reused: Of these, answers taken from the ledger instead of the service.
        failed: Of these, queries that failed.
        attempts: Times that the service was asked, retries included.
        tokens_in: Tokens sent.
        tokens_out: Tokens received.
        cost: Price, in the user's currency.
        seconds: Sum of the times until the answers.
    """

    group: str
    queries: int
    reused: int
    failed: int
    attempts: int
    tokens_in: int
    tokens_out: int
    cost: float
    seconds: float


class LedgerReader:
    """Reads a ledger, also while a run is being written; changes nothing.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no ledger of this version.

    Example:
        >>> import tempfile, pathlib
        >>> import zoopt_mo as zo
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "queries.sqlite"
        >>> with zo.Ledger(path, run="first") as ledger:
        ...     policy = zo.QueryPolicy(ledger=ledger)
        ...     asked = zo.ask(lambda payloads: [0.5 for _ in payloads], ["a", "b"], name="test", queries=policy)
        >>> with zo.LedgerReader(path) as reader:
        ...     [(line.group, line.queries) for line in reader.bill()]
        [('test', 2)]
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._connection = open_for_reading(self.path)

    @property
    def runs(self) -> list[str]:
        """Names of the runs, oldest first."""
        return [name for (name,) in self._connection.execute("SELECT name FROM runs ORDER BY id")]

    def bill(self, by: Grouping = "objective", *, run: str | None = None) -> list[BillLine]:
        """What the queries took, grouped.

        Args:
            by: "run", "objective", "step" (of each objective) or "hour" (local time).
            run: Name of a run; None for all.

        Raises:
            ValueError: If ``by`` or ``run`` is unknown.
        """
        if by not in _GROUPS:
            raise ValueError(f"`by` must be one of {', '.join(_GROUPS)}, got {by!r}.")
        self._check_run(run)
        query = (
            f"SELECT {_GROUPS[by]}, count(*), sum(attempts = 0 AND error IS NULL), sum(error IS NOT NULL), "
            "sum(attempts), sum(tokens_in), sum(tokens_out), sum(cost), sum(latency) "
            "FROM queries JOIN runs ON runs.id = queries.run WHERE ?1 IS NULL OR runs.name = ?1 "
            "GROUP BY 1 ORDER BY min(queries.id)"
        )
        return [BillLine(*row) for row in self._connection.execute(query, (run,))]

    def rows(self, *, run: str | None = None) -> Iterator[dict[str, Any]]:
        """Every query as a mapping from column to value, oldest first.

        Args:
            run: Name of a run; None for all.

        Raises:
            ValueError: If ``run`` is unknown.
        """
        self._check_run(run)
        return self._rows(run)

    def _rows(self, run: str | None) -> Iterator[dict[str, Any]]:
        cursor = self._connection.execute(
            "SELECT runs.name AS run_name, queries.* FROM queries JOIN runs ON runs.id = queries.run "
            "WHERE ?1 IS NULL OR runs.name = ?1 ORDER BY queries.id",
            (run,),
        )
        names = [column[0] for column in cursor.description]
        for row in cursor:
            content = dict(zip(names, row, strict=True))
            yield {"run": content.pop("run_name"), **{name: content[name] for name in names[1:] if name != "run"}}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> LedgerReader:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _check_run(self, run: str | None) -> None:
        if run is not None and run not in self.runs:
            raise ValueError(f"`run` must be one of {self.runs}, got {run!r}.")
