"""Tables of the estimators in Markdown, ours beside the paper's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.ablations import Row, spread, table
from benchmarks.estimators.methods import METHODS

LEVELS = (20.0, 30.0, 40.0)
"""Right answers on validation clips, in percent, to be reached."""
REFERENCE = "SPSA"
PRINTED: Mapping[str, tuple[str, str, str]] = {
    "CMA-ES": ("30.2", "59.2", "161"),
    "Q-learning": ("32.6", "61.3", "147"),
    "SPSA": ("35.7", "57.5", "136"),
    "SPSA-GC": ("37.9", "57.1", "80"),
    "critical history": ("48.4", "54.6", "24"),
}
"""Table 6 of the paper, UCF101-VISPR with Video-LLaVA: action (top-1), privacy (cMAP), calls per sample."""


def chosen_factors(tuning: Sequence[Row]) -> dict[str, float]:
    """The step of each method, in units of the shared one, with the most right answers at the end of its tuning."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(row.job.method for row in tuning):
        mine = [row for row in tuning if row.job.method == name]
        best = max(mine, key=lambda row: row.number(f"utility@{int(row.job['marks'])}"))
        found[name] = float(best.job["factor"])
    return found


def of_protocol(rows: Sequence[Row], factors: Mapping[str, float]) -> list[Row]:
    """The runs at each method's factor."""
    return [row for row in rows if row.job["factor"] == factors[row.job.method]]


def calls_to(row: Row, level: float, limit: float) -> float:
    """Calls per sample until a run reached a level; infinite if never, or if its attacker reads more than a limit.

    Args:
        row: The run.
        level: Right answers on validation clips, in percent.
        limit: Most that the attacker may read, in percent.
    """
    marks = int(row.job["marks"])
    if row.number("attacker_cmap") <= limit:
        for mark in range(marks + 1):
            if row.number(f"utility@{mark}") >= level:
                return mark * float(row.job["calls"]) / marks
    return math.inf


def tables(rows: Sequence[Row], chosen: Mapping[str, float]) -> list[str]:
    """A table for each protocol."""
    shared = dict.fromkeys(METHODS, 1.0)
    return [
        (
            "Right answers and the fine-tuned attacker's cMAP on test clips, in percent, and calls per sample to right "
            "answers on validation clips at no more leakage than SPSA's; `inf` where most seeds did not get there."
        ),
        "### Same step for all",
        _table(of_protocol(rows, shared), shared),
        "### Step tuned for each method",
        _table(of_protocol(rows, chosen), chosen),
    ]


def _table(rows: Sequence[Row], factors: Mapping[str, float]) -> str:
    limit = float(np.median([row.number("attacker_cmap") for row in rows if row.job.method == REFERENCE]))
    heads = ["method", "step", "utility", "attacker cMAP", *(f"calls to {level:g} %" for level in LEVELS)]
    lines = []
    for name in METHODS:
        mine = [row for row in rows if row.job.method == name]
        measured = [spread([row.number(field) for row in mine]).text() for field in ("utility", "attacker_cmap")]
        calls = [f"{np.median([calls_to(row, level, limit) for row in mine]):g}" for level in LEVELS]
        lines.append([name, f"{factors[name]:g}", *measured, *calls, *PRINTED.get(name, ("-", "-", "-"))])
    return table([*heads, "paper: action", "paper: cMAP", "paper: calls"], lines)
