"""Probes guided by a guess of the gradient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoopt_mo._checks import check_positive
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import (
    Estimate,
    Estimator,
    Losses,
    NothingMeasured,
    Radius,
    check_estimator,
    check_radius,
    radius_at,
)


class PriorGuided(Estimator):
    r"""Spends one pair of queries on a guess of the gradient and the wrapped estimator's on all that it leaves out.

    A surrogate that can be differentiated, such as a small open model in the place of a paid one, gives a guess
    :math:`v` of the gradient: hand it to the :class:`zoopt_mo.BlackBox` as ``prior``. With :math:`u = \sqrt p\, v /
    \lVert v \rVert`, the slope along it measured by the black box itself,
    :math:`s_u = (L(\theta + c\,u) - L(\theta - c\,u)) / 2c`, and :math:`P` the projection that removes :math:`u`,

    .. math:: \hat g = \frac{w}{p}\, s_u\, u + P\, \hat g_{\text{rest}},

    where the rest is estimated along the wrapped estimator's displacements, each made orthogonal to :math:`u`. At
    ``weight`` 1 it is as unbiased as the wrapped estimator, whatever the guess. But random estimates are
    :math:`\sqrt{p/q}` times longer than the gradient, and the step is set for them: the default,
    :math:`w = p / (q + 1)`, lets the guess count as one of the ``q + 1`` directions. A guess that is of no use has a
    slope near zero and costs its two queries, no more; a wrong sign is measured and turned.

    If a query of the pair fails, the step says nothing along the guess; if all the others fail, nothing but that.

    Costs two queries more than the wrapped estimator, none where no prior is given.

    Args:
        estimator: The estimator of the rest, with displacements along directions of mean square 1.
        radius: Radius :math:`c > 0` of the pair along the guess, or a function from the step to it.
        weight: Factor of the projection on the guess; None for the default above.

    Raises:
        ValueError: If ``radius`` or ``weight`` is not positive.

    Example:
        >>> import torch
        >>> import zoopt_mo as zo
        >>> estimator = zo.PriorGuided(zo.SPSA(radius=0.1), radius=0.1, weight=1.0)
        >>> guess = zo.Combination([(1.0, zo.DenseDirection(torch.tensor([0.0, 2.0])))])
        >>> slopes = torch.tensor([3.0, 4.0])
        >>> losses = [d.dot(slopes) for d in estimator.ask(2, prior=guess)]
        >>> estimator.tell(losses).gradient.dense().tolist()
        [3.0, 4.0]

    Reference:
        Cheng et al. (2019), NeurIPS, prior-guided random gradient-free; Cheng et al. (2021), arXiv 2107.10110.
    """

    def __init__(self, estimator: Estimator, *, radius: Radius, weight: float | None = None) -> None:
        super().__init__()
        self.estimator = check_estimator(estimator)
        self.radius = check_radius(radius)
        self.weight = None if weight is None else check_positive("weight", weight)
        self._step = 0
        self._guess: Combination | None = None  # at the length of a probe of radius 1
        self._asked_radius: float | None = None

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        rest = self.estimator.ask(size, prior=prior)
        norm = 0.0 if prior is None else prior.norm()
        if prior is None or norm == 0.0:
            self._guess = None
            return rest
        self._guess = (math.sqrt(size) / norm) * prior
        if self._asked_radius is None:
            self._asked_radius = radius_at(self.radius, self._step)
        pair = [side * self._asked_radius * self._guess for side in (1.0, -1.0)]
        return [*pair, *(_without(displacement, self._guess) for displacement in rest)]

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        guess, radius = self._guess, self._asked_radius
        self._step, self._asked_radius = self._step + 1, None
        if guess is None or radius is None:
            return self.estimator.tell(losses, exact=exact)
        plus, minus = losses[:2]
        try:
            raw = self.estimator.tell(losses[2:], exact=exact)
        except NothingMeasured:
            if np.isnan(plus - minus):
                raise
            return Estimate(self._along(guess, plus - minus, radius, 0), value=float((plus + minus) / 2))
        rest = _without(raw.gradient, guess)
        if np.isnan(plus - minus):
            return dataclasses.replace(raw, gradient=rest)
        along = self._along(guess, plus - minus, radius, raw.num_directions)
        return dataclasses.replace(raw, gradient=rest + along)

    def _along(self, guess: Combination, difference: float, radius: float, num_others: int) -> Combination:
        weight = guess.size / (num_others + 1) if self.weight is None else self.weight
        return float(weight * difference / (2 * radius * guess.size)) * guess

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._step, self._guess, self._asked_radius = 0, None, None

    def _state(self) -> dict[str, Any]:
        return {"estimator": self.estimator.state_dict(), "step": self._step}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._step, self._guess, self._asked_radius = state["step"], None, None


def _without(vector: Combination, guess: Combination) -> Combination:
    """The vector less its projection on the guess, whose squared length is ``p``."""
    return vector + (-vector.dot(guess) / guess.size) * guess
