"""Gradient correction: Nesterov's look-ahead on estimated gradients, as in SPSA-GC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoopt_mo._checks import check_between
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator
from zoopt_mo.estimators._replace_gradient import replace_gradient
from zoopt_mo.estimators._running_sum import RunningSum


class GradientCorrection(Estimator):
    r"""SPSA-GC: the estimate plus a decayed sum of all estimates so far, the present one included.

    .. math:: m_1 = \hat g_1, \qquad m_k = \beta m_{k-1} + \hat g_k, \qquad \tilde g_k = \hat g_k + \beta m_k

    This is the step of ``torch.optim.SGD(momentum=beta, nesterov=True)``. Costs no query beyond those of the wrapped
    estimator. Biased towards the past, and :math:`1 / (1 - \beta)` times as long as the gradient in the long run: with
    ``momentum`` of 0.9 take about a tenth of the step size.

    The sum is one vector on the parameters' device, in double precision up to 2^16 entries and in single beyond. For
    one black box torch's optimizer does the same. As a wrapper the sum belongs to one objective of several, and the
    weights of the scalarizer, which change from step to step, do not enter it.

    Args:
        estimator: The estimator to improve; ``SPSA(directions=segmented_uniform)`` in the reference.
        momentum: Factor :math:`\beta` in [0, 1) by which the sum shrinks each step; 0.9 is the reference's.

    Raises:
        TypeError: If ``estimator`` is not an estimator.
        ValueError: If ``momentum`` is out of range.

    Example:
        >>> import zoopt_mo as zo
        >>> spsa = zo.SPSA(radius=0.01, directions=zo.segmented_uniform)
        >>> bowl = lambda x: float(((x - 1) ** 2).sum())
        >>> result = zo.minimize(
        ...     bowl, [3.0, 3.0], lr=0.01, estimator=zo.GradientCorrection(spsa, momentum=0.9), budget=601
        ... )
        >>> result.x.round(2).tolist()
        [1.0, 1.0]

    Reference:
        Oh et al. (2023), BlackVIP, CVPR: SPSA-GC; a baseline of table 6 of Hui et al. (2026).
    """

    def __init__(self, estimator: Estimator, *, momentum: float = 0.9) -> None:
        super().__init__()
        self.estimator = check_estimator(estimator)
        self.momentum = check_between("momentum", momentum, 0.0, 1.0, interval="[0, 1)")
        self._sum = RunningSum()

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        return self.estimator.ask(size, prior=prior)

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        raw = self.estimator.tell(losses, exact=exact)
        total = self._sum.advance(self.momentum, raw.gradient, 1.0)
        return replace_gradient(raw, raw.gradient + self.momentum * total)

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._sum = RunningSum()

    def _state(self) -> dict[str, Any]:
        return {"estimator": self.estimator.state_dict(), "sum": self._sum.fold()}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._sum = RunningSum(state["sum"])
