"""What a step costs beside its queries: time in passes over theta, and memory; ours and others'.

    python -m benchmarks.overhead [--quick] [--sizes P ...] [--threads T ...] [--huge] [--results FOLDER]

A pass is ``theta.add_(other)``, timed right before and after each step. A step is ``backward`` with a black box whose
loss costs nothing, and plain SGD. Every measurement has a process of its own; figures are medians. The last line
printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.overhead import figure, jobs, machine
from benchmarks.overhead.jobs import Found, Job
from benchmarks.overhead.rows import Row, rows_of, summary, write_csv
from benchmarks.overhead.tables import report

RESULTS = Path(__file__).parents[1] / "results"


def main(arguments: Sequence[str] | None = None, *, run: Callable[[Job], Found] = jobs.run_apart) -> None:
    """Measure, print the tables and the JSON line, and keep both.

    Args:
        arguments: Of the command line.
        run: What runs a job.
    """
    options = _parser().parse_args(arguments)
    seconds = 0.2 if options.quick else 1.5
    rows: list[Row] = []
    busy = machine.load()
    for job in jobs.plan(options.sizes or _sizes(options), options.threads, seconds=seconds, huge=options.huge):
        started = time.perf_counter()
        rows += rows_of(job, run(job))
        names = ", ".join(dict.fromkeys(name for name, _ in job.methods))
        took = time.perf_counter() - started
        print(
            f"{job.section}, p = {job.p}, {job.threads} threads, {job.dtype}: {names} ({took:.0f} s)", file=sys.stderr
        )
    import_seconds = jobs.import_seconds(2 if options.quick else 5)
    commit = machine.commit()
    text = report(
        rows,
        command=_command(options),
        commit=commit,
        machine=f"{machine.words()}, {busy}",
        import_seconds=import_seconds,
    )
    stem = options.results / ("overhead_quick" if options.quick else "overhead")
    options.results.mkdir(parents=True, exist_ok=True)
    write_csv(rows, commit, stem.with_suffix(".csv"))
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    figure.draw(rows, stem.with_suffix(".png"))
    print(text)
    print(json.dumps(summary(rows, import_seconds)))


def _sizes(options: argparse.Namespace) -> list[int]:
    return [10**4, 10**5] if options.quick else [10**4, 10**6, 10**7]


def _command(options: argparse.Namespace) -> str:
    """The command with what differs from its defaults."""
    words = ["python -m benchmarks.overhead"]
    words += ["--quick"] if options.quick else []
    words += ["--sizes", *map(str, options.sizes)] if options.sizes else []
    words += ["--threads", *map(str, options.threads)] if options.threads != _threads() else []
    words += ["--huge"] if options.huge else []
    return " ".join(words)


def _threads() -> list[int]:
    return sorted({1, os.cpu_count() or 1})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds: whether it runs at all")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of parameters p; by default 10^4, 10^6 and 10^7")
    parser.add_argument("--threads", type=int, nargs="+", default=_threads(), help="threads; by default one and all")
    parser.add_argument("--huge", action="store_true", help="also a few steps at p = 10^8")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    return parser


if __name__ == "__main__":
    main()
