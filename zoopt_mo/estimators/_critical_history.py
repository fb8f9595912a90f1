"""The critical-history wrapper: past gradients steady the present one."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from zoopt_mo._checks import check_between, check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator
from zoopt_mo.estimators._gradient_set import GradientSet


class CriticalHistory(Estimator):
    r"""Blends each gradient with the largest ones of the past, and lengthens the step where they agree.

    A set :math:`C_g` keeps the ``capacity`` gradients of highest score (equation 8). The gradient of the step is
    blended with their mean (equation 9), and the angle :math:`\varphi_k` between the raw and the blended gradient sets
    the factor :math:`1 + I_k` of the step (equation 10):

    .. math::

        s_{t} = d^{\,k-t} \lVert \hat g_t \rVert_2, \qquad
        \tilde g_k = \gamma \hat g_k + \frac{1-\gamma}{|C_g|} \sum_{g \in C_g} g, \qquad
        I_k = \frac{b}{\pi} \arctan(2 \pi \cos \varphi_k)

    Costs no query beyond those of the wrapped estimator. The blended gradient is biased towards the past, as momentum
    is. Signed gradients stay packed: a slot takes ``p / 8`` bytes for each of the wrapped estimator's directions.

    The factor is above 1 on average and large gradients are preferred, so the objective takes longer steps than with
    the wrapped estimator alone: tune its step anew, and expect a :class:`zoopt_mo.WeightedSum` to shift towards it.

    Two points the paper leaves open are read so: the set holds gradients of *previous* steps when it is blended in and
    takes in the present one afterwards; while it fills up, the mean is over those held. The paper's values of all four
    constants are in a supplement that is not available; the defaults here are ours.

    Args:
        estimator: The estimator to improve.
        capacity: Gradients kept, ``m``; 0 keeps none and changes nothing ("w/o history gradient"). Or a function from
            the step (0, 1, ...) to it, rounded, such as :func:`zoopt_mo.reuse_more`; a smaller set loses the lowest
            scores.
        decay: Factor ``d`` in (0, 1] by which a score shrinks each step. At 1 a large outdated gradient
            stays for ever: a warning is given.
        blend: Weight ``gamma`` in (0, 1) of the present gradient, or a function from the step to it.
        magnitude: Range ``b`` in (0, 2) of :math:`I_k`, which lies in (-b/2, b/2).
        selection: "critical" keeps the highest scores, "latest" the newest ("w/o critical gradient collection").
        improve_direction: False leaves the gradient as it is ("w/o gradient direction improvement").
        adjust_step: False leaves the step as it is ("w/o step size adjustment").

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from zoopt_mo import SPSA, CriticalHistory
        >>> estimator = CriticalHistory(SPSA(radius=0.1), capacity=10)
        >>> displacements = estimator.ask(4)
        >>> estimator.tell([2.0, 1.0]).cosine is None  # no history yet
        True

    Reference:
        Equations 8, 9 and 10 and table 7 of Hui et al. (2026).
    """

    def __init__(
        self,
        estimator: Estimator,
        *,
        capacity: int | Callable[[int], float] = 10,
        decay: float = 0.9,
        blend: float | Callable[[int], float] = 0.6,
        magnitude: float = 1.0,
        selection: Literal["critical", "latest"] = "critical",
        improve_direction: bool = True,
        adjust_step: bool = True,
    ) -> None:
        super().__init__()
        if selection not in ("critical", "latest"):
            raise ValueError(f"`selection` must be 'critical' or 'latest', got {selection!r}.")
        self.estimator = check_estimator(estimator)
        self.capacity = capacity if callable(capacity) else check_count("capacity", capacity, least=0)
        self.decay = check_between("decay", decay, 0.0, 1.0, interval="(0, 1]")
        self.blend = blend if callable(blend) else _check_blend(blend)
        self.magnitude = check_between("magnitude", magnitude, 0.0, 2.0, interval="(0, 2)")
        self.selection = selection
        self.improve_direction = improve_direction
        self.adjust_step = adjust_step
        if decay == 1.0:
            warnings.warn("`decay` of 1 keeps outdated gradients for ever and seldom converges.", stacklevel=2)
        self._step = 0
        self._history = GradientSet()

    @property
    def num_bytes(self) -> int:
        """Memory that the held gradients' packed signs take, in bytes."""
        return self._history.num_bytes

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        return self.estimator.ask(size, prior=prior)

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        raw = self.estimator.tell(losses, exact=exact)
        capacity, blend = self._capacity_now, self._blend_now
        self._step += 1
        if capacity == 0:
            return raw
        self._shrink_to(capacity)
        overlaps = self._history.overlaps(raw.gradient)
        improved = self._improve(raw, overlaps, blend)
        self._collect(raw.gradient, overlaps, capacity)
        return improved

    @property
    def _capacity_now(self) -> int:
        given = self.capacity
        return check_count("capacity", round(given(self._step)), least=0) if callable(given) else given

    @property
    def _blend_now(self) -> float:
        return _check_blend(self.blend(self._step)) if callable(self.blend) else self.blend

    def _improve(self, raw: Estimate, overlaps: list[float], blend: float) -> Estimate:
        """Equations 9 and 10; the first step has no past and stays as it is."""
        if not overlaps:
            return raw
        cosine, length = self._compare(raw.gradient.norm(), overlaps, blend)
        terms = (blend * raw.gradient).terms + ((1 - blend) * self._history.mean()).terms
        status = self.magnitude / math.pi * math.atan(2 * math.pi * cosine)
        return dataclasses.replace(
            raw,
            gradient=Combination(terms, norm=length) if self.improve_direction else raw.gradient,
            gain=raw.gain * (1 + status) if self.adjust_step else raw.gain,
            cosine=cosine,
        )

    def _compare(self, norm: float, overlaps: list[float], blend: float) -> tuple[float, float]:
        """Cosine between raw and blended gradient, 0 where one vanishes, and the length of the blended one.

        Both are from inner products alone.
        """
        rest = 1 - blend
        overlap = math.fsum(overlaps) / len(overlaps)  # raw gradient times mean of the history
        inner = blend * norm**2 + rest * overlap
        squared = blend * (inner + rest * overlap) + rest**2 * self._history.mean_squared_norm()
        length = math.sqrt(max(squared, 0.0))
        both = norm * length
        return max(-1.0, min(1.0, inner / both)) if both > 0 else 0.0, length

    def _shrink_to(self, capacity: int) -> None:
        """Drop the lowest scores of a set that has become too large."""
        while len(self._history) > capacity:
            self._history.remove(int(np.argmin(self._scores())))

    def _scores(self) -> list[float]:
        """Equation 8 for the gradients held."""
        history = self._history
        return [
            step if self.selection == "latest" else self.decay ** (self._step - step) * norm
            for step, norm in zip(history.steps, history.norms(), strict=True)
        ]

    def _collect(self, gradient: Combination, overlaps: list[float], capacity: int) -> None:
        """Take the gradient in if there is room, or in the place of the lowest score below its own."""
        history = self._history
        if len(history) < capacity:
            history.append(gradient, self._step, overlaps)
            return
        scores = self._scores()
        lowest = int(np.argmin(scores))
        if self.selection == "latest" or gradient.norm() > scores[lowest]:
            history.replace(lowest, gradient, self._step, overlaps)

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._step = 0
        self._history = GradientSet()

    def _state(self) -> dict[str, Any]:
        return {
            "estimator": self.estimator.state_dict(),
            "step": self._step,
            "steps": list(self._history.steps),
            "gradients": [gradient.state_dict() for gradient in self._history.gradients],
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self._step = state["step"]
        self._history = GradientSet()
        for step, saved in zip(state["steps"], state["gradients"], strict=True):
            gradient = Combination.from_state(saved)
            self._history.append(gradient, step, self._history.overlaps(gradient))


def _check_blend(blend: float) -> float:
    return check_between("blend", blend, 0.0, 1.0, interval="(0, 1)")
