"""Where a sweep of several minimizations keeps what was paid for."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoopt_mo.ledger import Ledger
from zoopt_mo.objectives import QueryPolicy

_ABOUT = "sweep.json"


@dataclass(frozen=True)
class Keeping:
    """Where answers and points are kept; it travels to a worker, which an open ledger cannot.

    Args:
        ledger: The ledger's file and the name of its run; None for none.
        policy: The rest of the policy of queries; None for the usual one.
        folder: Where checkpoints lie; None for none.
    """

    ledger: tuple[Path, str] | None
    policy: Mapping[str, Any] | None
    folder: Path | None

    @classmethod
    def of(
        cls, queries: QueryPolicy | None, checkpoint: str | os.PathLike[str] | None, about: Mapping[str, Any]
    ) -> Keeping:
        """As the arguments of a sweep say.

        Args:
            queries: How black boxes ask.
            checkpoint: Folder of the points.
            about: What the points depend on; a later sweep in the folder must give the same.

        Raises:
            ValueError: If the folder is a file, or holds another sweep.
        """
        folder = None if checkpoint is None else Path(checkpoint)
        if folder is not None:
            _check_folder(folder, json.dumps(about))
        if queries is None:
            return cls(None, None, folder)
        ledger = None if queries.ledger is None else (queries.ledger.path, queries.ledger.run)
        return cls(ledger, {name: value for name, value in vars(queries).items() if name != "ledger"}, folder)

    @contextlib.contextmanager
    def options(self, number: int, weights: list[float]) -> Iterator[dict[str, Any]]:
        """What :func:`zoopt_mo.minimize` is told of it for one point.

        Args:
            number: Number of the point.
            weights: Its weights, for the record.
        """
        found: dict[str, Any] = {}
        if self.folder is not None:
            found["checkpoint"] = self.folder / f"point-{number}.ckpt"
        with contextlib.ExitStack() as opened:
            if self.policy is not None:
                found["queries"] = QueryPolicy(ledger=self._open(number, weights, opened), **self.policy)
            yield found

    def _open(self, number: int, weights: list[float], opened: contextlib.ExitStack) -> Ledger | None:
        if self.ledger is None:
            return None
        path, run = self.ledger
        return opened.enter_context(Ledger(path, run=f"{run}, point {number}", about={"weights": weights}))


def _check_folder(folder: Path, about: str) -> None:
    """The folder is there and is of this sweep."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`checkpoint` must be a folder, one file a point, got the file {folder}.")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _ABOUT
    if not file.is_file():
        part = file.with_suffix(".part")
        part.write_text(about, encoding="utf-8")
        part.replace(file)
    elif file.read_text(encoding="utf-8") != about:
        raise ValueError(
            f"`checkpoint` must be a folder of the same sweep: {file} names other weights, another number of chains or "
            "another seed. Take another folder, or remove it."
        )
