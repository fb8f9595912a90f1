"""The command ``zoopt-mo``: what a ledger says, on a terminal."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from zoopt_mo.ledger import BillLine, LedgerReader

_FORMATS = (".csv", ".jsonl")
_HEADER = ("queries", "reused", "failed", "attempts", "tokens in", "tokens out", "cost", "mean s")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments; None takes those of the process.

    Returns:
        Exit status: 0, or 2 where the ledger cannot be read or an argument is wrong.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, sqlite3.Error) as error:
        sys.stderr.write(f"zoopt-mo: error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zoopt-mo", description="Zeroth-order multi-objective optimization.")
    ledger = parser.add_subparsers(required=True, metavar="ledger").add_parser(
        "ledger", help="read the record of paid queries; a run that is being written is not disturbed"
    )
    verbs = ledger.add_subparsers(required=True, metavar="show|export")
    show = verbs.add_parser("show", help="a table of what the queries took")
    show.add_argument("--by", choices=("objective", "step", "hour", "run"), default="objective", help="a line for each")
    show.set_defaults(command=_show)
    export = verbs.add_parser("export", help="every query as a line of CSV or JSON")
    export.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="file that ends in .csv or .jsonl; CSV on the terminal"
    )
    export.set_defaults(command=_export)
    for verb in (show, export):
        verb.add_argument("path", type=Path, metavar="PATH", help="the ledger")
        verb.add_argument("--run", metavar="NAME", help="this run alone")
    return parser


def _show(arguments: argparse.Namespace) -> None:
    with LedgerReader(arguments.path) as reader:
        lines = reader.bill(arguments.by, run=arguments.run)
    rows = [_row(_printable(line.group), [line]) for line in lines]
    table = [(arguments.by, *_HEADER), *rows, _row("total", lines)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for name, *numbers in table:
        cells = [
            name.ljust(widths[0]),
            *(number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)),
        ]
        sys.stdout.write("  ".join(cells) + "\n")


def _row(name: str, lines: Sequence[BillLine]) -> tuple[str, ...]:
    """The sums of some lines as text."""
    counts = [
        sum(getattr(line, field) for line in lines)
        for field in ("queries", "reused", "failed", "attempts", "tokens_in", "tokens_out")
    ]
    asked = counts[0] - counts[1]
    mean = f"{sum(line.seconds for line in lines) / asked:.3f}" if asked else "-"
    return (name, *map(str, counts), f"{sum(line.cost for line in lines):.4f}", mean)


def _export(arguments: argparse.Namespace) -> None:
    output: Path | None = arguments.output
    if output is not None and output.suffix not in _FORMATS:
        raise ValueError(f"`--output` must end in .csv or .jsonl, got {str(output)!r}.")
    with LedgerReader(arguments.path) as reader:
        rows = reader.rows(run=arguments.run)
        if output is None:
            _write_csv(rows, sys.stdout)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                (_write_csv if output.suffix == ".csv" else _write_json)(rows, file)


def _write_csv(rows: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row)
        writer.writerow(row.values())


def _write_json(rows: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    for row in rows:
        reply = None if row["reply"] is None else json.loads(row["reply"])
        file.write(json.dumps({**row, "reply": reply}) + "\n")


def _printable(name: str) -> str:
    """A name without what would move the cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
