"""The steps that tuning chose, and tables of both protocols in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.ablations import Row, spread, table
from benchmarks.trajectories.plane import HISTORY, LANDSCAPES, SPSA
from benchmarks.trajectories.world import USUAL, WORLD

Factors = Mapping[tuple[str, str], float]
"""By landscape and method, the step in units of the shared one."""

PROTOCOLS = ("Same step for all", "Step tuned for each method")
MEASURES = {
    "arrived": ("queries to a fifth", 0),
    "late_distance": ("distance, second half", 3),
    "path_ratio": ("path over line", 2),
    "uphill": ("uphill %", 1),
}
"""Fields of a row, with their heads and digits in tables."""
IN_THE_WORLD = {**MEASURES, "late_distance": ("scalarized loss, second half", 4)}
del IN_THE_WORLD["arrived"]


def chosen_factors(tuning: Sequence[Row]) -> dict[tuple[str, str], float]:
    """By landscape and method, the step with the least mean distance over the second half of all runs.

    The mean, for it bears no step with which one of the runs is lost.
    """
    costs: dict[tuple[str, str], dict[float, list[float]]] = {}
    for row in tuning:
        steps = costs.setdefault((row.job.setting, row.job.method), {})
        late = row.number("late_distance")
        steps.setdefault(float(row.job["factor"]), []).append(math.inf if math.isnan(late) else late)
    return {key: min(steps, key=lambda factor: float(np.mean(steps[factor]))) for key, steps in costs.items()}


def protocols(chosen: Factors) -> dict[str, Factors]:
    """The steps of both protocols, by their titles."""
    return dict(zip(PROTOCOLS, (dict.fromkeys(chosen, 1.0), chosen), strict=True))


def of_protocol(rows: Sequence[Row], setting: str, factors: Factors) -> dict[str, list[Row]]:
    """By method, the runs on a landscape under a protocol, in the order of the seeds."""
    mine = [row for row in rows if row.job.setting == setting]
    return {
        name: [row for row in mine if row.job.method == name and row.job["factor"] == factors[setting, name]]
        for name in dict.fromkeys(row.job.method for row in mine)
    }


def tables(rows: Sequence[Row], chosen: Factors) -> list[str]:
    """A table for each landscape and protocol."""
    parts = [
        (
            "Queries until a fifth of the first distance was left, `inf` where most seeds did not get there; mean "
            "distance to the target over the second half of the queries; length of the path over that of the straight "
            "line from its start to its end; steps that go uphill in the loss without noise, in percent. The last line "
            "is the difference seed by seed. Seed 0 is drawn."
        )
    ]
    for setting in dict.fromkeys(row.job.setting for row in rows):
        for title, factors in protocols(chosen).items():
            parts += [f"### {setting.capitalize()}. {title}", _table(rows, setting, factors)]
    if any(row.job.setting == WORLD for row in rows):
        parts.append(
            "In the privacy world a point is the mean of the losses over the latest pass through the clips that are "
            "asked about, and distance and loss are the scalarized loss of these means; queries are calls. Questions "
            "are drawn anew at each step, for both methods alike, so that part of the path is theirs. Medians over "
            "seeds are drawn."
        )
    return parts


def step_of(setting: str, method: str, factor: float) -> float:
    """The step itself.

    Args:
        setting: The landscape.
        method: The method.
        factor: Its step, in units of the shared one.
    """
    return factor * (USUAL.utility_lr if setting == WORLD else LANDSCAPES[setting].step(method))


def _table(rows: Sequence[Row], setting: str, factors: Factors) -> str:
    shown = IN_THE_WORLD if setting == WORLD else MEASURES
    runs = of_protocol(rows, setting, factors)
    found = {name: {field: _values(mine, field) for field in shown} for name, mine in runs.items()}
    lines = [
        [name, f"{step_of(setting, name, factors[setting, name]):.3g}", *_cells(found[name], shown)] for name in runs
    ]
    less = {field: [a - b for a, b in zip(found[HISTORY][field], found[SPSA][field], strict=True)] for field in shown}
    heads = ["method", "step", *(head for head, _ in shown.values())]
    return table(heads, [*lines, [f"{HISTORY} less {SPSA}", "", *_cells(less, shown)]])


def _values(rows: Sequence[Row], field: str) -> list[float]:
    """A value a seed; infinite queries where a run did not arrive."""
    values = [row.number(field) for row in rows]
    return [math.inf if math.isnan(value) else value for value in values] if field == "arrived" else values


def _cells(values: Mapping[str, Sequence[float]], shown: Mapping[str, tuple[str, int]]) -> list[str]:
    found = {field: spread(values[field]) for field in shown}
    return [
        "inf" if found[field].median == math.inf else found[field].text(digits) for field, (_, digits) in shown.items()
    ]
