"""The evolution strategy of OpenAI: a population of mirrored probes, read by rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from zoopt_mo._checks import check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, Radius, check_radius, radius_at
from zoopt_mo.estimators._failures import complete_pairs
from zoopt_mo.estimators._isotropic import check_isotropic
from zoopt_mo.sampling import DirectionSource, DirectionStream, gaussian


class EvolutionStrategy(Estimator):
    r"""OpenAI-ES: a population around theta, in mirrored pairs, whose losses count by their ranks.

    .. math::

        \hat g_k = \frac{1}{n \sigma_k} \sum_{j=1}^{n} u_j \epsilon_j, \qquad
        u_j = \frac{\operatorname{rank}(L_j)}{n - 1} - \frac 1 2, \qquad
        L_j = L(\theta + \sigma_k \epsilon_j)

    Rank 0 is the smallest loss and :math:`n - 1` the largest, so :math:`\hat g` points where the loss grows, as a
    gradient does, and an optimizer steps against it. (The paper maximises a return and steps along it.) Equal losses
    share their mean rank: on a plateau the estimate is zero.

    Costs ``population`` queries a step. With ranks the length of the estimate depends on the order of the losses alone,
    which outliers and any increasing map of the loss leave as it is. So the estimate is not the gradient's on average,
    does not shrink near an optimum, and needs a step size that does: :meth:`zoopt_mo.SpallGains.lr_at`, say. With raw
    losses it equals :class:`RGE` on ``population / 2`` pairs. The value is the mean of the losses. A pair with a failed
    side drops out of the population, which is then smaller.

    Args:
        radius: Standard deviation :math:`\sigma > 0` of the population in the units of theta, or a function from the
            step (0, 1, ...) to it.
        population: Probes a step ``n``, an even number. The default is ours, for dear queries; the paper's
            simulated ones came by the thousand.
        shaping: "ranks", or "raw" for :math:`u_j = L_j`.
        directions: Where the :math:`\epsilon_j` come from; entries of mean square 1, so not
            :func:`zoopt_mo.segmented_uniform`.
        seed: Seed of the directions.

    Raises:
        ValueError: If ``radius`` is not positive, ``population`` is below 2 or odd, ``shaping`` is unknown, or
            ``directions`` are of another scale.

    Example:
        >>> from zoopt_mo import EvolutionStrategy
        >>> estimator = EvolutionStrategy(radius=0.5, population=4)
        >>> len(estimator.ask(3))
        4
        >>> estimate = estimator.tell([9.0, 1.0, 2.0, 3.0])  # ranks 3, 0, 1, 2
        >>> [round(coefficient, 3) for coefficient, _ in estimate.gradient.terms]
        [0.5, -0.167]

    Reference:
        Salimans et al. (2017), arXiv:1703.03864, algorithm 1 with mirrored sampling and rank shaping.
    """

    def __init__(
        self,
        *,
        radius: Radius,
        population: int = 16,
        shaping: Literal["ranks", "raw"] = "ranks",
        directions: DirectionSource = gaussian,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if check_count("population", population, least=2) % 2:
            raise ValueError(f"`population` must be even, for mirrored pairs, got {population}.")
        if shaping not in ("ranks", "raw"):
            raise ValueError(f"`shaping` must be 'ranks' or 'raw', got {shaping!r}.")
        self.radius = check_radius(radius)
        self.population = int(population)
        self.shaping = shaping
        self.directions = check_isotropic(directions)
        self._stream = DirectionStream(directions, seed)
        self._asked_radius = 0.0

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        if not self._stream.is_drawn:
            self._asked_radius = radius_at(self.radius, self._stream.step)
        directions = self._stream.draw(size, self.population // 2)
        return [Combination([(sign * self._asked_radius, d)]) for d in directions for sign in (1.0, -1.0)]

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        pairs, directions = complete_pairs(losses, self._stream.advance())
        losses = pairs.reshape(-1)
        utilities = _centred_ranks(losses) if self.shaping == "ranks" else losses
        shares = (utilities[0::2] - utilities[1::2]) / (len(losses) * self._asked_radius)
        gradient = Combination(list(zip(shares, directions, strict=True)))
        return Estimate(gradient, value=float(losses.mean()), num_directions=len(directions))

    def _reset(self, seed: int | None) -> None:
        self._stream.reset(seed)

    def _state(self) -> dict[str, Any]:
        return self._stream.state_dict()

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._stream.load_state_dict(state)


def _centred_ranks(losses: Losses) -> Losses:
    """Ranks scaled to -1/2 (smallest) ... 1/2 (largest); equal losses share the mean of their ranks."""
    _, which, counts = np.unique(losses, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    ranks = (last - (counts - 1) / 2)[which]
    return np.asarray(ranks / (len(losses) - 1) - 0.5, dtype=np.float64)
