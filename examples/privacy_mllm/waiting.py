"""How long a round of calls takes when few may run at once, a service is paced, and calls fail and are repeated.

A round is what a step waits for. While calls are left, each of the slots is busy without a break, so that calls begin
as a renewal process does; the last ones then decide when the round is over. Both are followed in expectation, on a grid
of time. Nothing is drawn at random.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve
from scipy.special import ndtri
from scipy.stats import binom

Array = npt.NDArray[np.float64]

BINS = 4096  # of the grid of time
LONGEST = 40.0  # calls a slot that are followed; what comes after goes at an even pace
SCORES = np.linspace(-6.0, 6.0, 2401)  # normal scores at which latencies are taken, 1e-9 of them beyond
WEIGHTS = np.exp(-(SCORES**2) / 2) / np.exp(-(SCORES**2) / 2).sum()
BACKOFF_FIRST, BACKOFF_MOST, BACKOFF_JITTER = 0.5, 8.0, 0.25  # of the openai package: seconds, and the part taken off
MOST_SLOTS = 400  # beyond these, pacing and slots do not get in each other's way too little to count


@dataclass(frozen=True)
class Latency:
    """How long one attempt takes, from some of its quantiles.

    Between them, and beyond, the logarithm is linear in the normal score: two quantiles are a lognormal distribution,
    and one is a constant.

    Args:
        quantiles: Probability -> seconds, such as ``{0.5: 1.2, 0.95: 4.0}``.

    Raises:
        ValueError: If there is none, a probability is not between 0 and 1, or the seconds are not positive and rising.

    Example:
        >>> latency = Latency({0.5: 1.0, 0.95: 3.0})
        >>> round(latency.mean, 2), latency.at(0.95)
        (1.25, 3.0)
    """

    quantiles: Mapping[float, float]

    def __post_init__(self) -> None:
        """Check the quantiles."""
        places = sorted(self.quantiles)
        seconds = [self.quantiles[place] for place in places]
        if not places or not 0 < places[0] <= places[-1] < 1:
            raise ValueError(f"`quantiles` must have probabilities between 0 and 1, got {places}.")
        rising = all(earlier < later for earlier, later in itertools.pairwise(seconds))
        if not seconds[0] > 0 or not rising or not math.isfinite(seconds[-1]):
            raise ValueError(f"`quantiles` must be positive seconds that rise, got {seconds}.")

    def at(self, probability: float) -> float:
        """The quantile, in seconds."""
        return float(round(self.of_scores(np.array([ndtri(probability)]))[0], 12))

    @property
    def mean(self) -> float:
        """Mean, in seconds."""
        return float(WEIGHTS @ self.of_scores(SCORES))

    def of_scores(self, scores: Array) -> Array:
        """Seconds at normal scores; normally distributed scores give a sample."""
        places = sorted(self.quantiles)
        known, logs = ndtri(places), np.log([self.quantiles[place] for place in places])
        if len(places) == 1:
            return np.full(scores.shape, float(np.exp(logs[0])))
        part = np.clip(np.searchsorted(known, scores) - 1, 0, len(places) - 2)
        slopes = np.diff(logs) / np.diff(known)
        found: Array = np.exp(logs[part] + slopes[part] * (scores - known[part]))
        return found


@dataclass(frozen=True)
class Retries:
    """How often an attempt fails, and what is done about it; as the openai package does.

    Args:
        failure_rate: Share of attempts that fail and may be repeated, in [0, 1).
        most: Attempts after the first one.
        retry_after: Seconds that the service asks to wait; None for the package's own 0.5, 1, 2, ... 8.
    """

    failure_rate: float = 0.0
    most: int = 2
    retry_after: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.failure_rate < 1:
            raise ValueError(f"`failure_rate` must be in [0, 1), got {self.failure_rate}.")
        for name in ("most", "retry_after"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"`{name}` must not be negative, got {value}.")

    @property
    def attempts(self) -> float:
        """Mean attempts a call."""
        return sum(self.failure_rate**number for number in range(self.most + 1))

    @property
    def lost(self) -> float:
        """Share of calls all of whose attempts fail."""
        return self.failure_rate ** (self.most + 1)

    def backoff(self, number: int) -> float:
        """Longest wait, in seconds, before the repetition ``number``, from 0; up to a quarter of it is taken off."""
        if self.retry_after is not None:
            return self.retry_after
        return min(BACKOFF_FIRST * 2.0**number, BACKOFF_MOST)

    def mean_backoff(self, number: int) -> float:
        """Mean wait before the repetition ``number``, from 0."""
        return self.backoff(number) * (1 if self.retry_after is not None else 1 - BACKOFF_JITTER / 2)


@dataclass(frozen=True)
class Waiting:
    """What calls have to wait for.

    Args:
        latency: Of one attempt.
        concurrency: Calls at the same time; a call keeps its place while it waits for its repetition.
        interval: Least seconds from the start of one attempt to the next.
        retries: What happens to attempts that fail.
    """

    latency: Latency
    concurrency: int
    interval: float = 0.0
    retries: Retries = field(default_factory=Retries)

    @property
    def mean(self) -> float:
        """Mean seconds of a call, from its first attempt to its end."""
        rate, retries = self.retries.failure_rate, self.retries
        waits = sum(rate ** (number + 1) * retries.mean_backoff(number) for number in range(retries.most))
        return self.latency.mean * retries.attempts + waits

    @property
    def pace(self) -> float:
        """Seconds from one call to the next in the long run, whichever of places and pacing is slower."""
        return max(self.mean / self.concurrency, self.interval * self.retries.attempts)

    def seconds(self, num_calls: int) -> float:
        """Expected seconds until the last of ``num_calls`` calls that are put at once is over."""
        slots = min(num_calls, self.concurrency)
        followed = min(num_calls, math.ceil(LONGEST * self.concurrency))
        seconds = self.follow(followed)
        if self.interval and self.retries.failure_rate:  # repetitions queue for their turns too
            attempts = replace(self, retries=Retries())
            seconds = max(seconds, attempts.follow(math.floor(followed * self.retries.attempts)))
        delay = self._delay() if num_calls > slots else 0.0
        return seconds + (num_calls - followed) * self.pace + (num_calls - slots) * delay

    def follow(self, num_calls: int) -> float:
        """The same, for calls few enough to follow; without what slots and pacing that are about equal add."""
        slots = min(num_calls, self.concurrency)
        paces = (self.interval, self.interval * self.retries.attempts)
        step = self._horizon(num_calls, paces[1]) / BINS
        over = np.cumsum(self._durations(step))
        starts, last = _begin(num_calls, slots, step, paces, 1 - over)
        if num_calls <= self.concurrency:  # no slot is used twice
            all_over = np.exp(fftconvolve(starts, np.log(np.maximum(over, 1e-12)))[last:BINS])
        else:
            all_over = (1 - np.clip(fftconvolve(starts, 1 - over)[last:BINS] / slots, 0.0, 1.0)) ** slots
        return float(step * (last + (1 - all_over).sum()))

    def _horizon(self, num_calls: int, interval: float) -> float:
        """A time at which the round is over almost surely."""
        rare = ndtri(1 - min(1e-3, 1e-4 / num_calls))
        longest = float(self.latency.of_scores(np.array([rare]))[0])
        repeated = self.retries.most if self.retries.failure_rate else 0
        waits = sum(self.retries.backoff(number) for number in range(repeated))
        typical = self.latency.at(0.9) * repeated + waits
        return 1.3 * num_calls * max(self.mean / self.concurrency, interval) + 1.1 * longest + typical + self.mean

    def _durations(self, step: float) -> Array:
        """Probability of each duration of a call, in bins of ``step`` seconds."""
        rate, one = self.retries.failure_rate, _histogram(self.latency.of_scores(SCORES) / step)
        whole, running = np.zeros(BINS), one
        for number in range(self.retries.most + 1):
            is_last = number == self.retries.most or rate == 0
            whole += rate**number * (1 if is_last else 1 - rate) * running
            if is_last:
                break
            late = _shift(running, self.retries.mean_backoff(number) / step)
            running = fftconvolve(late, one)[:BINS]
        return whole

    def _delay(self) -> float:
        """Seconds that a call takes longer where slots and pacing, about equal, get in each other's way."""
        own = self.interval * self.retries.attempts
        if own == 0 or self.concurrency > MOST_SLOTS:
            return 0.0
        squared = float(WEIGHTS @ self.latency.of_scores(SCORES) ** 2) / self.latency.mean**2 - 1
        spread = math.sqrt(max(squared, 0.0))  # of a constant it may round to below zero
        return min(spread, 1.0) * (_paced(self.concurrency, own, self.mean) - self.pace)


def _begin(num_calls: int, slots: int, step: float, paces: tuple[float, float], still_open: Array) -> tuple[Array, int]:
    """How many calls begin in each bin, in expectation, and the bin in which the last one does.

    The first call of each slot is let through at the first pace, before all repetitions; those after it at the second.
    """
    starts = np.zeros(BINS)
    left, allowed, at_turn = float(num_calls), 1.0, 0.0
    for now in range(BINS):
        pace = paces[0] if num_calls - left < slots else paces[1]
        turns = (now * step - at_turn) / pace if pace else math.inf
        if turns >= 1:
            whole = math.floor(turns) if pace else num_calls
            allowed, at_turn = min(allowed + whole, max(1.0, whole)), at_turn + whole * pace
        busy = float(starts[:now] @ still_open[now:0:-1])
        starts[now] = min(left, slots - busy, allowed)
        left, allowed = left - starts[now], allowed - starts[now]
        if left < 1e-6:
            return starts, now
    return starts, BINS - 1


def _paced(slots: int, interval: float, mean: float) -> float:
    """Mean seconds between starts of exponential calls: a Markov chain of the calls under way after each start."""
    stays = math.exp(-interval / mean)
    under_way = np.arange(1, slots + 1)
    moves: Array = binom.pmf(
        np.arange(slots + 1)[None, :], under_way[:, None], stays
    )  # [after a start, an interval later]
    chain = moves[:, :slots].copy()  # with the next start, one more is under way
    chain[:, -1] += moves[:, -1]  # all slots busy: the next start waits for one to end
    system = np.vstack([(chain.T - np.eye(slots))[:-1], np.ones(slots)])
    share = np.linalg.solve(system, np.eye(slots)[-1])
    return interval + float(share[-1] * moves[-1, -1]) * mean / slots


def _histogram(places: Array) -> Array:
    """The latencies' weights in bins, each shared between two bins so that means stay true."""
    low: npt.NDArray[np.int64] = np.minimum(np.floor(places), BINS - 2).astype(np.int64)
    part = np.clip(places - low, 0.0, 1.0)
    found = np.zeros(BINS)
    np.add.at(found, low, WEIGHTS * (1 - part))
    np.add.at(found, low + 1, WEIGHTS * part)
    return found


def _shift(content: Array, bins: float) -> Array:
    """The same later."""
    whole, part = divmod(min(bins, BINS - 2.0), 1.0)
    late = np.zeros(BINS)
    late[int(whole) :] += (1 - part) * content[: BINS - int(whole)]
    late[int(whole) + 1 :] += part * content[: BINS - int(whole) - 1]
    return late
