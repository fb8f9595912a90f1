"""Where numbers fall on paper: axes with round marks, and running means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A straight axis from numbers to places on the page.

    Args:
        low: The number at ``start``.
        high: The number at ``end``, above ``low``.
        start: Place of the lowest number.
        end: Place of the highest number.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, number: float) -> float:
        """The place of a number."""
        return self.start + (number - self.low) / (self.high - self.low) * (self.end - self.start)


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers 1, 2 or 5 times a power of ten apart that enclose a range.

    Args:
        low: Lowest number.
        high: Highest number, not below ``low``.
        count: About how many marks.

    Raises:
        ValueError: If a number is not finite or the range is upside down.

    Example:
        >>> round_ticks(3.0, 41.0)
        [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"`low` and `high` must be finite and in this order, got {low} and {high}.")
    size = max(abs(low), abs(high), 1.0)
    span = high - low if high - low > 1e-9 * size else size
    rough = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def running_mean(values: Sequence[float | None], window: int = 20) -> list[float | None]:
    """The mean of each value and those before it; None where none of them is known.

    Args:
        values: The values; None for those not known.
        window: How many values a mean takes at most.
    """
    means: list[float | None] = []
    for end in range(1, len(values) + 1):
        known = [value for value in values[max(0, end - window) : end] if value is not None]
        means.append(sum(known) / len(known) if known else None)
    return means


def thinned(count: int, most: int = 600) -> list[int]:
    """Numbers of at most ``most`` of ``count`` points, evenly spread, the first and the last among them.

    Args:
        count: How many points there are.
        most: How many are drawn, at least 2.
    """
    if count <= most:
        return list(range(count))
    return sorted({round(number * (count - 1) / (most - 1)) for number in range(most)})
