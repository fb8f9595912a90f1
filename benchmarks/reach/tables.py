"""Tables of the reach in Markdown: methods at matched leakage, where each ended, and the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.ablations import Row, Spread, spread, table
from benchmarks.reach.fronts import area, points_of, utility_at
from benchmarks.reach.runs import BOUND, CONTROLS, FRONTS, HEURISTICS, NO_QUERY, START

LEVELS = (70.0, 75.0, 80.0, 85.0)
"""The attacker's cMAP at which methods are compared, in percent."""


def tables(rows: Sequence[Row], chosen: Mapping[str, float]) -> list[str]:
    """At matched leakage, at each weight, the controls, and the steps that tuning chose.

    Args:
        rows: The runs on test clips.
        chosen: The step of each method, in units of the settings'.
    """
    (start,) = (row for row in rows if row.job.method == START)
    fronts = {name: points_of([row for row in rows if row.job.method == name], start) for name in FRONTS}
    return [
        "### At matched leakage",
        (
            "Right answers in percent where the fine-tuned attacker reads a cMAP of so much, on each seed's front over "
            "the weights; then the area that a front dominates, in percent of all right answers without leakage."
        ),
        table(["method", *(f"at {level:g}" for level in LEVELS), "area"], _matched_lines(fronts)),
        (
            f"Of what the bound gains over the start ({start.number('utility'):.1f}), the share that a method gains, "
            "in percent, seed by seed:"
        ),
        table(["method", *(f"at {level:g}" for level in LEVELS)], _share_lines(fronts, start.number("utility"))),
        "### At each weight",
        table(["method", "weight", "utility", "attacker cMAP", "frozen cMAP", "calls"], _weight_lines(rows)),
        "### Controls",
        table(["method", "utility", "attacker cMAP", "frozen cMAP", "calls"], _control_lines(rows)),
        "Steps that the tuning chose, in units of the settings': "
        + ", ".join(f"{name} {factor:g}" for name, factor in chosen.items())
        + ".",
    ]


def _matched_lines(fronts: Mapping[str, Mapping[int, list[tuple[float, float]]]]) -> list[list[str]]:
    return [
        [
            name,
            *(spread([utility_at(points, level) for points in by_seed.values()]).text() for level in LEVELS),
            spread([area(points) for points in by_seed.values()]).text(),
        ]
        for name, by_seed in fronts.items()
    ]


def _share_lines(fronts: Mapping[str, Mapping[int, list[tuple[float, float]]]], start: float) -> list[list[str]]:
    return [
        [name, *(share_of_bound(by_seed, fronts[BOUND], level, start).text(0) for level in LEVELS)]
        for name, by_seed in fronts.items()
        if name != BOUND
    ]


def share_of_bound(
    fronts: Mapping[int, list[tuple[float, float]]],
    bounds: Mapping[int, list[tuple[float, float]]],
    level: float,
    start: float,
) -> Spread:
    """A method's gain over the start, in percent of the bound's at the same leakage, over seeds.

    Args:
        fronts: By seed, the method's points.
        bounds: By seed, those of the bound.
        level: The attacker's cMAP.
        start: Right answers of the start.
    """
    gains = {seed: utility_at(points, level) - start for seed, points in bounds.items()}
    if min(gains.values()) <= 0:
        return spread([np.nan])
    return spread([100 * (utility_at(points, level) - start) / gains[seed] for seed, points in fronts.items()])


def _weight_lines(rows: Sequence[Row]) -> list[list[str]]:
    found: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        if row.job.method in FRONTS:
            found.setdefault((row.job.method, float(row.job["weight"])), []).append(row)
    order = list(FRONTS)
    return [
        [name, f"{weight:g}", *_measured(mine)]
        for (name, weight), mine in sorted(found.items(), key=lambda pair: (order.index(pair[0][0]), pair[0][1]))
    ]


def _control_lines(rows: Sequence[Row]) -> list[list[str]]:
    names = [*CONTROLS, NO_QUERY, START, *HEURISTICS]
    return [[name, *_measured([row for row in rows if row.job.method == name])] for name in names]


def _measured(rows: Sequence[Row]) -> list[str]:
    fields = [
        spread([row.number(field) for row in rows]).text() for field in ("utility", "attacker_cmap", "frozen_cmap")
    ]
    calls = float(np.median([float(row.found.get("calls") or 0) for row in rows]))
    return [*fields, f"{calls:g}"]
