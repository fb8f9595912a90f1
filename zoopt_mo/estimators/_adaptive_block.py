"""A block of probes, one-sided where the loss allows it and in pairs where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, Radius, check_radius, radius_at
from zoopt_mo.estimators._failures import complete_pairs, measured_probes
from zoopt_mo.sampling import DirectionSource, DirectionStream, hadamard


class AdaptiveBlock(Estimator):
    r"""Probes along orthogonal directions: one a direction while that is enough, pairs where curvature or noise asks.

    A one-sided block measures ``q`` directions with ``q`` queries, a block of pairs half as many with the same number:

    .. math::

        s_j = \frac{q}{q-1} \, \frac{L(\theta + c\,d_j) - \bar L}{c} \quad \text{or} \quad
        s_j = \frac{L(\theta + c\,d_j) - L(\theta - c\,d_j)}{2c}, \qquad \hat g = \frac{1}{q} \sum_j s_j d_j

    What a one-sided block cannot tell from slope is the even part of the loss,
    :math:`e_j = \tfrac12 (L(\theta + c\,d_j) + L(\theta - c\,d_j))`: where it differs from direction to direction
    (curvature that is not diagonal, or noise of the loss), it enters the gradient. So the first ``warmup`` blocks and
    every ``interval``-th one are pairs; they measure the spread of the even and of the odd part, and blocks are pairs
    too while the variance of the even part exceeds ``threshold`` times that of the odd part.

    Costs up to ``num_probes`` queries a step; the first blocks are smaller, since the first steps are taken blindly. A
    one-sided block is unbiased for a linear loss and independent directions, a block of pairs for a quadratic one. The
    value is the mean of the losses, :math:`\tfrac{c^2}{2} \operatorname{tr} H` above the loss at theta.

    Probes that fail, and the other sides of their pairs, are left out of the block; two one-sided probes or one pair
    must be left.

    Args:
        radius: Radius :math:`c > 0` in the units of theta, or a function from the step to it.
        num_probes: Queries of a full block, an even number of at least 4.
        start_probes: Queries of the first two blocks; the number doubles every two blocks.
        directions: Where directions come from; signs, or others with entries of mean square 1.
        threshold: Ratio of the two variances above which blocks are pairs.
        warmup: First blocks that are pairs.
        interval: Every which block is pairs in any case.
        seed: Seed of the directions.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from zoopt_mo import AdaptiveBlock
        >>> estimator = AdaptiveBlock(radius=0.01)
        >>> len(estimator.ask(1000))  # two pairs
        4

    Reference:
        Ours; defaults measured by ``python -m benchmarks.query_efficiency``. Orthogonal directions: Kozak et al.
        (2023), Mathematical Programming 199.
    """

    def __init__(
        self,
        *,
        radius: Radius,
        num_probes: int = 16,
        start_probes: int = 4,
        directions: DirectionSource = hadamard,
        threshold: float = 0.2,
        warmup: int = 5,
        interval: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.radius = check_radius(radius)
        self.num_probes = _check_even("num_probes", num_probes)
        self.start_probes = _check_even("start_probes", start_probes)
        self.threshold = check_positive("threshold", threshold)
        self.warmup = check_count("warmup", warmup, least=0)
        self.interval = check_count("interval", interval)
        self._stream = DirectionStream(directions, seed)
        self._spread = _Spread()
        self._asked_radius = 0.0

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        step = self._stream.step
        if not self._stream.is_drawn:
            self._asked_radius = radius_at(self.radius, step)
        num_probes = min(self.num_probes, self.start_probes << min(step // 2, 16), max(4, size + size % 2))
        sides = (1.0, -1.0) if self._in_pairs else (1.0,)
        directions = self._stream.draw(size, num_probes // len(sides))
        return [Combination([(side * self._asked_radius, d)]) for d in directions for side in sides]

    @property
    def _in_pairs(self) -> bool:
        step, spread = self._stream.step, self._spread
        due = step < self.warmup or step % self.interval == 0 or spread.count == 0
        return due or spread.even > self.threshold * spread.odd

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        in_pairs = self._in_pairs
        drawn = self._stream.advance()
        if in_pairs:
            pairs, directions = complete_pairs(losses, drawn)
            losses, (plus, minus) = pairs.reshape(-1), pairs.T
            self._spread.update((plus + minus) / 2, (plus - minus) / 2)
            slopes = (plus - minus) / (2 * self._asked_radius)
        else:
            losses, directions = measured_probes(losses, drawn, least=2)
            slopes = (losses - losses.mean()) * len(losses) / (len(losses) - 1) / self._asked_radius
        gradient = Combination([(slope / len(slopes), d) for slope, d in zip(slopes, directions, strict=True)])
        return Estimate(gradient, value=float(losses.mean()), num_directions=len(slopes))

    def _reset(self, seed: int | None) -> None:
        self._stream.reset(seed)
        self._spread = _Spread()

    def _state(self) -> dict[str, Any]:
        return {**self._stream.state_dict(), "spread": vars(self._spread).copy()}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._stream.load_state_dict(state)
        self._spread = _Spread(**state["spread"])


class _Spread:
    """Running variances of the even and the odd part of the loss over directions."""

    NEWEST = 0.4  # least weight of the newest block

    def __init__(self, even: float = 0.0, odd: float = 0.0, count: int = 0) -> None:
        self.even, self.odd, self.count = even, odd, count

    def update(self, even: Losses, odd: Losses) -> None:
        if len(even) < 2:  # the others failed
            return
        self.count += 1
        weight = max(1 / self.count, self.NEWEST)
        self.even += weight * (float(even.var(ddof=1)) - self.even)
        self.odd += weight * (float(np.mean(odd**2)) - self.odd)


def _check_even(name: str, value: int) -> int:
    number = check_count(name, value, least=4)
    if number % 2:
        raise ValueError(f"`{name}` must be even, got {value}.")
    return number
