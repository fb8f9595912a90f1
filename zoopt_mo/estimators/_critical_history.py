"""The critical-history wrapper: past gradients steady the present one."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from zoopt_mo._checks import check_between, check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, check_estimator


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
        capacity: Gradients kept, ``m``; 0 keeps none and changes nothing ("w/o history gradient").
        decay: Factor ``d`` in (0, 1] by which a score shrinks each step. At 1 a large outdated gradient
            stays for ever: a warning is given.
        blend: Weight ``gamma`` in (0, 1) of the present gradient.
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
        capacity: int = 10,
        decay: float = 0.9,
        blend: float = 0.6,
        magnitude: float = 1.0,
        selection: Literal["critical", "latest"] = "critical",
        improve_direction: bool = True,
        adjust_step: bool = True,
    ) -> None:
        super().__init__()
        if selection not in ("critical", "latest"):
            raise ValueError(f"`selection` must be 'critical' or 'latest', got {selection!r}.")
        self.estimator = check_estimator(estimator)
        self.capacity = check_count("capacity", capacity, least=0)
        self.decay = check_between("decay", decay, 0.0, 1.0, interval="(0, 1]")
        self.blend = check_between("blend", blend, 0.0, 1.0, interval="(0, 1)")
        self.magnitude = check_between("magnitude", magnitude, 0.0, 2.0, interval="(0, 2)")
        self.selection = selection
        self.improve_direction = improve_direction
        self.adjust_step = adjust_step
        if decay == 1.0:
            warnings.warn("`decay` of 1 keeps outdated gradients for ever and seldom converges.", stacklevel=2)
        self._step = 0
        self._history = _GradientSet()

    @property
    def num_bytes(self) -> int:
        """Memory that the held gradients' packed signs take, in bytes."""
        return self._history.num_bytes

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        return self.estimator.ask(size, prior=prior)

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        raw = self.estimator.tell(losses, exact=exact)
        self._step += 1
        if self.capacity == 0:
            return raw
        overlaps = self._history.overlaps(raw.gradient)
        improved = self._improve(raw, overlaps)
        self._collect(raw.gradient, overlaps)
        return improved

    def _improve(self, raw: Estimate, overlaps: list[float]) -> Estimate:
        """Equations 9 and 10; the first step has no past and stays as it is."""
        if not overlaps:
            return raw
        blended = self.blend * raw.gradient + (1 - self.blend) * self._history.mean()
        cosine = self._cosine(raw.gradient.norm(), overlaps)
        status = self.magnitude / math.pi * math.atan(2 * math.pi * cosine)
        return dataclasses.replace(
            raw,
            gradient=blended if self.improve_direction else raw.gradient,
            gain=raw.gain * (1 + status) if self.adjust_step else raw.gain,
            cosine=cosine,
        )

    def _cosine(self, norm: float, overlaps: list[float]) -> float:
        """Cosine between raw and blended gradient, from inner products alone; 0 where one of them vanishes."""
        rest = 1 - self.blend
        overlap = math.fsum(overlaps) / len(overlaps)  # raw gradient times mean of the history
        inner = self.blend * norm**2 + rest * overlap
        squared = self.blend * (inner + rest * overlap) + rest**2 * self._history.mean_squared_norm()
        length = norm * math.sqrt(max(squared, 0.0))
        return max(-1.0, min(1.0, inner / length)) if length > 0 else 0.0

    def _collect(self, gradient: Combination, overlaps: list[float]) -> None:
        """Equation 8: take the gradient in if there is room, or in the place of the lowest score below its own."""
        history = self._history
        if len(history) < self.capacity:
            history.append(gradient, self._step, overlaps)
            return
        scores = [
            step if self.selection == "latest" else self.decay ** (self._step - step) * norm
            for step, norm in zip(history.steps, history.norms(), strict=True)
        ]
        lowest = int(np.argmin(scores))
        if self.selection == "latest" or gradient.norm() > scores[lowest]:
            history.replace(lowest, gradient, self._step, overlaps)

    def _reset(self, seed: int | None) -> None:
        self.estimator.reset(seed=seed)
        self._step = 0
        self._history = _GradientSet()

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
        self._history = _GradientSet()
        for step, saved in zip(state["steps"], state["gradients"], strict=True):
            gradient = Combination.from_state(saved)
            self._history.append(gradient, step, self._history.overlaps(gradient))


class _GradientSet:
    """The set C_g: gradients, the steps they are from, and all their inner products."""

    def __init__(self) -> None:
        self.gradients: list[Combination] = []
        self.steps: list[int] = []
        self._gram = np.zeros((0, 0))

    def __len__(self) -> int:
        return len(self.gradients)

    @property
    def num_bytes(self) -> int:
        return sum(getattr(d, "num_bytes", 0) for gradient in self.gradients for _, d in gradient.terms)

    def overlaps(self, gradient: Combination) -> list[float]:
        """Inner products of ``gradient`` with every one held."""
        return [gradient.dot(held) for held in self.gradients]

    def norms(self) -> list[float]:
        return [math.sqrt(squared) for squared in np.diagonal(self._gram)]

    def mean(self) -> Combination:
        first, *others = self.gradients
        return (1 / len(self)) * sum(others, start=first)

    def mean_squared_norm(self) -> float:
        return float(self._gram.sum()) / len(self) ** 2

    def append(self, gradient: Combination, step: int, overlaps: list[float]) -> None:
        self._gram = np.pad(self._gram, ((0, 1), (0, 1)))
        self.gradients.append(gradient)
        self.steps.append(step)
        self.replace(len(self) - 1, gradient, step, [*overlaps, 0.0])

    def replace(self, slot: int, gradient: Combination, step: int, overlaps: list[float]) -> None:
        self.gradients[slot], self.steps[slot] = gradient, step
        self._gram[slot, :] = self._gram[:, slot] = overlaps
        self._gram[slot, slot] = gradient.dot(gradient)
