"""The table of results: a row for each method that was judged."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from privacy_mllm.metrics import CMAP, severity_leakage, worst_attribute


@dataclass(frozen=True)
class Row:
    """One method's row of the table; figures in percent where no other unit is named.

    Rows that an earlier version wrote lack the later fields; these are then empty or NaN.

    Args:
        method: Its name.
        action: Right answers to the main question (Top-1).
        answers: Right answers to each question.
        frozen_cmap: Leakage read by the reviewer that saw only raw pictures (the paper's measure).
        attacker_cmap: Leakage read by the strongest attacker that was trained on this method's pictures.
        attacker: The same by attribute; NaN for one that no judged clip shows.
        calls_per_sample: Black-box calls that training took, for each clip asked about.
        unanswered: Test questions whose call failed; they count neither as right nor as wrong.
        attacks: What each attacker reads (cMAP), by where it began.
        strongest: The attacker that counts.
        chance: Prevalence of each attribute: what an attacker reads who sees nothing.
        bits: Bits of each attribute that the strongest attacker learns from a clip.
        prior_bits: Bits of each attribute that there are to be learned.
        worst: The attribute whose leakage lies highest above chance.
        worst_above: How far it lies, of what there is: 100 is everything.
        weighted: The attributes' leakage above chance, weighted by severity; 100 is everything.
        reidentified: Clips whose nearest other clip shows the same person.
        reidentified_chance: The same for an attacker who guesses.
    """

    method: str
    action: float
    answers: dict[str, float]
    frozen_cmap: float
    attacker_cmap: float
    attacker: dict[str, float]
    calls_per_sample: float = 0.0
    unanswered: int = 0
    attacks: dict[str, float] = field(default_factory=dict)
    strongest: str = ""
    chance: dict[str, float] = field(default_factory=dict)
    bits: dict[str, float] = field(default_factory=dict)
    prior_bits: dict[str, float] = field(default_factory=dict)
    worst: str = ""
    worst_above: float = math.nan
    weighted: float = math.nan
    reidentified: float = math.nan
    reidentified_chance: float = math.nan

    @property
    def total_bits(self) -> float:
        """Bits that the strongest attacker learns of all attributes together, as far as they do not say the same."""
        return sum(self.bits.values()) if self.bits else math.nan

    @property
    def absent(self) -> tuple[str, ...]:
        """Attributes that count in no figure, because no judged clip shows them."""
        return tuple(name for name, value in self.attacker.items() if math.isnan(value))

    def weigh(self, severities: Mapping[str, float] | None) -> Row:
        """The same row with ``worst`` and ``weighted`` for these weights.

        Args:
            severities: A weight for attributes, 1 for those without; None for all alike, and no ``weighted``.

        Raises:
            ValueError: If an attribute is unknown or a weight is negative.
        """
        if not self.chance:  # written by an earlier version
            return self
        leakage = CMAP(self.attacker_cmap, tuple(self.attacker.values()), math.nan, tuple(self.chance.values()))
        names = tuple(self.attacker)
        weights = None if severities is None else {**dict.fromkeys(names, 1.0), **severities}
        if weights is not None and not any(weights[name] for name in names if name not in self.absent):
            return replace(self, worst="", worst_above=math.nan, weighted=math.nan)  # what counts was not to be seen
        worst = worst_attribute(leakage, names, weights)
        weighted = math.nan if weights is None else severity_leakage(leakage, names, weights).above_chance
        return replace(self, worst=worst.name, worst_above=worst.above_chance, weighted=weighted)


@dataclass(frozen=True)
class Side:
    """What one part of the test shows, in percent; NaN where that part has no such figure.

    Args:
        answers: Right answers, the mean over questions.
        leakage: cMAP of the strongest attacker.
        chance: cMAP of an attacker who sees nothing.
    """

    answers: float
    leakage: float
    chance: float


@dataclass(frozen=True)
class Generalisation:
    """One method on what its training saw, beside what was withheld from it.

    Args:
        method: Its name.
        seen: On test clips, questions or attributes of the kinds that training saw.
        unseen: On those that were withheld.
    """

    method: str
    seen: Side
    unseen: Side


@dataclass(frozen=True)
class Results:
    """A table of methods with the blind base rate that belongs to its test clips.

    Args:
        blind_cmap: What an attacker reads who sees nothing.
        rows: The methods.
        held_out: What training was not shown, in words; empty for nothing.
        generalisation: The methods on what training saw, and on what it was not shown.
    """

    blind_cmap: float
    rows: tuple[Row, ...]
    held_out: str = ""
    generalisation: tuple[Generalisation, ...] = ()

    def weigh(self, severities: Mapping[str, float] | None) -> Results:
        """The same table for these severities, see :meth:`Row.weigh`."""
        return replace(self, rows=tuple(row.weigh(severities) for row in self.rows))

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and texts, as in ``results.json``; what was not asked is null."""
        return asdict(self, dict_factory=lambda pairs: {name: _known(value) for name, value in pairs})


def with_calls(results: Results, method: str, calls_per_sample: float) -> Results:
    """The same table with what a method's training cost."""
    rows = [replace(row, calls_per_sample=calls_per_sample) if row.method == method else row for row in results.rows]
    return replace(results, rows=tuple(rows))


def mean_answers(row: Row) -> float:
    """Right answers over all questions, each question counting the same."""
    return statistics.fmean(row.answers.values())


def _known(value: Any) -> Any:  # noqa: ANN401 - any part of the table
    if isinstance(value, dict):
        return {name: _known(part) for name, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
