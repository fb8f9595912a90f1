"""Two ways on the same seeds: the geometric mean of their ratio, with its interval."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from scipy import stats

TUNING_SEEDS = range(1000, 1004)


@dataclass(frozen=True)
class Row:
    """One comparison; a ratio below 1 is in favour of the strategy."""

    strategy: str
    variant: str
    problem: str
    measure: str
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Better or worse where the interval says so."""
        if self.low > 1:
            return "worse"
        return "better" if self.high < 1 else "no difference shown"


def row_of(names: tuple[str, str, str, str], ours: Sequence[float], theirs: Sequence[float]) -> Row:
    """The geometric mean of ours over theirs, seed by seed, with the 95 % interval of Student's t over seeds."""
    logs = np.log(np.asarray(ours)) - np.log(np.asarray(theirs))
    half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    ratio, low, high = np.exp(logs.mean() + np.array([0.0, -half, half]))
    return Row(*names, round(float(ratio), 3), round(float(low), 3), round(float(high), 3))


def tuned(run: Callable[[float, int], float], grid: Sequence[float], seeds: Sequence[int]) -> list[float]:
    """What a run (step size, seed) gives on these seeds, at the step size that is best on other ones."""
    means = [np.mean([np.log(run(lr, seed)) for seed in TUNING_SEEDS]) for lr in grid]
    best = grid[int(np.nanargmin(np.where(np.isfinite(means), means, np.inf)))]
    return [run(best, seed) for seed in seeds]


def report(rows: Sequence[Row]) -> str:
    """The table."""
    head = f"{'strategy':10} {'variant':32} {'problem':34} {'measure':30} {'ratio':>7} {'95 % interval':>16}  verdict"
    lines = [
        f"{r.strategy:10} {r.variant:32} {r.problem:34} {r.measure:30} {r.ratio:7.2f}"
        f" {f'{r.low:.2f} to {r.high:.2f}':>16}  {r.verdict}"
        for r in rows
    ]
    return "\n".join([head, "-" * len(head), *lines])


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """The rows as a table of comma-separated values."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*(field.name for field in fields(Row)), "verdict"])
        writer.writeheader()
        writer.writerows({**asdict(row), "verdict": row.verdict} for row in rows)
