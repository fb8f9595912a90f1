"""What a training tells of each of its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import zoopt_mo as zo


@dataclass(frozen=True)
class StepRecord:
    """One line of a run's ``metrics.jsonl``.

    ``failed`` calls are those of the step; ``zero_pairs`` is the share of pairs of answers so far that had exactly the
    same loss, and so told nothing; ``cost`` is the price of the calls so far.
    """

    step: int
    calls: int
    utility: float
    privacy: float
    reviewer: float
    i_max: int | None
    status: float
    cosine: float | None
    utility_norm: float
    privacy_norm: float
    lr: float
    failed: int = 0
    zero_pairs: float = 0.0
    cost: float = 0.0


def measures(report: zo.StepReport) -> dict[str, Any]:
    """The fields of a record that a step's report holds; those of utility are NaN where it was no objective.

    Args:
        report: Of the objectives utility, if it is one, and privacy.
    """
    knows_utility = len(report.losses) > 1
    return {
        "utility": report.losses[0] if knows_utility else math.nan,
        "privacy": report.losses[-1],
        "i_max": report.i_max,
        "status": report.gains[0] - 1,
        "cosine": report.cosines[0],
        "utility_norm": report.gradient_norms[0] if knows_utility else math.nan,
        "privacy_norm": report.gradient_norms[-1],
        "failed": len(report.failures),
    }
