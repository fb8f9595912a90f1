"""What is measured, and how each measurement gets a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.overhead.memory import machine_bytes

Found = list[dict[str, Any]] | str
ROOT = Path(__file__).parents[2]

OURS = ("spsa", "critical_history", "recommended", "recommended_block")
PEERS = ("torchzero_spsa", "torchzero_mezo", "nevergrad_spsa", "pycma_separable", "qiskit_spsa")
OTHER_DTYPES = ("float64", "float16", "bfloat16")
CAPACITIES = (1, 3, 10, 30)
PAIRS = (1, 2, 4, 8, 16)
SMALL = ("spsa", "critical_history", *PEERS)


@dataclass(frozen=True)
class Job:
    """One measurement.

    Args:
        section: Part of the report that it belongs to.
        kind: What the worker does.
        p: Number of parameters.
        threads: Threads of torch and of the numeric libraries.
        dtype: Type of the parameters.
        methods: Names, each with its ``m`` or ``q`` where that varies.
        seconds: Time to spend on rounds.
        weigh: Whether to take the peak of memory too.
        timeout: Seconds after which it is given up.
    """

    section: str
    kind: str = "timed"
    p: int = 10
    threads: int = 1
    dtype: str = "float32"
    methods: Sequence[tuple[str, int | None]] = ()
    seconds: float = 2.0
    weigh: bool = False
    timeout: float = 300.0


def plan(sizes: Sequence[int], threads: Sequence[int], *, seconds: float, huge: bool) -> Iterator[Job]:
    """All measurements, those of one table one after the other.

    Args:
        sizes: Numbers of parameters ``p``.
        threads: Numbers of threads.
        seconds: Time for the rounds of one measurement.
        huge: Whether to take a few steps at 10^8 parameters too.
    """
    for p in sizes:
        for number in threads:
            yield Job("passes", p=p, threads=number, methods=_names(*OURS, "mezo_loop"), seconds=seconds)
            yield Job("passes", p=p, threads=number, methods=_names("spsa_new_grad"), seconds=seconds / 2)
        for peer in PEERS:
            yield Job(
                "passes", p=p, threads=min(threads), methods=_names(peer), seconds=seconds / 2, weigh=True, timeout=25
            )
    yield from _at_large(sizes, min(threads), seconds)
    yield Job("small", "small", methods=_names(*SMALL), seconds=seconds)
    if huge:
        for name in OURS:
            yield Job("huge", p=10**8, threads=max(threads), methods=_names(name), seconds=1.0, weigh=True, timeout=600)


def _at_large(sizes: Sequence[int], threads: int, seconds: float) -> Iterator[Job]:
    """Other types, memory, curves and parts, where theta is large."""
    largest = max(sizes)
    for p in [p for p in sizes if p >= 1_000_000] or [largest]:
        for dtype in OTHER_DTYPES:
            yield Job("dtypes", p=p, threads=threads, dtype=dtype, methods=_names(*OURS), seconds=seconds / 2)
    for name in (*OURS, "mezo_loop"):
        yield Job("memory", p=largest, threads=threads, methods=_names(name), seconds=0.5, weigh=True)
    yield Job(
        "history", p=largest, threads=threads, methods=[("critical_history", m) for m in CAPACITIES], seconds=seconds
    )
    yield Job("probes", p=largest, threads=threads, methods=[("spsa", q) for q in PAIRS], seconds=seconds)
    yield Job("parts", "parts", p=largest, threads=threads)


def run_apart(job: Job) -> Found:
    """Run a job in a fresh process; the rows found, or in words why there are none."""
    size = 4 * machine_bytes() // 5
    command = [sys.executable, "-m", "benchmarks.overhead.worker", json.dumps(dataclasses.asdict(job)), str(size)]
    threads = {name: str(job.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | threads,
            timeout=job.timeout,
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {job.timeout:.0f} s"
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def import_seconds(repeats: int) -> float:
    """Median processor time that ``import zoopt_mo`` takes in a fresh process that has imported torch."""
    code = "import time, torch; t = time.process_time(); import zoopt_mo; print(time.process_time() - t)"
    return statistics.median(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for _ in range(repeats)
    )


def _names(*names: str) -> list[tuple[str, int | None]]:
    return [(name, None) for name in names]
