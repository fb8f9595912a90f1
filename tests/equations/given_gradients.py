"""An estimator that gives known gradients, so that a wrapper can be worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import zoopt_mo as zo


class Given(zo.Estimator):
    """Gives the gradients of a list, one a step, whatever it is told."""

    def __init__(self, gradients: list[list[float]]) -> None:
        super().__init__()
        self.gradients, self.step = gradients, 0

    def _ask(self, size: int, prior: zo.Combination | None) -> list[zo.Combination]:
        return [zo.Combination([(1.0, zo.DenseDirection(torch.ones(size)))])]

    def _tell(self, losses: Any, exact: Any) -> zo.Estimate:
        vector = torch.tensor(self.gradients[self.step], dtype=torch.float64)
        self.step += 1
        return zo.Estimate(zo.Combination([(1.0, zo.DenseDirection(vector))]), value=float(losses.mean()))

    def _reset(self, seed: int | None) -> None:
        self.step = 0

    def _state(self) -> dict[str, Any]:
        return {"step": self.step}

    def _load_state(self, state: Any) -> None:
        self.step = state["step"]


def run(wrap: Callable[[zo.Estimator], zo.Estimator], gradients: list[list[float]]) -> list[zo.Estimate]:
    """What a wrapper makes of these gradients."""
    estimator = wrap(Given(gradients))
    estimates = []
    for vector in gradients:
        estimator.ask(len(vector))
        estimates.append(estimator.tell([1.0]))
    return estimates


def dense(estimate: zo.Estimate) -> list[float]:
    return estimate.gradient.dense(dtype=torch.float64).tolist()
