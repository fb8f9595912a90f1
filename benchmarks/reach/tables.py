"""Tables of the reach in Markdown: methods at matched leakage, where each ended, and the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.ablations import Row, Spread, spread, table
from benchmarks.reach.fronts import Point, area, points_of, utility_at
from benchmarks.reach.runs import BOUND, ESTIMATORS, NO_QUERY, START, UNITS, Extent
from privacy_mllm.config import TrainConfig

LEVELS = (60.0, 65.0, 70.0, 75.0, 80.0, 85.0)
"""The attacker's cMAP at which methods are compared, in percent."""
HEADS = tuple(f"at {level:g}" for level in LEVELS)
MEASURES = ("utility", "attacker cMAP", "frozen cMAP", "calls")

Fronts = Mapping[str, Mapping[int, Sequence[Point]]]
"""By method and seed where its trainings ended, the start among them."""


@dataclass(frozen=True)
class Kind:
    """What was run with one kind of anonymizer.

    Args:
        extent: What was to be run.
        rows: The runs on test clips.
        chosen: The step of each method, in units of the settings'.
    """

    extent: Extent
    rows: Sequence[Row]
    chosen: Mapping[str, float]

    def of(self, method: str) -> list[Row]:
        """The rows of a method."""
        return [row for row in self.rows if row.job.method == method]

    @property
    def num_seeds(self) -> int:
        """Seeds of each training."""
        return len({row.job.seed for row in self.of(NO_QUERY)})

    @property
    def start(self) -> Row:
        """The start, before any training."""
        (row,) = self.of(START)
        return row

    @property
    def fronts(self) -> Fronts:
        """Of all methods that are traced."""
        return {name: points_of(self.of(name), self.start) for name in self.extent.fronts}


def tables(kinds: Mapping[str, Kind], heuristics: Sequence[Row]) -> list[str]:
    """At matched leakage, then for each kind of anonymizer the share of the bound, each weight, and the controls.

    Args:
        kinds: By the anonymizer's name.
        heuristics: What stands beside all of them.
    """
    return [
        "### At matched leakage",
        (
            "Right answers in percent where the fine-tuned attacker reads a cMAP of so much, on each seed's front over "
            "the weights; then the area that a front dominates, in percent of all right answers without leakage."
        ),
        table(
            ["anonymizer", "method", *HEADS, "area"],
            [[name, *line] for name, kind in kinds.items() for line in _matched_lines(kind.fronts)],
        ),
        *(part for name, kind in kinds.items() for part in _of_kind(name, kind)),
        "### Without training",
        table(["method", *MEASURES], [[row.job.method, *_measured([row])] for row in heuristics]),
    ]


def _of_kind(name: str, kind: Kind) -> list[str]:
    start = kind.start.number("utility")
    controls = [NO_QUERY, START, *kind.extent.controls]
    return [
        f"### {name}, seeds: {kind.num_seeds}",
        f"Of what its bound gains over its start ({start:.1f}), the share that a method gains, in percent, by seed:",
        table(["method", *HEADS], _share_lines(kind.fronts, start)),
        "At each weight:",
        table(["method", "weight", *MEASURES], _weight_lines(kind)),
        f"Controls, at a weight of {kind.extent.control_weight:g}:",
        table(["method", *MEASURES], [[method, *_measured(kind.of(method))] for method in controls]),
        "Steps that tuning chose: " + ", ".join(_steps_of(kind)) + ".",
    ]


def _steps_of(kind: Kind) -> list[str]:
    """The chosen steps in words."""
    usual = {**asdict(TrainConfig()), **UNITS[kind.extent.anonymizer]}
    follows = {method: method == BOUND or ESTIMATORS[method].startswith("guide") for method in kind.chosen}
    names = {method: "guide_lr" if follows[method] else "utility_lr" for method in kind.chosen}
    return [f"{method} {factor * usual[names[method]]:g}" for method, factor in kind.chosen.items()]


def _matched_lines(fronts: Fronts) -> list[list[str]]:
    return [
        [
            name,
            *(spread([utility_at(points, level) for points in by_seed.values()]).text() for level in LEVELS),
            spread([area(points) for points in by_seed.values()]).text(),
        ]
        for name, by_seed in fronts.items()
    ]


def _share_lines(fronts: Fronts, start: float) -> list[list[str]]:
    return [
        [name, *(share_of_bound(by_seed, fronts[BOUND], level, start).text(0) for level in LEVELS)]
        for name, by_seed in fronts.items()
        if name != BOUND
    ]


def share_of_bound(
    fronts: Mapping[int, Sequence[Point]],
    bounds: Mapping[int, Sequence[Point]],
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


def _weight_lines(kind: Kind) -> list[list[str]]:
    return [
        [name, f"{weight:g}", *_measured([row for row in kind.of(name) if row.job["weight"] == weight])]
        for name in kind.extent.fronts
        for weight in kind.extent.weights
    ]


def _measured(rows: Sequence[Row]) -> list[str]:
    fields = [
        spread([row.number(field) for row in rows]).text() for field in ("utility", "attacker_cmap", "frozen_cmap")
    ]
    calls = float(np.median([float(row.found.get("calls") or 0) for row in rows]))
    return [*fields, f"{calls:g}"]
