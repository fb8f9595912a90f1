"""What several seeds say of each method."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from privacy_mllm.results import Row, mean_answers


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Args:
        mean: Its mean.
        low: Its lowest value.
        high: Its highest value.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of some values; NaN where none is known."""
        known = sorted(value for value in values if not math.isnan(value))
        if not known:
            return cls(math.nan, math.nan, math.nan)
        low, high = known[0], known[-1]
        return cls(min(max(statistics.fmean(known), low), high), low, high)  # a mean may round beyond its values

    def __str__(self) -> str:
        """The mean, and half of the range where there is one; "-" for what is not known."""
        if math.isnan(self.mean):
            return "-"
        return f"{self.mean:.1f}" + (f" ±{(self.high - self.low) / 2:.0f}" if self.high > self.low else "")


@dataclass(frozen=True)
class Summary:
    """One method over all seeds, all figures in percent.

    Args:
        method: Its name.
        action: Right answers to the main question (Top-1).
        answers: Right answers, the mean over all questions.
        frozen: cMAP of the reviewer that saw raw pictures only.
        attacker: cMAP of the strongest fine-tuned attacker.
        calls: Black-box calls for each clip asked about.
        worst: The attribute that was read best in most seeds; empty where it is not known.
        worst_above: How far above chance the best read attribute lies, of what there is.
        bits: What the attacker learns of all attributes from a clip, in bits.
        person: Clips whose nearest other clip shows the same person.
        weighted: Leakage above chance, weighted by severity.
    """

    method: str
    action: Spread
    answers: Spread
    frozen: Spread
    attacker: Spread
    calls: float
    worst: str
    worst_above: Spread
    bits: Spread
    person: Spread
    weighted: Spread


def summarize(rows: Mapping[str, Sequence[Row]]) -> list[Summary]:
    """The table, a line a method.

    Args:
        rows: The rows of each method, one a seed.
    """
    return [
        Summary(
            method=name,
            action=Spread.of(row.action for row in of_seeds),
            answers=Spread.of(mean_answers(row) for row in of_seeds),
            frozen=Spread.of(row.frozen_cmap for row in of_seeds),
            attacker=Spread.of(row.attacker_cmap for row in of_seeds),
            calls=statistics.fmean(row.calls_per_sample for row in of_seeds),
            worst=Counter(row.worst for row in of_seeds).most_common(1)[0][0],
            worst_above=Spread.of(row.worst_above for row in of_seeds),
            bits=Spread.of(row.total_bits for row in of_seeds),
            person=Spread.of(row.reidentified for row in of_seeds),
            weighted=Spread.of(row.weighted for row in of_seeds),
        )
        for name, of_seeds in rows.items()
    ]
