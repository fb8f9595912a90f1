"""From cells to ratios with intervals, tables and the one line of JSON."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.query_efficiency.methods import ABLATIONS, OURS, PEERS
from benchmarks.query_efficiency.mixed import MIXED_METHODS
from benchmarks.query_efficiency.runs import Cell

Array = npt.NDArray[Any]
Key = tuple[str, str]  # problem and noise
RESAMPLES = 1000


def counts(cell: Cell) -> Array:
    """Queries ``[seeds, goals]``, infinite where a goal was not reached."""
    return np.array([[np.inf if count is None else count for count in row] for row in cell.queries])


def pick(cells: Sequence[Cell], method: str, protocol: str) -> dict[Key, Cell]:
    """The cells of a method under a protocol, by problem and noise."""
    return {(c.task.problem, c.task.noise): c for c in cells if c.method == method and c.protocol == protocol}


def ratios(
    ours: dict[Key, Cell], theirs: dict[Key, Cell], chosen: Array | None = None
) -> dict[tuple[str, str, int], float]:
    """Our median queries over theirs, for each problem, noise and goal that one of the two reached.

    What was not reached counts the whole budget for them and twice the budget for us: against us both times.
    """
    found = {}
    for key in ours.keys() & theirs.keys():
        rows = [counts(cell) if chosen is None else counts(cell)[chosen] for cell in (ours[key], theirs[key])]
        mine, other = (np.median(row, axis=0) for row in rows)
        for goal, (a, b) in enumerate(zip(mine, other, strict=True)):
            if np.isfinite(a) or np.isfinite(b):
                budgets = 2 * ours[key].task.budget, theirs[key].task.budget
                found[(*key, goal)] = min(a, budgets[0]) / min(b, budgets[1])
    return dict(sorted(found.items()))


def geomean(values: Sequence[float]) -> float:
    """Geometric mean; not a number of nothing."""
    return float(np.exp(np.mean(np.log(values)))) if len(values) else float("nan")


def with_interval(ours: dict[Key, Cell], theirs: dict[Key, Cell]) -> tuple[float, float, float]:
    """Geometric mean of their queries over ours, and its 95 % interval over seeds (bootstrap)."""
    generator = np.random.default_rng(0)
    num_seeds = min(len(cell.queries) for cell in [*ours.values(), *theirs.values()])
    drawn = [
        1 / geomean(list(ratios(ours, theirs, generator.integers(num_seeds, size=num_seeds)).values()))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return 1 / geomean(list(ratios(ours, theirs).values())), float(low), float(high)


def worst_problem(ours: dict[Key, Cell], theirs: dict[Key, Cell]) -> float:
    """The largest ratio of our queries to theirs on one problem and noise, geometric mean over its goals."""
    by_problem: dict[Key, list[float]] = {}
    for (problem, noise, _), ratio in ratios(ours, theirs).items():
        by_problem.setdefault((problem, noise), []).append(ratio)
    return max(map(geomean, by_problem.values()))


def summary(cells: Sequence[Cell]) -> dict[str, object]:
    """The figures that the benchmark stands for."""
    ours = pick(cells, OURS, "tuned")
    main = {key: cell for key, cell in ours.items() if key[1] in ("none", "additive")}
    peers = {peer: them for peer in PEERS if (them := pick(cells, peer, "tuned"))}
    untuned = list(ratios(pick(cells, OURS, "untuned"), peers["SPSA"]).values())
    clean = {(problem, "outliers"): cell for (problem, noise), cell in ours.items() if noise == "additive"}
    dirty = {key: cell for key, cell in ours.items() if key[1] == "outliers"}
    mixed = {method: pick(cells, method, "mixed") for method in MIXED_METHODS}
    return {
        "geomean_fewer_than": {peer: _short(with_interval(main, them)[0]) for peer, them in peers.items()},
        "worst_ratio": _short(max(worst_problem(main, them) for them in peers.values())),
        "mixed_fewer_than": {
            method: _short(with_interval(mixed[OURS], them)[0])
            for method, them in mixed.items()
            if them and method != OURS
        },
        "untuned_over_tuned_spsa": {"geomean": _short(geomean(untuned)), "worst": _short(max(untuned))},
        "outliers_over_clean": _short(geomean(list(ratios(dirty, clean).values()))) if dirty else None,
    }


def report(cells: Sequence[Cell]) -> str:
    """All tables as text."""
    return "\n".join(
        [
            "Queries to each goal (share of the first gap), median over seeds; every method's step tuned.",
            *_table(cells, "tuned", (OURS, *PEERS), ("none", "additive", "outliers")),
            "",
            "Geometric mean of a peer's queries over ours, with the 95 % interval over seeds:",
            *_intervals(cells),
            "",
            "Without tuning: the recommended method as it comes, its calibration counted, beside tuned SPSA.",
            *_table(cells, "untuned", (OURS,), ("none", "additive", "minibatch"), beside=("SPSA",)),
            "",
            "A black box beside a white box: queries to 10 % of the gap, both steps tuned.",
            *_table(cells, "mixed", tuple(MIXED_METHODS), ("none",)),
            "",
            "The paper's methods and the ablations of its table 7, the same step for all, in one over the trace:",
            *_same_step(cells),
            "",
            "The same, each at its own tuned step:",
            *_table([c for c in cells if c.method in ABLATIONS], "tuned", tuple(ABLATIONS), ("none",), complete=True),
        ]
    )


def held_out_report(cells: Sequence[Cell]) -> str:
    """The tables of the problems that nobody chose on, as text."""
    methods = tuple(dict.fromkeys(cell.method for cell in cells))
    return "\n".join(
        [
            "Problems that no method was chosen on.",
            "Queries to each goal (share of the first gap), median over seeds; every method's step tuned.",
            *_table(cells, "tuned", methods, ("none", "additive")),
            "",
            "Geometric mean of a peer's queries over ours, with the 95 % interval over seeds:",
            *_intervals(cells),
            "",
            "Without tuning: the recommended method as it comes, its calibration counted, beside tuned SPSA.",
            *_table(cells, "untuned", (OURS,), ("none", "additive"), beside=("SPSA",)),
        ]
    )


def _table(
    cells: Sequence[Cell],
    protocol: str,
    methods: Sequence[str],
    noises: Sequence[str],
    *,
    beside: Sequence[str] = (),
    complete: bool = False,
) -> Iterator[str]:
    """A row for each problem, noise and goal; ``complete`` leaves out problems that lack a method."""
    columns = [(f"{name}", pick(cells, name, protocol)) for name in methods]
    columns += [(f"{name}, tuned", pick(cells, name, "tuned")) for name in beside]
    keys = sorted({key for _, column in columns[: len(methods)] for key in column if key[1] in noises})
    if complete:
        keys = [key for key in keys if all(key in column for _, column in columns)]
    yield f"{'problem, noise, goal':<42}" + "".join(f"{name:>29}" for name, _ in columns)
    for key in keys:
        some = next(column[key] for _, column in columns if key in column)
        for goal in range(len(some.queries[0])):
            label = f"{key[0]}, {key[1]}, {some.task.goals[goal]:g}"
            yield f"{label:<42}" + "".join(f"{_entry(column.get(key), goal):>29}" for _, column in columns)


def _entry(cell: Cell | None, goal: int) -> str:
    """Median and, in brackets, quartiles over seeds."""
    if cell is None:
        return "-"
    low, middle, high = np.quantile(counts(cell)[:, goal], [0.25, 0.5, 0.75], method="nearest")
    return f"{_number(middle)} ({_number(low)}-{_number(high)})"


def _number(count: float) -> str:
    return f"{count:.0f}" if np.isfinite(count) else "not"


def _intervals(cells: Sequence[Cell]) -> Iterator[str]:
    ours = pick(cells, OURS, "tuned")
    main = {key: cell for key, cell in ours.items() if key[1] in ("none", "additive")}
    for peer in PEERS:
        them = pick(cells, peer, "tuned")
        if them:
            ratio, low, high = with_interval(main, them)
            worst = worst_problem(main, them)
            clean, noisy = (_only(main, them, noise) for noise in ("none", "additive"))
            yield (
                f"  {peer:<24}{ratio:5.2f} ({low:.2f}-{high:.2f}); without noise {clean:.2f}, with additive noise "
                f"{noisy:.2f}; ours over theirs on the worst problem {worst:.2f}"
            )
    mixed = pick(cells, OURS, "mixed")
    for method in MIXED_METHODS:
        them = pick(cells, method, "mixed")
        if them and method != OURS:
            ratio, low, high = with_interval(mixed, them)
            yield f"  {method + ', mixed':<24}{ratio:5.2f} ({low:.2f}-{high:.2f})"


def _only(ours: dict[Key, Cell], theirs: dict[Key, Cell], noise: str) -> float:
    """Geometric mean of their queries over ours under one kind of noise."""
    found = [ratio for (_, kind, _), ratio in ratios(ours, theirs).items() if kind == noise]
    return 1 / geomean(found)


def _same_step(cells: Sequence[Cell]) -> Iterator[str]:
    """Cells of one protocol share problem and method, so they come in the order of the steps."""
    rows: dict[tuple[str, int], dict[str, Cell]] = {}
    for cell in (c for c in cells if c.protocol == "same step"):
        index = sum(1 for (problem, _), row in rows.items() if problem == cell.task.problem and cell.method in row)
        rows.setdefault((cell.task.problem, index), {})[cell.method] = cell
    yield f"{'problem, step, goal':<42}" + "".join(f"{name:>29}" for name in ABLATIONS)
    for (problem, index), row in rows.items():
        some = next(iter(row.values()))
        for goal in range(len(some.queries[0])):
            label = f"{problem}, {'0.1' if index == 0 else '0.3'}, {some.task.goals[goal]:g}"
            yield f"{label:<42}" + "".join(f"{_entry(row.get(name), goal):>29}" for name in ABLATIONS)


def write_csv(cells: Sequence[Cell], file: Path) -> None:
    """A row for each cell and goal."""
    with file.open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(
            [
                "problem",
                "noise",
                "protocol",
                "method",
                "goal",
                "median",
                "low",
                "high",
                "reached",
                "seeds",
                "step",
                "radius",
            ]
        )
        for cell in cells:
            for goal in range(len(cell.queries[0])):
                column = counts(cell)[:, goal]
                low, middle, high = np.quantile(column, [0.25, 0.5, 0.75], method="nearest")
                spread = [_number(value) if np.isfinite(value) else "" for value in (middle, low, high)]
                place = [cell.task.problem, cell.task.noise, cell.protocol, cell.method, cell.task.goals[goal]]
                reached = int(np.isfinite(column).sum())
                writer.writerow([*place, *spread, reached, len(column), f"{cell.lr:.4g}", f"{cell.radius:.4g}"])


def _short(value: float) -> float:
    return round(value, 3)
