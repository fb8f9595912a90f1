"""Benchmarks of several parts, of which a command may ask for some."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.ablations.command import Command
from benchmarks.ablations.jobs import Fields, Job, Row, kept_rows, run_jobs


def run_part(command: Command, part: str, jobs: Sequence[Job], make: Callable[[Job], Fields]) -> list[Row]:
    """The rows of a part; where it was not asked for, those that are kept, and only if all are.

    Args:
        command: What was asked for.
        part: Name of the part.
        jobs: Its jobs.
        make: Makes one; a function at the top level of a module.
    """
    file = command.file("_runs.jsonl")
    if part in command.chosen:
        return run_jobs(jobs, make, file, workers=command.workers)
    kept = kept_rows(jobs, file)
    return kept if len(kept) == len(jobs) else []
