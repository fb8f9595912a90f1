"""The options that every ablation benchmark takes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Command:
    """What was asked for.

    Args:
        name: Name of the benchmark, and of its files.
        line: The command line, for the report.
        quick: Whether the short form is wanted.
        seeds: Number of seeds.
        workers: Number of processes.
        results: Folder of the files.
        chosen: The parts asked for, all by default.
        doc: What the benchmark is: a line, then more if it likes.
    """

    name: str
    line: str
    quick: bool
    seeds: int
    workers: int
    results: Path
    chosen: tuple[str, ...] = ()
    doc: str = ""

    def file(self, suffix: str) -> Path:
        """A file of this benchmark's results, ``NAME.csv`` or ``NAME_quick.csv`` for ``.csv``."""
        return self.results / f"{self.name}{'_quick' if self.quick else ''}{suffix}"


def read_command(
    name: str,
    doc: str | None,
    arguments: Sequence[str] | None,
    *,
    seeds: int,
    quick_seeds: int,
    parts: Sequence[str] = (),
) -> Command:
    """Read the command line and make the folder; ``--fresh`` deletes the rows that were kept.

    Args:
        name: Name of the benchmark.
        doc: Text of ``--help`` and of the page's beginning.
        arguments: What follows the command; None reads the process's own.
        seeds: Seeds of the full form.
        quick_seeds: Seeds of the quick form.
        parts: Names that ``--only`` may pick from; without any there is no such option.
    """
    parser = _parser(doc, parts)
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(words)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"`--seeds` must be at least 1, got {options.seeds}.")
    shown = [word for word in words if word != "--fresh"]
    command = Command(
        name=name,
        line=" ".join(["python", "-m", f"benchmarks.{name}", *shown]),
        quick=options.quick,
        seeds=options.seeds or (quick_seeds if options.quick else seeds),
        workers=options.workers,
        results=options.results,
        chosen=tuple(getattr(options, "only", None) or parts),
        doc=doc or "",
    )
    command.results.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        command.file("_runs.jsonl").unlink(missing_ok=True)
    return command


def _parser(doc: str | None, parts: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short form, for a look")
    parser.add_argument("--seeds", type=int, default=None, help="seeds of each run")
    parser.add_argument("--fresh", action="store_true", help="make every row anew, kept ones too")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the files")
    if parts:
        parser.add_argument("--only", choices=parts, action="append", help="this part only; may be repeated")
    return parser
