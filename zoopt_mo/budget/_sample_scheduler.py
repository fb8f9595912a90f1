"""Which samples of a pool to spend the queries of a step on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_between, check_count, check_seed

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class SampleScheduler:
    r"""Draws the samples of a step: more often those whose losses vary much or are still high, and none never.

    With :math:`s_i` the running spread of a sample's losses, over probes and from visit to visit, and :math:`e_i` its
    running mean loss above the lowest one of the pool, both over their means, a sample has the share

    .. math:: p_i = \frac{f}{N} + (1 - f) \frac{a_i}{\sum_j a_j}, \qquad
        a_i = u \, \frac{s_i}{\bar s} + (1 - u) \, \frac{e_i}{\bar e} .

    What was never asked counts as much as the largest. A step takes ``size`` different samples, each with probability
    :math:`\pi_i = \min(1, \text{size} \cdot p_i)`, what is cut off being shared among the others (systematic sampling).
    With the :attr:`weights` :math:`1 / (N \pi_i)` the weighted sum of the losses drawn is the pool's mean on average;
    without them the losses of a step lean towards the hard samples, on purpose or not.

    Costs no query. In our benchmark the plain mean of those drawn needed half of the queries where few samples make
    most of the loss; with the weights, or where all samples are alike, no saving was shown.

    Args:
        num_samples: Samples in the pool, ``N``.
        seed: Seed of the draws.
        floor: Part ``f`` in (0, 1] of the shares that is even; 1 draws evenly. No sample is drawn less often than
            ``floor`` times as often as if all were even.
        uncertainty: Weight ``u`` in [0, 1] of the spread; the rest is for high losses.
        newest: Least weight in (0, 1] of the newest visit in the running means.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import numpy as np
        >>> from zoopt_mo import SampleScheduler
        >>> scheduler = SampleScheduler(num_samples=8, floor=0.2)
        >>> losses = np.array([0.0, 0, 0, 0, 0, 0, 0, 1])  # seven samples are done
        >>> counts = np.zeros(8, dtype=int)
        >>> for _ in range(100):
        ...     drawn = scheduler.draw(2)
        ...     counts[drawn] += 1
        ...     scheduler.tell(drawn, losses[drawn])
        >>> bool(counts[7] > 80), bool(counts.min() > 5)
        (True, True)

    Reference:
        Hui et al. (2026), section 4.5, on a constrained budget; the weights: Horvitz and Thompson (1952), Journal of
        the American Statistical Association 47; the draw: Madow (1949), Annals of Mathematical Statistics 20. Measured
        by ``python -m benchmarks.budget``.
    """

    def __init__(
        self,
        num_samples: int,
        *,
        seed: int = 0,
        floor: float = 0.3,
        uncertainty: float = 0.5,
        newest: float = 0.3,
    ) -> None:
        self.num_samples = check_count("num_samples", num_samples)
        self.seed = check_seed("seed", seed)
        self.floor = check_between("floor", floor, 0.0, 1.0, interval="(0, 1]")
        self.uncertainty = check_between("uncertainty", uncertainty, 0.0, 1.0, interval="[0, 1]")
        self.newest = check_between("newest", newest, 0.0, 1.0, interval="(0, 1]")
        self.reset()

    def reset(self) -> None:
        """Forget all losses and start the draws anew."""
        self._step = 0
        self._visits = np.zeros(self.num_samples, dtype=np.int64)
        self._means = np.zeros(self.num_samples)
        self._variances = np.full(self.num_samples, np.nan)  # until it is known
        self._weights = np.zeros(0)

    @property
    def shares(self) -> Numbers:
        """How often each sample is drawn, relative to the others ``[N]``; they add up to 1."""
        even = np.full(self.num_samples, 1 / self.num_samples)
        priority = self._priority()
        total = priority.sum()
        return even if total == 0 else self.floor * even + (1 - self.floor) * priority / total

    @property
    def weights(self) -> Numbers:
        """Factors of the losses of the last draw ``[size]`` with which their sum is the pool's mean on average."""
        return self._weights.copy()

    def draw(self, size: int) -> Indices:
        """The samples of this step, all different; drawn again before :meth:`tell` they are the same.

        Args:
            size: How many.

        Returns:
            Their numbers ``[size]``, in order.

        Raises:
            ValueError: If ``size`` is not from 1 to the size of the pool.
        """
        if check_count("size", size) > self.num_samples:
            raise ValueError(f"`size` must be at most the {self.num_samples} samples of the pool, got {size}.")
        chances = _capped(self.shares, size)
        drawn = _systematic(chances, size, self._generator())
        self._weights = 1 / (self.num_samples * chances[drawn])
        return drawn

    def tell(self, indices: Sequence[int] | Indices, losses: npt.ArrayLike) -> None:
        """Take in what was found; the next step draws anew.

        Args:
            indices: Numbers of the samples asked ``[k]``.
            losses: Their losses ``[k]``, or at each of several probes ``[k, q]``; NaN where a query failed.

        Raises:
            ValueError: If there is no such sample, or a loss is infinite or missing.
        """
        asked = np.asarray(indices, dtype=np.int64).reshape(-1)
        rows = np.asarray(losses, dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or len(rows) != len(asked):
            raise ValueError(
                f"`losses` must hold a row for each of {len(asked)} samples, got shape {list(rows.shape)}."
            )
        if np.isinf(rows).any():
            raise ValueError("`losses` must be finite, or NaN where a query failed, got an infinite one.")
        wrong = asked[(asked < 0) | (asked >= self.num_samples)]
        if wrong.size:
            raise ValueError(f"`indices` must be below {self.num_samples}, the size of the pool, got {wrong[0]}.")
        for index, row in zip(asked.tolist(), rows, strict=True):
            self._visit(index, row[~np.isnan(row)])
        self._step += 1

    def _visit(self, index: int, losses: Numbers) -> None:
        if not losses.size:
            return
        self._visits[index] += 1
        weight = max(1 / self._visits[index], self.newest)
        is_first = self._visits[index] == 1
        moved = 0.0 if is_first else float(losses.mean() - self._means[index])
        if losses.size > 1 or not is_first:
            known = np.nan_to_num(self._variances[index])
            self._variances[index] = known + weight * (float(losses.var()) + moved**2 - known)
        self._means[index] += float(losses.mean()) if is_first else weight * moved

    def _priority(self) -> Numbers:
        """The a_i; where nothing is known of a sample, the largest of the others."""
        excess = np.where(self._visits > 0, self._means, np.nan)
        if (self._visits > 0).any():
            excess = excess - np.nanmin(excess)
        spread = np.sqrt(self._variances)
        return self.uncertainty * _over_mean(spread) + (1 - self.uncertainty) * _over_mean(excess)

    def _generator(self) -> np.random.Generator:
        # The second word of the key keeps draws apart from the directions of an estimator with the same seed.
        key = np.array([self.seed, 1], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, self._step], dtype=np.uint64)))

    def state_dict(self) -> dict[str, Any]:
        """All that the next draw depends on, as plain numbers; None stands for a spread that is not known."""
        return {
            "step": self._step,
            "visits": self._visits.tolist(),
            "means": self._means.tolist(),
            "variances": [None if np.isnan(variance) else float(variance) for variance in self._variances],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave on one built with the same arguments.
        """
        self.reset()
        self._step = state["step"]
        self._visits = np.array(state["visits"], dtype=np.int64)
        self._means = np.array(state["means"], dtype=np.float64)
        self._variances = np.array([np.nan if known is None else known for known in state["variances"]])


def _over_mean(values: Numbers) -> Numbers:
    """Values over the mean of those known; the largest where one is NaN, and 1 where nothing tells them apart."""
    known = values[~np.isnan(values)]
    mean = known.mean() if known.size else 0.0
    if mean == 0:
        return np.ones_like(values)
    return np.asarray(np.where(np.isnan(values), known.max(), values) / mean, dtype=np.float64)


def _capped(shares: Numbers, size: int) -> Numbers:
    """Chances ``min(1, size * share)`` that add up to ``size``; what is cut off goes to the others."""
    chances = size * shares
    certain = np.zeros(len(shares), dtype=bool)
    while (chances[~certain] >= 1).any():
        certain |= chances >= 1
        rest = shares[~certain].sum()
        chances = np.where(certain, 1.0, shares * ((size - certain.sum()) / rest if rest > 0 else 0.0))
    return chances


def _systematic(chances: Numbers, size: int, generator: np.random.Generator) -> Indices:
    """Different samples, each with its chance: one random start, then even steps through a shuffled row of chances."""
    certain = np.flatnonzero(chances >= 1)
    others = generator.permutation(np.flatnonzero(chances < 1))
    count = size - len(certain)
    if count == 0:
        return certain
    ends = np.cumsum(chances[others])
    found = np.searchsorted(ends * (count / ends[-1]), generator.random() + np.arange(count), side="right")
    return np.sort(np.concatenate([certain, others[found]]))
