"""Runs that are killed, lied to and hurried, with real processes on the loopback address.

    python -m benchmarks.durability [--quick] [--seed N] [--results FILE]

One: a run is killed at random moments and gone on with; its end is that of the run that nobody killed, to the bit.
Two: three of ten requests fail in eight ways; the ledger's bill is the service's own. Three: queries of 200 ms at
concurrency 32 take little more than they must. Four: the run ends alike wherever its queries are asked, and the ledger
takes little of the time. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.durability.executors import EXECUTORS, ledger_milliseconds, run_everywhere
from benchmarks.durability.faults import run_with_faults
from benchmarks.durability.kills import kill_runs
from benchmarks.durability.throughput import measure_throughput

RESULTS = Path(__file__).parents[1] / "results" / "durability.txt"
HELD_TO = ("threads", "asyncio")  # the openai package takes ten milliseconds of the processor a call, and is told apart


@dataclass(frozen=True)
class Sizes:
    """How much is done of each."""

    kills: int = 50
    kill_steps: int = 40
    fault_steps: int = 15
    queries: int = 1000
    executors: tuple[str, ...] = tuple(EXECUTORS)
    ledger_queries: int = 4000
    ledger_repeats: int = 5


QUICK = Sizes(10, 20, 4, 256, ("serial", "threads", "processes", "dask"), 1600, 3)


def main() -> None:
    """Do all four, print what came of them, and keep it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less of everything, without Ray")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments and the failures")
    parser.add_argument("--results", type=Path, help="file to write to; benchmarks/results/durability.txt if not quick")
    options = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        print(line, flush=True)

    say(f"python {platform.python_version()}, {os.cpu_count()} cores, seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder:
        verdict = measure(Path(folder), QUICK if options.quick else Sizes(), options.seed, say)
    say(f"took {time.monotonic() - started:.0f} s")
    say(json.dumps(verdict))
    results = options.results or (None if options.quick else RESULTS)
    if results is not None:
        results.write_text("\n".join(told) + "\n", encoding="utf-8")


def measure(folder: Path, sizes: Sizes, seed: int, say: Callable[[str], None]) -> Mapping[str, object]:
    """All four parts, told as they end; the verdict in numbers."""
    killed = kill_runs(folder / "kills", kills=sizes.kills, steps=sizes.kill_steps, seed=seed)
    bills = run_with_faults(folder / "faults", steps=sizes.fault_steps, seed=seed)
    for line in [*killed.lines(), *bills.lines()]:
        say(line)
    ratios = measure_throughput(folder / "throughput", queries=sizes.queries, seed=seed)
    told = ", ".join(f"{way} {ratio:.3f}" for way, ratio in ratios.items())
    say(f"time over the least possible, {sizes.queries} queries of 200 ms at concurrency 32: {told}")
    ends = run_everywhere(folder / "executors", list(sizes.executors), steps=10)
    alike = len(set(ends.values())) == 1
    say(f"the same run on {', '.join(ends)} ended bit-identical: {alike}")
    taken = ledger_milliseconds(folder / "ledgers", queries=sizes.ledger_queries, repeats=sizes.ledger_repeats)
    say(f"ledger: {taken:.3f} ms a query")
    return {
        "kills": killed.kills,
        "bit_identical": killed.bit_identical and alike,
        "lost": killed.lost,
        "asked_twice_max": max(killed.asked_again, default=0),
        "bill_equal": bills.are_equal,
        "throughput_ratio": round(max(ratios[way] for way in HELD_TO), 3),
        "ledger_ms": round(taken, 3),
    }


if __name__ == "__main__":
    main()
