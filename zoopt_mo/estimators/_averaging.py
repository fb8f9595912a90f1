"""Mean of the last estimates."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from zoopt_mo._checks import check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator
from zoopt_mo.estimators._replace_gradient import replace_gradient


class Averaging(Estimator):
    r"""The mean of the last estimates, the present one included, in the place of the last one.

    .. math:: \tilde g_k = \frac{1}{\min(k, w)} \sum_{t = \max(1, k - w + 1)}^{k} \hat g_t, \quad k = 1, 2, \dots

    Costs no query beyond those of the wrapped estimator. A steady gradient comes out as it is; once theta moves, the
    mean lags by half a window. An estimate older than the window is forgotten entirely, where :class:`Momentum` never
    quite forgets. Signed gradients stay packed: the window takes ``window * q * p / 8`` bytes, ``q`` directions a step,
    and the norm of the mean takes :math:`(w q)^2` inner products of bits a step. Where ``w q`` exceeds a hundred or so,
    :class:`Momentum` is cheaper.

    This averages gradients. To average the points instead (Polyak and Ruppert), wrap the trained module in
    ``torch.optim.swa_utils.AveragedModel``: an estimator never sees them.

    Args:
        estimator: The estimator to improve.
        window: Estimates averaged, ``w``; 1 changes nothing.

    Raises:
        TypeError: If ``estimator`` is not an estimator.
        ValueError: If ``window`` is below 1.

    Example:
        >>> from zoopt_mo import SPSA, Averaging
        >>> estimator = Averaging(SPSA(radius=0.5), window=2)
        >>> for _ in range(3):
        ...     displacements = estimator.ask(4)
        ...     estimate = estimator.tell([2.0, 1.0])
        >>> [abs(coefficient) for coefficient, _ in estimate.gradient.terms]
        [0.5, 0.5]

    Reference:
        Spall and Cristion (1994), Statistica Sinica 4: gradients of SPSA smoothed over steps.
    """

    def __init__(self, estimator: Estimator, *, window: int = 10) -> None:
        super().__init__()
        self.estimator = check_estimator(estimator)
        self.window = check_count("window", window)
        self._gradients: deque[Combination] = deque(maxlen=self.window)

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        return self.estimator.ask(size, prior=prior)

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        raw = self.estimator.tell(losses, exact=exact)
        self._gradients.append(raw.gradient)
        terms = [term for gradient in self._gradients for term in gradient.terms]
        return replace_gradient(raw, (1 / len(self._gradients)) * Combination(terms))

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._gradients.clear()

    def _state(self) -> dict[str, Any]:
        return {
            "estimator": self.estimator.state_dict(),
            "gradients": [gradient.state_dict() for gradient in self._gradients],
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._gradients.clear()
        self._gradients.extend(Combination.from_state(saved) for saved in state["gradients"])
