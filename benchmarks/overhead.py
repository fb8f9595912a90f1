"""What a step costs beside the queries: time as a multiple of one plain pass over theta, and the history's memory.

    python -m benchmarks.overhead [--size P] [--capacity M] [--threads T] [--results FILE]

A pass is ``theta.add_(other)`` on ``float32``, timed in the same run. A step is ``backward`` with a black box whose
loss costs nothing, and the update of theta. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch

import zoopt_mo as zo

RESULTS = Path(__file__).parent / "results" / "overhead.csv"


def main() -> None:
    """Measure, print the table and the JSON line, and keep the table."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    theta = torch.zeros(options.size, requires_grad=True)
    one_pass = _median_seconds(_add_pass(theta), repeats=15)
    spsa = zo.SPSA(radius=1e-3)
    history = zo.CriticalHistory(zo.SPSA(radius=1e-3), capacity=options.capacity)
    spsa_step = _median_seconds(_step(theta, spsa), repeats=5)
    history_step = _median_seconds(_step(theta, history), repeats=5, warmup=options.capacity + 1)
    row = {
        "p": options.size,
        "threads": options.threads,
        "capacity": options.capacity,
        "pass_ms": round(1e3 * one_pass, 3),
        "spsa_passes": round(spsa_step / one_pass, 1),
        "critical_history_passes": round(history_step / one_pass, 1),
        "history_bytes": history.num_bytes,
        "dense_history_bytes": 4 * options.size * options.capacity,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "commit": _commit(),
        "machine": platform.machine(),
    }
    for name, value in row.items():
        print(f"{name:24} {value}")
    _keep(options.results, row)
    print(json.dumps(row))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=10_000_000, help="number of parameters p")
    parser.add_argument("--capacity", type=int, default=10, help="gradients in the critical history")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv file to add the row to")
    return parser


def _add_pass(theta: torch.Tensor) -> Callable[[], None]:
    target, other = torch.zeros_like(theta), torch.ones_like(theta)

    def add() -> None:
        target.add_(other)

    return add


def _step(theta: torch.Tensor, estimator: zo.Estimator) -> Callable[[], None]:
    """A whole step; the losses alternate, so that gradients differ."""
    losses = iter(range(1, 1_000_000))
    black = zo.BlackBox(lambda: float(next(losses) % 7), estimator=estimator)
    scalarize = zo.WeightedSum(weights=[1.0])
    optimizer = torch.optim.SGD([theta], lr=1e-6)

    def step() -> None:
        zo.backward([black], scalarize, theta)
        optimizer.step()
        optimizer.zero_grad()

    return step


def _median_seconds(run: Callable[[], None], *, repeats: int, warmup: int = 2) -> float:
    for _ in range(warmup):
        run()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _commit() -> str:
    """The commit measured, or "unknown" outside a checkout."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return git.stdout.strip() or "unknown"


def _keep(file: Path, row: dict[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
