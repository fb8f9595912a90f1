"""How much harm each attribute's disclosure does, as the user says."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Severities = dict[str, float]


def read_severities(text: str) -> Severities:
    """Weights of attributes, as typed or from a file.

    Args:
        text: ``NAME=WEIGHT,NAME=WEIGHT``, or the path of a TOML file of lines ``NAME = WEIGHT``.

    Raises:
        ValueError: If a weight is no number that is finite and not negative.
        OSError: If there is no such file.

    Example:
        >>> read_severities("face=3,credit_card=0.5")
        {'face': 3.0, 'credit_card': 0.5}
    """
    if text.endswith(".toml"):
        return {name: _weight(name, value) for name, value in _read_toml(Path(text)).items()}
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip(): _weight(name.strip(), value) for name, _, value in pairs}


def check_severities(severities: Mapping[str, float], names: Sequence[str]) -> None:
    """See that only known attributes have a weight, before anything is judged.

    Args:
        severities: The weights.
        names: The attributes.

    Raises:
        ValueError: If one is unknown, or nothing has a positive weight.
    """
    unknown = sorted(set(severities) - set(names))
    if unknown:
        raise ValueError(f"`severity` must be of {', '.join(names)}, got the unknown {unknown[0]!r}.")
    if all(severities.get(name, 1.0) == 0 for name in names):
        raise ValueError("`severity` must be positive for an attribute, got 0 for all.")


def _read_toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: {error}") from error


def _weight(name: str, value: object) -> float:
    try:
        weight = float(str(value))
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight >= 0) or not name:
        raise ValueError(f"`severity` must be of the form NAME=WEIGHT with a weight of 0 or more, got {name}={value}.")
    return weight
