"""Exponential moving average of the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoopt_mo._checks import check_between
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator
from zoopt_mo.estimators._replace_gradient import replace_gradient
from zoopt_mo.estimators._running_sum import RunningSum


class Momentum(Estimator):
    r"""The exponential moving average of the estimates, in the place of the last one.

    .. math::

        v_0 = 0, \qquad v_k = \beta v_{k-1} + (1 - \beta) \hat g_k, \qquad \tilde g_k = \frac{v_k}{1 - \beta^k}

    Costs no query beyond those of the wrapped estimator. The division makes :math:`\tilde g_k` a weighted mean of the
    estimates so far, as in Adam: a steady gradient comes out as it is from the first step on, where :math:`v_k` alone
    starts at :math:`1 - \beta` of it. Once theta moves, the average lags: it is biased towards the past.

    The average is one vector on the parameters' device, in double precision up to 2^16 entries and in single beyond.
    Unlike the momentum of an optimizer it belongs to one objective of several: the weights of the scalarizer, which
    change from step to step, do not enter it.

    Args:
        estimator: The estimator to improve.
        decay: Factor :math:`\beta` in [0, 1); about :math:`1 / (1 - \beta)` steps are averaged. 0.9 is the usual value.
        debias: False leaves out the division by :math:`1 - \beta^k`: the first steps are then short.

    Raises:
        TypeError: If ``estimator`` is not an estimator.
        ValueError: If ``decay`` is out of range.

    Example:
        >>> from zoopt_mo import SPSA, Momentum
        >>> estimator = Momentum(SPSA(radius=0.5), decay=0.9)
        >>> for _ in range(3):  # on a slope of 3 in one dimension, whatever the sign probed
        ...     plus, minus = (float(probe.dense()) for probe in estimator.ask(1))
        ...     estimate = estimator.tell([3 * plus, 3 * minus])
        >>> round(float(estimate.gradient.dense()), 6)
        3.0

    Reference:
        Spall and Cristion (1994), Statistica Sinica 4: gradients of SPSA smoothed over steps; the division: Kingma and
        Ba (2015), ICLR, section 3.
    """

    def __init__(self, estimator: Estimator, *, decay: float = 0.9, debias: bool = True) -> None:
        super().__init__()
        self.estimator = check_estimator(estimator)
        self.decay = check_between("decay", decay, 0.0, 1.0, interval="[0, 1)")
        self.debias = debias
        self._step = 0
        self._average = RunningSum()

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        return self.estimator.ask(size, prior=prior)

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        raw = self.estimator.tell(losses, exact=exact)
        self._step += 1
        average = self._average.advance(self.decay, raw.gradient, 1 - self.decay)
        scale = 1 / (1 - self.decay**self._step) if self.debias else 1.0
        return replace_gradient(raw, scale * average)

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._step = 0
        self._average = RunningSum()

    def _state(self) -> dict[str, Any]:
        return {"estimator": self.estimator.state_dict(), "step": self._step, "average": self._average.fold()}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._step, self._average = state["step"], RunningSum(state["average"])
