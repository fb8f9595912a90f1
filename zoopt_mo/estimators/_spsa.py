"""Simultaneous perturbation stochastic approximation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoopt_mo._checks import check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, Radius, check_radius, radius_at
from zoopt_mo.estimators._failures import complete_pairs
from zoopt_mo.sampling import DirectionSource, DirectionStream, rademacher


class SPSA(Estimator):
    r"""Two-sided simultaneous perturbation: one pair of queries along a random direction.

    .. math::

        \hat g_k = \frac{1}{q} \sum_{j=1}^{q}
        \frac{L(\theta + c_k \Delta_j) - L(\theta - c_k \Delta_j)}{2 c_k \Delta_j}

    with division entry by entry. Costs ``2 * num_pairs`` queries a step. Unbiased for a quadratic loss; the bias is of
    order :math:`c_k^2` otherwise. The value at theta is the mean over the pairs: no query of its own. A pair with a
    failed side is left out of both means.

    Args:
        radius: Radius :math:`c > 0` in the units of theta, or a function from the step (0, 1, ...) to it, such as
            :meth:`zoopt_mo.SpallGains.radius_at`.
        num_pairs: Directions a step ``q``.
        directions: Where directions come from: :func:`zoopt_mo.rademacher` or :func:`zoopt_mo.hadamard` (one bit an
            entry), or :func:`zoopt_mo.segmented_uniform`; no entry may be zero.
        seed: Seed of the directions; the same seed gives the same directions on every device, and to every estimator.

    Raises:
        ValueError: If ``radius`` is not positive or ``num_pairs`` is below 1.

    Example:
        >>> from zoopt_mo import SPSA
        >>> estimator = SPSA(radius=0.1, seed=0)
        >>> plus, minus = estimator.ask(3)
        >>> estimate = estimator.tell([2.0, 1.0])
        >>> estimate.value, abs(estimate.gradient.dense()).tolist()
        (1.5, [5.0, 5.0, 5.0])

    Reference:
        Spall (1992), IEEE Transactions on Automatic Control 37(3); equations 2 and 7 of Hui et al. (2026).
    """

    def __init__(
        self,
        *,
        radius: Radius,
        num_pairs: int = 1,
        directions: DirectionSource = rademacher,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.radius = check_radius(radius)
        self.num_pairs = check_count("num_pairs", num_pairs)
        self.directions = directions
        self._stream = DirectionStream(directions, seed)
        self._asked_radius = 0.0

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        if not self._stream.is_drawn:
            self._asked_radius = radius_at(self.radius, self._stream.step)
        directions = self._stream.draw(size, self.num_pairs)
        return [Combination([(sign * self._asked_radius, d)]) for d in directions for sign in (1.0, -1.0)]

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        pairs, directions = complete_pairs(losses, self._stream.advance())
        slopes = (pairs[:, 0] - pairs[:, 1]) / (2 * self._asked_radius * len(pairs))
        gradient = Combination([(slope, d.reciprocal()) for slope, d in zip(slopes, directions, strict=True)])
        return Estimate(gradient, value=float(pairs.mean()), num_directions=len(pairs))

    def _reset(self, seed: int | None) -> None:
        self._stream.reset(seed)

    def _state(self) -> dict[str, Any]:
        return self._stream.state_dict()

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._stream.load_state_dict(state)
