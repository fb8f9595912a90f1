"""A step size from the curvature that the probes reveal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.directions import Combination, DenseDirection, opposite_pairs
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator
from zoopt_mo.estimators._failures import usable


class TuningFree(Estimator):
    r"""Sets the step by the curvature along the probes, and shortens it where the last step went too far.

    A second difference along a random direction of mean square 1 has the trace of the Hessian as its mean,

    .. math:: t_j = \frac{L(\theta + c\,d_j) + L(\theta - c\,d_j) - 2 L(\theta)}{c^2}, \qquad
        \operatorname{E} t_j = \operatorname{tr} H,

    and the estimate along ``q`` directions is stable up to a step of about :math:`2q/\operatorname{tr} H`. The gain of
    an estimate from ``n`` queries, a block or ``n / 2`` pairs, is

    .. math:: \text{gain} = \kappa \, \rho \, n / T, \qquad T = \overline{|t|}

    with the running mean over all pairs measured: the trace where the loss is convex, and more than it where curvatures
    of both signs would cancel. Every ``check_every``-th step a pair of queries along the *last* step tells whether the
    loss still falls there. With :math:`r \in [-1, 1]` that slope over the slope expected before the step,
    :math:`\kappa \leftarrow \min(1, \kappa\, e^{-r})`. Where noise of the loss or of minibatches stops progress,
    steps go too far on average, so :math:`\kappa` shrinks: this is the decay that a schedule would be set by hand for.
    Both measurements are within one step, so minibatches may change from step to step; take a ``factor`` of 0.1 then.

    Where queries fail, :math:`n` counts those that are left, and what they were to measure is measured by the others or
    later. The gain is 0 until a curvature is known.

    Costs beyond the wrapped estimator: one query each time curvature is measured where its probes hold pairs, else two
    (in the first ``warmup`` steps and every ``measure_every``-th one), and two for a check.

    The step size of the optimizer becomes a factor without unit: leave it at 1. In a step with other objectives the
    gain multiplies this objective's gradient alone.

    Args:
        estimator: The estimator whose step to set.
        factor: The factor :math:`\rho`, the step per query in one over the trace; pairs are stable below 1.
        warmup: First steps at which curvature is measured.
        measure_every: Steps from one measurement to the next afterwards.
        check_every: Steps from one check of the last step to the next.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import numpy as np
        >>> import zoopt_mo as zo
        >>> estimator = zo.TuningFree(zo.SPSA(radius=0.01))
        >>> result = zo.minimize(lambda x: float(100 * x @ x), np.ones(4), lr=1.0, estimator=estimator, budget=400)
        >>> result.fun < 1e-3
        True

    Reference:
        Ours, measured by ``python -m benchmarks.query_efficiency``; the trace from second differences: Hutchinson
        (1990), Communications in Statistics 19.
    """

    NEWEST = 0.1  # least weight of the newest measurement
    SHRINK = 1.0  # logarithm of the largest change of the factor kappa in one check

    def __init__(
        self,
        estimator: Estimator,
        *,
        factor: float = 0.45,
        warmup: int = 5,
        measure_every: int = 10,
        check_every: int = 3,
    ) -> None:
        super().__init__()
        self.estimator = check_estimator(estimator)
        self.factor = check_positive("factor", factor)
        self.warmup = check_count("warmup", warmup)
        self.measure_every = check_count("measure_every", measure_every)
        self.check_every = check_count("check_every", check_every)
        self._step = 0
        self._curvature = _Curvature()
        self._confidence = 1.0  # kappa
        self._last: DenseDirection | None = None  # the last gradient, at the length of a probe of radius 1
        self._asked: list[Combination] = []

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        self._asked = self.estimator.ask(size, prior=prior)
        return [*self._asked, *self._curvature_probes(), *self._check_probes()]

    def _curvature_probes(self) -> list[Combination]:
        """The centre, and a reflected probe where the wrapped estimator asks for no pair."""
        if self._curvature.count and self._step >= self.warmup and self._step % self.measure_every:
            return []
        centre = 0.0 * self._asked[0]
        return [centre] if opposite_pairs(self._asked) else [centre, -1.0 * self._asked[0]]

    def _check_probes(self) -> list[Combination]:
        """A pair along the last step; minus the gradient is where it went."""
        if self._last is None or self._step % self.check_every:
            return []
        radius = self._asked[0].norm() / math.sqrt(self._last.size)
        return [Combination([(side * radius, self._last)]) for side in (-1.0, 1.0)]

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        asked, count = self._asked, len(self._asked)
        num_extra = len(self._curvature_probes())
        own, extra, check = np.split(losses, [count, count + num_extra])
        raw = self.estimator.tell(own, exact=exact)
        read = usable(asked, own)
        if len(extra):
            self._curvature.update(_mean_size(asked, own, extra))
        if len(check):
            self._judge_last_step(check, own[read], raw.num_directions)
        self._step += 1
        self._remember(raw.gradient)
        curvature = self._curvature.value
        gain = self._confidence * self.factor * int(read.sum()) / curvature if curvature > 0 else 0.0
        return dataclasses.replace(raw, gain=raw.gain * gain)

    def _judge_last_step(self, check: Losses, own: Losses, num_directions: int) -> None:
        ahead, behind = check
        if np.isnan(ahead - behind):  # one of them failed
            return
        expected = 2 * math.sqrt(num_directions) * float(own.std(ddof=1))
        ratio = (ahead - behind) / expected if expected > 0 else 0.0
        self._confidence = min(1.0, self._confidence * math.exp(-self.SHRINK * max(-1.0, min(1.0, ratio))))

    def _remember(self, gradient: Combination) -> None:
        if (self._step % self.check_every) == 0:  # the next step checks it
            vector = gradient.dense(device=gradient.device)
            norm = float(vector.norm())
            self._last = DenseDirection(vector * (math.sqrt(vector.numel()) / norm)) if norm > 0 else None

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._step, self._curvature, self._confidence, self._last = 0, _Curvature(), 1.0, None

    def _state(self) -> dict[str, Any]:
        return {
            "estimator": self.estimator.state_dict(),
            "step": self._step,
            "curvature": vars(self._curvature).copy(),
            "confidence": self._confidence,
            "last": None if self._last is None else self._last.vector,
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._step, self._confidence = state["step"], state["confidence"]
        self._curvature = _Curvature(**state["curvature"])
        self._last = None if state["last"] is None else DenseDirection(state["last"])


class _Curvature:
    """Running mean of the sizes of the second differences."""

    def __init__(self, value: float = 0.0, count: int = 0) -> None:
        self.value, self.count = value, count

    def update(self, measured: float) -> None:
        if math.isnan(measured):
            return
        self.count += 1
        weight = max(1 / self.count, TuningFree.NEWEST)
        self.value += weight * (measured - self.value)


def _mean_size(displacements: Sequence[Combination], losses: Losses, extra: Losses) -> float:
    """Mean size of the second differences of the pairs among the losses, or of the first loss and its reflection.

    NaN where every one of them has a failed query.
    """
    centre = float(extra[0])
    pairs = opposite_pairs(displacements) or [(0, -1)]
    losses = losses if len(extra) == 1 else np.append(losses, extra[1])
    squared = displacements[0].dot(displacements[0]) / displacements[0].size
    sizes = [abs(losses[i] + losses[j] - 2 * centre) for i, j in pairs]
    measured = [size for size in sizes if not math.isnan(size)]
    return float(np.mean(measured)) / squared if measured else math.nan
