"""Tables of the scalarizers in Markdown, ours beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.ablations import Row, spread, table
from benchmarks.scalarizers import analytic, world
from benchmarks.scalarizers.analytic import ACTIVE
from benchmarks.scalarizers.families import FAMILIES, IN_THE_WORLD

PRINTED: dict[str, tuple[float, float]] = {
    "weighted sum": (32.9, 58.4),
    "Tchebycheff": (42.6, 57.3),
    "augmented Tchebycheff": (48.4, 54.6),
}
"""Table 5 of the paper, UCF101-VISPR with Video-LLaVA: action (top-1) and privacy (cMAP)."""


def analytic_tables(rows: Sequence[Row]) -> list[str]:
    """Hypervolume by scalarizer and problem, and what led the steps by weight."""
    problems = list(dict.fromkeys(row.job.setting for row in rows))
    lines = [
        [family, *(_volume(pick(rows, family, problem)) for problem in problems)]
        for family in FAMILIES
        if pick(rows, family)
    ]
    return [
        "### Analytic fronts",
        "Hypervolume in percent of the true front's, over all weights: median over seeds, and its 95 % interval.",
        table(["scalarizer", *problems], lines),
        (
            "The same over the weights with which each objective leads at least a fifth of the steps of the "
            "Tchebycheff function:"
        ),
        table(["scalarizer", *problems], [_active_line(rows, line[0], problems) for line in lines]),
        (
            "Share of the steps that the black box leads under the Tchebycheff function, in percent, by its weight; "
            "medians over seeds:"
        ),
        _led_table(rows, problems),
        "Steps that the tuning chose, of " + ", ".join(f"{lr:g}" for lr in analytic.STEPS) + ":",
        table(["scalarizer", *problems], [_step_line(rows, line[0], problems) for line in lines]),
    ]


def pick(rows: Iterable[Row], family: str, setting: str | None = None) -> list[Row]:
    """The rows of a scalarizer, in one setting or in all."""
    return [row for row in rows if row.job.method == family and setting in (None, row.job.setting)]


def active_shares(rows: Sequence[Row], problem: str) -> list[float]:
    """The weights of the black box with which both objectives are active."""
    led = _led_by_share(rows, problem)
    return [share for share, value in led.items() if ACTIVE[0] <= value <= ACTIVE[1]]


def _led_by_share(rows: Sequence[Row], problem: str) -> dict[float, float]:
    mine = pick(rows, world.SCANNED, problem)
    return {
        share: float(np.median([row.number("led_by_1") for row in mine if row.job["share"] == share]))
        for share in dict.fromkeys(float(row.job["share"]) for row in mine)
    }


def _volume(rows: Sequence[Row]) -> str:
    if not rows:
        return "-"
    return spread([100 * value for value in analytic.volumes(rows).values()]).text()


def _active_line(rows: Sequence[Row], family: str, problems: Sequence[str]) -> list[str]:
    chosen = {problem: active_shares(rows, problem) for problem in problems}
    return [
        family,
        *(_volume([r for r in pick(rows, family, p) if r.job["share"] in chosen[p]]) for p in problems),
    ]


def _led_table(rows: Sequence[Row], problems: Sequence[str]) -> str:
    led = {problem: _led_by_share(rows, problem) for problem in problems}
    shares = list(dict.fromkeys(share for found in led.values() for share in found))
    lines = [[problem, *(f"{100 * found[share]:.0f}" for share in shares)] for problem, found in led.items()]
    return table(["problem", *(f"{share:g}" for share in shares)], lines)


def _step_line(rows: Sequence[Row], family: str, problems: Sequence[str]) -> list[str]:
    return [family, *(f"{float(pick(rows, family, problem)[0].job['lr']):g}" for problem in problems)]


def world_tables(scan: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """The scan, each scalarizer under each setting, and the best of each beside the paper's figures."""
    return [
        "### Privacy world",
        (
            "Share of the steps that utility leads under the Tchebycheff function, in percent, by weight and ideal "
            "loss of utility:"
        ),
        _scan_table(scan),
        (
            "For each weight the ideal nearest to 50 was taken. Right answers and the fine-tuned attacker's cMAP, both "
            "in percent, median over seeds with its 95 % interval:"
        ),
        table(["scalarizer", "weight", "ideal", "utility leads", "utility", "attacker cMAP"], _setting_lines(rows)),
        (
            "Area that all settings together dominate, in percent of 100 % right answers and no leakage; each "
            "scalarizer's setting with the most right answers less cMAP, chosen on the same clips; the paper's table 5:"
        ),
        table(["scalarizer", "area", "utility", "attacker cMAP", "paper: action", "paper: cMAP"], _best_lines(rows)),
    ]


def _scan_table(rows: Sequence[Row]) -> str:
    found = {(float(row.job["weight"]), float(row.job["ideal"])): row.number("led_by_1") for row in rows}
    weights, ideals = (list(dict.fromkeys(key[place] for key in found)) for place in (0, 1))
    lines = [[f"{weight:g}", *(f"{100 * found[weight, ideal]:.0f}" for ideal in ideals)] for weight in weights]
    return table(["weight", *(f"ideal {ideal:g}" for ideal in ideals)], lines)


def _by_setting(rows: Sequence[Row]) -> dict[tuple[str, float, float], list[Row]]:
    found: dict[tuple[str, float, float], list[Row]] = {}
    for row in rows:
        found.setdefault((row.job.method, float(row.job["weight"]), float(row.job["ideal"])), []).append(row)
    return found


def _of(rows: Sequence[Row], name: str) -> str:
    return spread([row.number(name) for row in rows]).text()


def _setting_lines(rows: Sequence[Row]) -> list[list[str]]:
    return [
        [
            family,
            f"{weight:g}",
            f"{ideal:g}",
            f"{100 * np.median([row.number('led_by_1') for row in mine]):.0f} %",
            _of(mine, "utility"),
            _of(mine, "attacker_cmap"),
        ]
        for (family, weight, ideal), mine in _by_setting(rows).items()
    ]


def _best_lines(rows: Sequence[Row]) -> list[list[str]]:
    lines = []
    for family in IN_THE_WORLD:
        of_family = [mine for (name, _, _), mine in _by_setting(rows).items() if name == family]
        best = max(of_family, key=_gain)
        area = spread(list(world.volumes(pick(rows, family)).values()))
        printed = [f"{value}" for value in PRINTED[family]] if family in PRINTED else ["-", "-"]
        lines.append([family, area.text(), _of(best, "utility"), _of(best, "attacker_cmap"), *printed])
    return lines


def _gain(rows: Sequence[Row]) -> float:
    return float(np.median([row.number("utility") - row.number("attacker_cmap") for row in rows]))
