"""One measurement in a process of its own: ``python -m benchmarks.overhead.worker JOB BYTES``, JOB being JSON.

A fresh process has no memory of other methods, can be limited in memory and time, and may die without harm.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.overhead import memory, parts, small
from benchmarks.overhead.jobs import Found, Job
from benchmarks.overhead.ours import OURS, fresh_theta
from benchmarks.overhead.peers import PEERS
from benchmarks.overhead.timing import Step, pass_timer, side_by_side

METHODS: dict[str, Callable[..., Step]] = OURS | PEERS


def timed(job: Job) -> list[dict[str, Any]]:
    """Steps of several methods at one theta, in turn."""
    theta = fresh_theta(job.p, getattr(torch, job.dtype))
    one_pass = pass_timer(theta)
    before = _ready_to_weigh(job, theta) if job.weigh else None
    steps = {(name, count): _build(name, count, theta) for name, count in job.methods}
    timings = side_by_side(one_pass, steps, seconds=job.seconds, in_a_row=max(1, min(20, 5_000_000 // job.p)))
    peak = memory.peak_bytes()
    return [
        {
            "method": name,
            "count": count,
            "queries": step.queries,
            "milliseconds": 1e3 * timings[name, count].seconds,
            "passes": timings[name, count].passes,
            "slot_bytes": step.slot_bytes() if step.slot_bytes else None,
            "peak_mb": None if before is None or peak is None else (peak - before) / 1e6,
            "theta_mb": theta.nbytes / 1e6,
        }
        for (name, count), step in steps.items()
    ]


def do(job: Job) -> Found:
    """The rows of a job, or in words why there are none."""
    kinds: dict[str, Callable[[Job], Found]] = {"timed": timed, "parts": parts.measure, "small": small.measure}
    try:
        return kinds[job.kind](job)
    except ImportError as error:
        return f"not installed: {error.name}"
    except MemoryError as error:
        return f"cannot allocate ({error})" if str(error) else "cannot allocate"
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # torch's own words
            raise
        return "cannot allocate"


def _build(name: str, count: int | None, theta: torch.Tensor) -> Step:
    return METHODS[name](theta) if count is None else METHODS[name](theta, count)


def _ready_to_weigh(job: Job, theta: torch.Tensor) -> int | None:
    """Import and load what a small step needs, make ``.grad``, and start the peak from there."""
    for name, count in job.methods:
        step = _build(name, count, fresh_theta(1000))
        for _ in range(max(1, step.warmup // step.per_call)):
            step.run()
    theta.grad = torch.ones_like(theta)
    return memory.start_peak()


def main() -> None:
    """Do the job and print what was found as one line of JSON."""
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job["threads"])
    memory.limit(int(sys.argv[2]))
    print(json.dumps(do(Job(**job))))


if __name__ == "__main__":
    main()
