"""Tuning and runs, spread over processes."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.query_efficiency import mixed
from benchmarks.query_efficiency.methods import ABLATIONS, METHODS, Method, run_minibatch, run_untuned, step_of
from benchmarks.query_efficiency.suite import Oracle, Task, scale

TUNING_SEEDS = (1000, 1001)
WHITE = (0.25, 1.0)  # multiples of the white box's step that tuning tries, beside a black box
RADII = (0.5, 2.0)  # multiples of the calibrated radius that tuning tries, with noise


@dataclass(frozen=True)
class Cell:
    """One method on one task: what was tuned, and the queries to each goal for each seed.

    Args:
        method: Name of the method.
        task: The task.
        protocol: "tuned", "same step", "untuned" or "mixed".
        lr: Step size, in the method's unit; for mixed ones in one over the curvature.
        radius: Radius of probes, 0 if the run finds it; for mixed ones the factor of the white box's step.
        queries: Queries to each goal ``[seeds][goals]``; None where it was not reached within the budget.
        seconds: Time that tuning and runs took.
    """

    method: str
    task: Task
    protocol: str
    lr: float
    radius: float
    queries: tuple[tuple[int | None, ...], ...]
    seconds: float


@dataclass(frozen=True)
class Job:
    """A cell to be made: with ``multiple`` the step is that multiple of one over the curvature, untuned."""

    method: str
    task: Task
    protocol: str
    num_seeds: int
    multiple: float = 1.0
    reuse: tuple[float, float] | None = None  # step and radius tuned elsewhere


def make(job: Job) -> Cell:
    """Tune if the protocol says so, then run all seeds."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    if job.protocol == "mixed":
        lr, radius, queries = _make_mixed(job)
    elif job.protocol == "untuned":
        lr, radius = 1.0, 0.0
        queries = [_queries(job.task, seed, None, lr, radius) for seed in range(job.num_seeds)]
    else:
        method = (METHODS | ABLATIONS)[job.method]
        lr, radius = job.reuse or _settings(method, job)
        queries = [_queries(job.task, seed, method, lr, radius) for seed in range(job.num_seeds)]
    return Cell(job.method, job.task, job.protocol, lr, radius, tuple(queries), round(time.perf_counter() - started, 1))


def _make_mixed(job: Job) -> tuple[float, float, list[tuple[int | None, ...]]]:
    """Step of the black box and of the white box, tuned together, and the queries of all seeds."""
    name = job.task.problem

    def cost(multiple: float, white: float) -> float:
        found = [mixed.queries(name, job.method, seed, multiple, white) for seed in TUNING_SEEDS]
        return float(np.mean([np.log(count or 2 * mixed.BUDGET) for count in found]))

    _, multiple, white = min((cost(a, b), a, b) for a in mixed.MULTIPLES for b in WHITE)
    rows = [mixed.queries(name, job.method, seed, multiple, white) for seed in range(job.num_seeds)]
    return multiple, white, [(count,) for count in rows]


def _settings(method: Method, job: Job) -> tuple[float, float]:
    """Step and radius: the best of the grid on the tuning seeds, the same number of runs for every method."""
    curvature, calibrated = scale(job.task)
    noisy = job.task.noise in ("additive", "outliers")
    radius = calibrated if noisy else method.radius
    if job.protocol == "same step":
        return step_of(method, job.multiple, curvature), radius
    steps = [step_of(method, multiple, curvature) for multiple in method.steps]
    best = min((_cost(job.task, method, lr, radius), lr, radius) for lr in steps)
    if noisy:
        best = min([best, *((_cost(job.task, method, best[1], k * radius), best[1], k * radius) for k in RADII)])
    return best[1], best[2]


def _cost(task: Task, method: Method, lr: float, radius: float) -> float:
    """Mean logarithm of the queries to the goals; what was not reached counts twice the budget."""
    queries = [_queries(task, seed, method, lr, radius) for seed in TUNING_SEEDS]
    return float(np.mean([np.log(count or 2 * task.budget) for row in queries for count in row]))


def _queries(task: Task, seed: int, method: Method | None, lr: float, radius: float) -> tuple[int | None, ...]:
    oracle = Oracle(task, seed)
    if method is None:
        (run_minibatch if task.noise == "minibatch" else run_untuned)(oracle)
    else:
        method.run(oracle, lr, radius)
    return tuple(oracle.reached.get(goal) for goal in task.goals)


def make_all(jobs: Sequence[Job], workers: int, file: Path) -> list[Cell]:
    """All cells, in the order of the jobs. Each is added to the file as it is done, and found there again next time."""
    cells = {job: cell for job, cell in _read(file).items() if job in set(jobs)}
    missing = [job for job in jobs if job not in cells]
    # Started anew: a fork would inherit torch's threads.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(make, job): job for job in missing}
        for future in as_completed(futures):
            cell = cells[futures[future]] = future.result()
            _append(file, futures[future], cell)
            medians = [median(cell, index) for index in range(len(cell.queries[0]))]
            print(
                f"[{len(cells)}/{len(jobs)}] {cell.task.problem}, noise {cell.task.noise}, {cell.protocol}: "
                f"{cell.method} {medians} in {cell.seconds} s",
                flush=True,
            )
    return [cells[job] for job in jobs]


def _append(file: Path, job: Job, cell: Cell) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"job": dataclasses.asdict(job), "cell": dataclasses.asdict(cell)}) + "\n")


def _read(file: Path) -> dict[Job, Cell]:
    if not file.exists():
        return {}
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {_job(row["job"]): _cell(row["cell"]) for row in rows}


def _job(fields: dict[str, Any]) -> Job:
    reuse = fields["reuse"]
    return Job(**{**fields, "task": Task(**fields["task"]), "reuse": None if reuse is None else tuple(reuse)})


def _cell(fields: dict[str, Any]) -> Cell:
    queries = tuple(tuple(row) for row in fields["queries"])
    return Cell(**{**fields, "task": Task(**fields["task"]), "queries": queries})


def median(cell: Cell, goal: int) -> float:
    """Median queries to a goal; infinite where half of the seeds did not reach it."""
    return float(np.median([row[goal] or np.inf for row in cell.queries]))
