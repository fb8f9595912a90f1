"""Jobs spread over processes; what is done is kept, a line a job."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from benchmarks.ablations.progress import progress

Fields = dict[str, float | int | str | None]
"""What a job found, by name."""


@dataclass(frozen=True)
class Job:
    """One run, and its key.

    Args:
        method: What is compared.
        setting: The problem, the protocol, or whatever all methods are compared under.
        seed: Seed of all that is random.
        parameters: What else the run hangs on, as pairs of name and value.
    """

    method: str
    setting: str
    seed: int
    parameters: tuple[tuple[str, float | str], ...] = ()

    def __getitem__(self, name: str) -> float | str:
        """One of the parameters."""
        return dict(self.parameters)[name]


@dataclass(frozen=True)
class Row:
    """A job that is done.

    Args:
        job: The job.
        found: What it found.
        seconds: How long it took.
    """

    job: Job
    found: Fields = field(default_factory=dict)
    seconds: float = 0.0

    def number(self, name: str) -> float:
        """What it found under a name; not a number where it found nothing."""
        value = self.found[name]
        return float("nan") if value is None else float(value)


def run_jobs(jobs: Sequence[Job], make: Callable[[Job], Fields], file: Path, *, workers: int = 1) -> list[Row]:
    """All rows, in the order of the jobs.

    Each is added to the file as it is done, and found there again next time. One worker works in this process.

    Args:
        jobs: The jobs, no two alike.
        make: Makes one; a function at the top level of a module.
        file: The kept rows, JSON lines.
        workers: Processes, with a thread each.

    Raises:
        ValueError: If two jobs are alike.
    """
    if len(set(jobs)) < len(jobs):
        raise ValueError("`jobs` must differ from each other, got two that are alike.")
    done = {row.job: row for row in kept_rows(jobs, file)}
    missing = [job for job in jobs if job not in done]
    _end_line(file)
    with progress(len(missing), f"{len(done)} of {len(jobs)} kept") as advance:
        for row in _made(missing, make, workers):
            done[row.job] = row
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(row)) + "\n")
            advance(f"{row.job.method}, {row.job.setting}, seed {row.job.seed}: {row.seconds} s")
    return [done[job] for job in jobs]


def _made(jobs: Sequence[Job], make: Callable[[Job], Fields], workers: int) -> Iterator[Row]:
    """Rows as they are done."""
    if workers == 1 or len(jobs) < 2:
        yield from (_row(job, make) for job in jobs)
        return
    # Started anew: a fork would inherit torch's threads.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(_row, job, make) for job in jobs]):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _row(job: Job, make: Callable[[Job], Fields]) -> Row:
    torch.set_num_threads(1)
    started = time.perf_counter()
    found = make(job)
    return Row(job, found, round(time.perf_counter() - started, 2))


def kept_rows(jobs: Sequence[Job], file: Path) -> list[Row]:
    """Those of the jobs that the file has, each once, in the order of the jobs; none without a file."""
    found = {row.job: row for row in _read(file)} if file.exists() else {}
    return [found[job] for job in jobs if job in found]


def _end_line(file: Path) -> None:
    """Make the file's folder, and see that what is added begins a line of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not file.read_text(encoding="utf-8").endswith("\n"):
        with file.open("a", encoding="utf-8") as lines:
            lines.write("\n")


def _read(file: Path) -> list[Row]:
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:  # the last line of a run that was killed while it wrote
            continue
        parameters = tuple((name, value) for name, value in fields["job"].pop("parameters"))
        rows.append(Row(Job(**fields["job"], parameters=parameters), fields["found"], fields["seconds"]))
    return rows
