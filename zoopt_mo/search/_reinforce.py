"""REINFORCE: the policy gradient of a Gaussian whose mean is the point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoopt_mo._checks import check_between, check_positive
from zoopt_mo.search._agent import Agent
from zoopt_mo.search._base import Vector, as_array, as_tensor, generator

# An action reaches this many standard deviations, so that the bound of the action space never cuts one.
_REACH = 100.0


class REINFORCE(Agent):
    r"""Draw points from a Gaussian and move its mean toward those that did better than expected.

    .. math::

        x \sim \mathcal N(m, \sigma^2 I), \qquad m \leftarrow m + \alpha\, A\, (x - m), \qquad
        \log \sigma \leftarrow \log \sigma + \frac{\alpha A}{2p} \left(\frac{\|x - m\|^2}{\sigma^2} - p\right)

    with the advantage :math:`A = r - V`: the reward, which is the improvement on the last loss, less its expected
    value, the last loss minus the running mean :math:`b` of the losses, so that :math:`A = b - L(x)`. The step of the
    mean is the likelihood-ratio gradient at Williams' own rate :math:`\alpha \sigma^2`; both are natural gradients.
    Costs one query a step, the first for the start, and is unbiased for the gradient of the loss smoothed by the
    Gaussian. Its variance grows with ``p``: expect it to need many times the queries of :class:`zoopt_mo.SPSA`.

    Args:
        sigma: Standard deviation :math:`\sigma > 0` in the units of x.
        lr: Rate :math:`\alpha > 0`, in one over the units of the loss; below one over ``p`` times the spread of the
            losses, or the mean jumps.
        learn_sigma: Adapt the standard deviation too, by at most a factor of e a step.
        baseline_decay: Weight of the past in the running mean of the losses, in [0, 1); 0.9 is this library's choice.
        seed: Seed of the policy's draws.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from zoopt_mo import REINFORCE
        >>> method = REINFORCE(sigma=0.3, lr=0.5, seed=0)
        >>> method.start([1.0, 1.0])
        >>> for _ in range(400):
        ...     method.tell([float((x**2).sum()) for x in method.ask()])
        >>> x, loss = method.best
        >>> loss < 0.01
        True

    Reference:
        Williams (1992), Machine Learning 8, sections 4 and 6; the family of table 6 of Hui et al. (2026).
    """

    def __init__(
        self, *, sigma: float, lr: float, learn_sigma: bool = False, baseline_decay: float = 0.9, seed: int = 0
    ) -> None:
        self.sigma = check_positive("sigma", sigma)
        super().__init__(scale=_REACH * self.sigma, seed=seed)
        self.lr = check_positive("lr", lr)
        self.learn_sigma = learn_sigma
        self.baseline_decay = check_between("baseline_decay", baseline_decay, 0.0, 1.0, interval="[0, 1)")

    def _begin(self, loss: float) -> None:
        self._mean = self.env.x
        self._sigma = self.sigma
        self._loss = self._baseline = loss

    def _act(self, _observation: Vector) -> Vector:
        self._noise = generator(self.seed, self._step).standard_normal(self._mean.size)
        move = self._mean + self._sigma * self._noise - self.env.x
        return np.clip(move / self.env.scale, -1.0, 1.0)

    def _learn(self, _before: Vector, reward: float, _after: Vector, loss: float) -> None:
        expected = self._loss - self._baseline
        rate = self.lr * (reward - expected)
        self._mean = self._mean + rate * self._sigma * self._noise
        if self.learn_sigma:
            change = rate * (float(self._noise @ self._noise) / self._noise.size - 1.0) / 2.0
            self._sigma *= math.exp(min(max(change, -1.0), 1.0))
        self._baseline = self.baseline_decay * self._baseline + (1.0 - self.baseline_decay) * loss
        self._loss = loss

    def _memory(self) -> dict[str, Any]:
        return {"mean": as_tensor(self._mean), "sigma": self._sigma, "loss": self._loss, "baseline": self._baseline}

    def _load_memory(self, state: Mapping[str, Any]) -> None:
        self._mean, self._sigma = as_array(state["mean"]), state["sigma"]
        self._loss, self._baseline = state["loss"], state["baseline"]
