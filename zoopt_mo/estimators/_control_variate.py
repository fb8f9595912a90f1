"""What is known of the gradient as control variates: exact gradients of other objectives, and a guess."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_between
from zoopt_mo.directions import Combination, opposite_pairs
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator
from zoopt_mo.estimators._failures import usable

Array = npt.NDArray[Any]


class ControlVariate(Estimator):
    r"""Estimates only what the exact gradients of the step's white boxes, and a guess, leave unexplained.

    At a Pareto-optimal point the gradients of two objectives are opposite: what a black box's probes measure is then
    almost wholly known from the white box's exact gradient :math:`h`, and only the rest is noisy. The gradient of a
    surrogate, the ``prior`` of a :class:`zoopt_mo.BlackBox`, serves in the same way: the probes themselves tell what it
    is worth, so that a useless guess is not followed and one with the wrong sign is turned. With displacements
    :math:`\delta_j` and losses :math:`L_j` of a step, bars for their means over the step, and :math:`\kappa` the
    regression of losses on :math:`h \cdot \delta` over the recent steps,

    .. math::

        \kappa = \frac{\sum (L_j - \bar L)\; h \cdot (\delta_j - \bar\delta)}{\sum (h \cdot (\delta_j - \bar\delta))^2},
        \qquad L_j' = L_j - \kappa\, h \cdot (\delta_j - \bar\delta), \qquad \hat g = \hat g(L') + \kappa h,

    where :math:`\hat g(L')` is the wrapped estimator's answer to the remaining losses. For SPSA this is
    :math:`\kappa h + (s - \kappa\, h \cdot d)\, d`. Several of them are regressed on together. As unbiased as the
    wrapped estimator, but for the correlation of :math:`\kappa` with the losses of the step.

    Failed queries, and the other sides of their pairs, are left out of the means and of the regression.

    Costs no query. Without exact gradients and without a prior it changes nothing. Wrap it around momentum, not
    momentum around it: then only the noisy rest is averaged, and the known part is of the step itself.

    Args:
        estimator: The estimator to improve; one that is linear in the losses, such as SPSA.
        memory: Factor in [0, 1) by which older steps count less in the regression with each step.

    Raises:
        ValueError: If ``memory`` is out of range.

    Example:
        >>> import numpy as np
        >>> import zoopt_mo as zo
        >>> black = lambda x: float(((x - 1) ** 2).sum())
        >>> white = zo.WhiteBox(lambda x: float((x**2).sum()), grad=lambda x: 2 * x)
        >>> estimator = zo.ControlVariate(zo.Momentum(zo.SPSA(radius=0.01, directions=zo.hadamard)))
        >>> scalarizer = zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0])
        >>> result = zo.minimize(
        ...     [black, white], np.full(8, 2.0), lr=0.05, scalarizer=scalarizer, estimator=estimator, budget=401
        ... )
        >>> bool(np.all(abs(result.F - 2.0) < 0.1))  # the fair point of the front is (2, 2)
        True

    Reference:
        Ours, measured by ``python -m benchmarks.query_efficiency``, with a guess by ``python -m benchmarks.reach``;
        control variates: Glasserman (2003), chapter 4.
    """

    def __init__(self, estimator: Estimator, *, memory: float = 0.95) -> None:
        super().__init__()
        self.estimator = check_estimator(estimator)
        self.memory = check_between("memory", memory, 0.0, 1.0, interval="[0, 1)")
        self._asked: list[Combination] = []
        self._guesses: list[Combination] = []  # the prior of this step, if there is one
        self._products: Array = np.zeros((0, 0))
        self._targets: Array = np.zeros(0)

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        self._asked = self.estimator.ask(size, prior=prior)
        self._guesses = [] if prior is None else [prior]
        return self._asked

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        read, known = usable(self._asked, losses), [*exact, *self._guesses]
        if not known or not read.any():
            return self.estimator.tell(losses, exact=exact)
        slopes = _products(self._asked, known)
        slopes -= slopes[read].mean(axis=0)
        factors = self._regress(slopes[read], losses[read] - losses[read].mean())
        rest = self.estimator.tell(losses - slopes @ factors, exact=exact)
        gradient = rest.gradient
        for factor, h in zip(factors, known, strict=True):
            gradient = gradient + float(factor) * h
        return dataclasses.replace(rest, gradient=gradient)

    def _regress(self, slopes: Array, losses: Losses) -> Array:
        """The factors kappa, one for each known gradient."""
        if len(self._targets) != slopes.shape[1]:
            self._products = np.zeros((slopes.shape[1],) * 2)
            self._targets = np.zeros(slopes.shape[1])
        self._products = self.memory * self._products + slopes.T @ slopes
        self._targets = self.memory * self._targets + slopes.T @ losses
        factors: Array = np.linalg.lstsq(self._products, self._targets)[0]
        return factors

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._products, self._targets, self._guesses = np.zeros((0, 0)), np.zeros(0), []

    def _state(self) -> dict[str, Any]:
        return {
            "estimator": self.estimator.state_dict(),
            "products": self._products.tolist(),
            "targets": self._targets.tolist(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._targets = np.array(state["targets"])
        self._products = np.array(state["products"]).reshape((len(self._targets),) * 2)


def _products(displacements: Sequence[Combination], known: Sequence[Combination]) -> Array:
    """Inner products ``[q, n]``; the other side of a pair has those of the first, turned, at no pass over theta."""
    products = np.empty((len(displacements), len(known)))
    opposite = {other: one for one, other in opposite_pairs(displacements)}
    for number, displacement in enumerate(displacements):
        one = opposite.get(number)
        products[number] = [displacement.dot(h) for h in known] if one is None else -products[one]
    return products
