"""What a training tells of each of its steps."""

from __future__ import annotations

from dataclasses import dataclass


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
