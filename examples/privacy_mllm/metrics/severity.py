"""Leakage by how much harm each attribute does, and the attribute that leaks most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from privacy_mllm.metrics._checks import FloatArray, check_names
from privacy_mllm.metrics.average_precision import CMAP


@dataclass(frozen=True)
class SeverityLeakage:
    """Leakage with each attribute weighted by its severity, in percent.

    Args:
        value: Weighted mean of the average precisions.
        chance: Weighted mean of the prevalences.
        above_chance: Weighted mean of ``per_attribute``: 0 for an attacker who knows nothing, 100 for one who knows
            all.
        per_attribute: By name, how far the average precision lies above chance, of what there is:
            ``(AP - chance) / (100 - chance)``. Negative where an attacker was misled.
    """

    value: float
    chance: float
    above_chance: float
    per_attribute: dict[str, float]


@dataclass(frozen=True)
class WorstAttribute:
    """The attribute that leaks most.

    Args:
        name: Its name.
        value: Its average precision in percent.
        chance: Its prevalence in percent.
        above_chance: ``(value - chance) / (100 - chance)`` in percent.
    """

    name: str
    value: float
    chance: float
    above_chance: float


def severity_leakage(leakage: CMAP, names: Sequence[str], severities: Mapping[str, float]) -> SeverityLeakage:
    """The mean over attributes, each weighted by how much harm its disclosure does.

    cMAP counts a skin colour as much as a bank card. Which is worse is for those concerned to say, so the weights are
    the caller's; their scale does not matter.

    Args:
        leakage: What an attacker reads.
        names: Name of each class of `leakage`.
        severities: A weight for each name, 0 or more. 0 leaves an attribute out.

    Raises:
        ValueError: If a name has no severity or is unknown, a severity is negative or not finite, or no attribute with
            a positive weight could be judged.

    Example:
        >>> leakage = CMAP(value=70.0, per_class=(80.0, 60.0), chance=50.0, per_class_chance=(60.0, 40.0))
        >>> severity_leakage(leakage, ["face", "card"], {"face": 1, "card": 3})
        SeverityLeakage(value=65.0, chance=45.0, above_chance=37.5, per_attribute={'face': 50.0, 'card': 33.3...})
    """
    check_names(tuple(names), len(leakage.per_class))
    weights = np.array([_severity(severities, name) for name in names])
    _check_known(severities, names)
    values, chances = np.array(leakage.per_class), np.array(leakage.per_class_chance)
    weights[np.isnan(values)] = 0.0
    if weights.sum() == 0:
        raise ValueError("`severities` must be positive for at least one attribute that was judged.")
    above = _above_chance(leakage)
    share = weights / weights.sum()
    return SeverityLeakage(
        value=float(share @ np.nan_to_num(values)),
        chance=float(share @ chances),
        above_chance=float(share @ np.nan_to_num(above)),
        per_attribute=dict(zip(names, above.tolist(), strict=True)),
    )


def worst_attribute(
    leakage: CMAP, names: Sequence[str], severities: Mapping[str, float] | None = None
) -> WorstAttribute:
    """The attribute that lies highest above its chance level; a good mean may hide it.

    Args:
        leakage: What an attacker reads.
        names: Name of each class of `leakage`.
        severities: Weights that the distance above chance is multiplied by; None for all alike.

    Raises:
        ValueError: If names or severities do not fit.

    Example:
        >>> leakage = CMAP(value=70.0, per_class=(80.0, 60.0), chance=50.0, per_class_chance=(60.0, 40.0))
        >>> worst_attribute(leakage, ["face", "card"]).name
        'face'
        >>> worst_attribute(leakage, ["face", "card"], {"face": 1, "card": 3}).name
        'card'
    """
    severities = dict.fromkeys(names, 1.0) if severities is None else severities
    above = severity_leakage(leakage, names, severities).per_attribute
    name = max(above, key=lambda one: -math.inf if math.isnan(above[one]) else severities[one] * above[one])
    place = list(names).index(name)
    return WorstAttribute(name, leakage.per_class[place], leakage.per_class_chance[place], above[name])


def _above_chance(leakage: CMAP) -> FloatArray:
    """NaN where a class was not judged; 0 where all clips show it, so that nothing is left to be read."""
    values, chances = np.array(leakage.per_class), np.array(leakage.per_class_chance)
    left = np.where(chances < 100, 100 - chances, np.inf)
    above: FloatArray = 100 * (values - chances) / left
    return above


def _severity(severities: Mapping[str, float], name: str) -> float:
    if name not in severities:
        raise ValueError(f"`severities` must have a weight for every attribute, but {name!r} has none.")
    value = float(severities[name])
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"`severities[{name!r}]` must be finite and not negative, got {value}.")
    return value


def _check_known(severities: Mapping[str, float], names: Sequence[str]) -> None:
    unknown = sorted(set(severities) - set(names))
    if unknown:
        raise ValueError(f"`severities` must be of {', '.join(names)}, got the unknown {unknown[0]!r}.")
