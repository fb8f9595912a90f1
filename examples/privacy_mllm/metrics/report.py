"""All measures of leakage of one attacker's verdicts, together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy.typing as npt

from privacy_mllm.metrics.average_precision import CMAP, class_mean_average_precision
from privacy_mllm.metrics.f1 import MacroF1, macro_f1
from privacy_mllm.metrics.information import Information, information
from privacy_mllm.metrics.severity import SeverityLeakage, WorstAttribute, severity_leakage, worst_attribute


@dataclass(frozen=True)
class LeakageReport:
    """What one attacker reads, by each measure.

    Args:
        attributes: Names of the attributes, in the order of everything "per class".
        cmap: The paper's measure.
        f1: How well the attacker decides.
        information: What it learns, in bits.
        severity: Leakage weighted by harm; all attributes alike where no severities were given.
        worst: The attribute that leaks most.
    """

    attributes: tuple[str, ...]
    cmap: CMAP
    f1: MacroF1
    information: Information
    severity: SeverityLeakage
    worst: WorstAttribute

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and texts; what could not be judged is null."""
        shown: dict[str, Any] = _without_nan(asdict(self))
        return shown


def report_leakage(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    *,
    severities: Mapping[str, float] | None = None,
    seed: int = 0,
) -> LeakageReport:
    """Judge an attacker's verdicts by every measure; costs no query.

    Args:
        logits: How sure the attacker is of each attribute, ``[n, k]``.
        labels: 0 or 1, ``[n, k]``.
        names: Names of the ``k`` attributes.
        severities: A weight for each name, see :func:`severity_leakage`; None for all alike.
        seed: Seed of the halves on which scores are calibrated.

    Raises:
        ValueError: If an argument does not fit.
    """
    cmap = class_mean_average_precision(logits, labels)
    weights = dict.fromkeys(names, 1.0) if severities is None else severities
    return LeakageReport(
        attributes=tuple(names),
        cmap=cmap,
        f1=macro_f1(logits, labels),
        information=information(logits, labels, seed=seed),
        severity=severity_leakage(cmap, names, weights),
        worst=worst_attribute(cmap, names, severities),
    )


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any part of a report
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
