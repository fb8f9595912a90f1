"""Rules for arguments and their wording, written once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = Sequence[float] | npt.NDArray[np.floating[Any]]
Points = Sequence[Sequence[float]] | npt.NDArray[np.floating[Any]]


def check_real(name: str, value: float) -> float:
    """A finite number, else ``TypeError`` or ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, got {value}.")
    return float(value)


def check_positive(name: str, value: float) -> float:
    """A finite number above zero."""
    number = check_real(name, value)
    if number <= 0:
        raise ValueError(f"`{name}` must be positive, got {value}.")
    return number


def check_non_negative(name: str, value: float) -> float:
    """A finite number of at least zero."""
    number = check_real(name, value)
    if number < 0:
        raise ValueError(f"`{name}` must not be negative, got {value}.")
    return number


def check_between(name: str, value: float, low: float, high: float, *, interval: str) -> float:
    """A number in an interval, written as ``interval`` in the message, such as ``(0, 1]``."""
    number = check_real(name, value)
    above = number >= low if interval.startswith("[") else number > low
    below = number <= high if interval.endswith("]") else number < high
    if not (above and below):
        raise ValueError(f"`{name}` must be in {interval}, got {value}.")
    return number


def check_count(name: str, value: int, *, least: int = 1) -> int:
    """A whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"`{name}` must be a whole number, got {value!r}.")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}, got {value}.")
    return int(value)


def check_seed(name: str, value: int) -> int:
    """A whole number that fits the generator's key of 64 bits."""
    seed = check_count(name, value, least=0)
    if seed >= 2**64:
        raise ValueError(f"`{name}` must be below 2^64, got {value}.")
    return seed


def check_vector(name: str, values: Floats, *, length: int | None = None) -> npt.NDArray[np.float64]:
    """A finite one-dimensional ``float64`` array, of the given length if one is given."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"`{name}` must be one-dimensional, got shape {list(array.shape)}.")
    if length is not None and array.size != length:
        raise ValueError(f"`{name}` must hold {length} values, got {array.size}.")
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        raise ValueError(f"`{name}` must be finite, got {array[wrong[0]]} at index {wrong[0]}.")
    return array


def check_points(name: str, points: Points, *, width: int | None = None) -> npt.NDArray[np.float64]:
    """Finite losses ``[k, n]`` as ``float64``, one row a point, of the given width ``n`` if one is given."""
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"`{name}` must have shape [k, n], got {list(array.shape)}.")
    if width is not None and array.shape[1] != width:
        raise ValueError(f"`{name}` must have rows of {width} values, got {array.shape[1]}.")
    wrong = array[~np.isfinite(array)]
    if wrong.size:
        raise ValueError(f"`{name}` must be finite, got {wrong[0]}.")
    return array
