"""Nesterov's acceleration for estimates along a few random directions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zoopt_mo._checks import check_positive
from zoopt_mo.directions import Combination, DenseDirection
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator


class Acceleration(Estimator):
    r"""Momentum that grows from step to step and starts anew when it points uphill.

    An estimate along ``q`` of ``p`` dimensions is :math:`\sqrt{p/q}` times as long as the gradient, and momentum adds
    up its noise. Accelerated random search therefore lets momentum grow :math:`p/q` times slower than Nesterov's method
    does. With :math:`\nu = \min(1, v\,q/p)` for ``speed`` ``v``, :math:`k` the steps since the last start,
    :math:`\tau_k = 2 / (k + 2/\nu)`:

    .. math::

        m_{k+1} = (1 - \tau_k)\, m_k + \frac{\nu k}{2}\, \hat g_k, \qquad \tilde g_k = \hat g_k + \tau_{k+1} m_{k+1}

    which for :math:`\nu = 1` and exact gradients is Nesterov's method. Momentum is dropped when the running mean of

    .. math:: t_k = \frac{-\tau_k \, \hat g_k \cdot m_k - s^2}{\tau_k\, s \lVert m_k \rVert + s^2}, \qquad
        s^2 = \frac{q}{p} \lVert \hat g_k \rVert^2

    is positive: the step would climb. :math:`s^2` stands for the squared gradient, free of the estimate's extra length.

    Leave it out with minibatches: momentum adds up what each batch has of its own.

    Costs no query. The accelerated gradient is biased towards the past, as momentum is. Memory: one ``float32`` vector.

    Args:
        estimator: The estimator to accelerate.
        speed: How fast momentum grows, ``v``; 1 is safe by theory, 2 to 4 are faster in practice.

    Raises:
        ValueError: If ``speed`` is not positive.

    Example:
        >>> from zoopt_mo import Acceleration, AdaptiveBlock
        >>> estimator = Acceleration(AdaptiveBlock(radius=0.01))

    Reference:
        Nesterov and Spokoiny (2017), Foundations of Computational Mathematics 17, section 6; restarts: O'Donoghue and
        Candes (2015), Foundations of Computational Mathematics 15. Defaults measured by
        ``python -m benchmarks.query_efficiency``.
    """

    NEWEST = 0.5  # weight of the newest step in the running mean of the restart test

    def __init__(self, estimator: Estimator, *, speed: float = 3.0) -> None:
        super().__init__()
        self.estimator = check_estimator(estimator)
        self.speed = check_positive("speed", speed)
        self._momentum: Tensor | None = None
        self._age = 0  # steps since momentum started
        self._uphill = 0.0

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        return self.estimator.ask(size, prior=prior)

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        raw = self.estimator.tell(losses, exact=exact)
        gradient = raw.gradient.dense(device=raw.gradient.device)
        share = raw.num_directions / gradient.numel()
        growth = min(1.0, self.speed * share)
        momentum = self._kept(gradient, growth, share)
        # New momentum each step: saved states hold on to theirs. The gradient is this step's own, and is written over.
        momentum = torch.mul(momentum, 1 - _mixing(self._age, growth)).add_(gradient, alpha=growth * self._age / 2)
        self._momentum = momentum
        self._age += 1
        gradient.add_(momentum, alpha=_mixing(self._age, growth))
        return dataclasses.replace(raw, gradient=Combination([(1.0, DenseDirection(gradient))]))

    def _kept(self, gradient: Tensor, growth: float, share: float) -> Tensor:
        """The momentum so far; zero at the start, and again where it points uphill."""
        if self._momentum is not None:
            self._momentum = self._momentum.to(gradient.device)  # where it was saved may be elsewhere
            newest = _uphill(gradient, self._momentum, _mixing(self._age, growth), share)
            self._uphill += self.NEWEST * (newest - self._uphill)
            if self._uphill <= 0:
                return self._momentum
        self._age, self._uphill = 0, 0.0
        return torch.zeros_like(gradient)

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._momentum, self._age, self._uphill = None, 0, 0.0

    def _state(self) -> dict[str, Any]:
        return {
            "estimator": self.estimator.state_dict(),
            "momentum": self._momentum,
            "age": self._age,
            "uphill": self._uphill,
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._momentum, self._age, self._uphill = state["momentum"], state["age"], state["uphill"]


def _mixing(age: int, growth: float) -> float:
    """The factor tau of the momentum."""
    return 2 / (age + 2 / growth)


def _uphill(gradient: Tensor, momentum: Tensor, mixing: float, share: float) -> float:
    """Above 0 where the gradient opposes the momentum more than it makes up for; between -1 and 1."""
    squared = share * float(torch.dot(gradient, gradient))
    inner = mixing * float(torch.dot(gradient, momentum))
    scale = mixing * math.sqrt(squared) * float(torch.linalg.vector_norm(momentum)) + squared
    return (-inner - squared) / scale if scale > 0 else 0.0
