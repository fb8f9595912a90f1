"""A black box beside a white box: queries to a tenth of the gap of the scalarized loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import zoopt_mo as zo
from benchmarks.query_efficiency.methods import OURS
from zoopt_mo import problems

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

BUDGET = 3_000
GOAL = 0.1
EXACT_STEPS = 300
RADIUS = 1e-2
MULTIPLES = (0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of one over the black box's curvature
WHITE_STEPS = (0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Mixed:
    """A problem of two losses, the first of which is a black box, and the weights of the scalarizer."""

    build: Callable[[], problems.Problem]
    weights: tuple[float, float]


MIXED: dict[str, Mixed] = {
    "convex pair": Mixed(lambda: problems.ConvexPair(200), (0.5, 0.5)),
    "Fonseca-Fleming": Mixed(lambda: problems.FonsecaFleming(50), (0.5, 0.5)),
    "neural trade-off": Mixed(problems.NeuralTradeOff, (0.5, 0.5)),
    "neural trade-off, private": Mixed(problems.NeuralTradeOff, (0.3, 0.7)),
}


def _history(radius: float) -> zo.Estimator:
    return zo.CriticalHistory(zo.SPSA(radius=radius), decay=0.8, blend=0.8, magnitude=0.5)


MIXED_METHODS: dict[str, Callable[[float], zo.Estimator]] = {
    OURS: lambda radius: zo.recommended(radius=radius, mixed=True),
    "SPSA": lambda radius: zo.SPSA(radius=radius),
    "SPSA-GC": lambda radius: zo.GradientCorrection(zo.SPSA(radius=radius)),
    "critical history": _history,
}
FACTORS = {"SPSA-GC": 0.1}  # its momentum lengthens steps tenfold
SKIP_BELOW = {OURS: 0.1}  # part of our method: it asks nothing where the white box leads; the peers ask at each step


class _Scale:
    """What is the same for all methods on a problem: the goal, the curvature, and the white box's step."""

    def __init__(self, name: str) -> None:
        mixed = MIXED[name]
        self.problem: Any = mixed.build()
        self.scalarizer = zo.AugmentedTchebycheff(weights=mixed.weights, ideal=self.problem.ideal.tolist())
        found = {step: float(np.median([self._exact(step, seed) for seed in range(3)])) for step in WHITE_STEPS}
        self.white_step = min(found, key=lambda step: found[step])
        self.best = found[self.white_step]
        loss = self.problem.losses
        self.curvature = zo.calibrate(lambda x: float(loss(x)[0]), self.problem.start(1000), radius=RADIUS).curvature

    def value(self, x: np.ndarray) -> float:
        """The scalarized loss."""
        import torch

        return float(self.scalarizer(torch.from_numpy(self.problem.losses(x))))

    def goal(self, seed: int) -> float:
        """The value that leaves a tenth of the gap between a start and the best of exact gradients."""
        return self.best + GOAL * (self.value(self.problem.start(seed)) - self.best)

    def _exact(self, lr: float, seed: int) -> float:
        """The least value that exact gradients of both losses reach in ``EXACT_STEPS`` steps."""
        boxes = self.problem.objectives(black=())
        gains = zo.SpallGains(lr=lr, radius=1.0, stability=EXACT_STEPS / 3)
        values: list[float] = []
        zo.minimize(
            boxes,
            self.problem.start(seed),
            lr=gains.lr_at,
            scalarizer=self.scalarizer,
            max_steps=EXACT_STEPS,
            callback=lambda result: values.append(self.value(result.x)),
        )
        return min(values)


@cache
def scale_of(name: str) -> _Scale:
    """The scale of a problem, once a process."""
    return _Scale(name)


def queries(name: str, method: str, seed: int, multiple: float, white: float) -> int | None:
    """Queries to the goal, or None.

    Args:
        name: The problem.
        method: The method.
        seed: Seed of start and directions.
        multiple: Step of the black box in one over its curvature.
        white: Step of the white box over the one that is best with exact gradients.
    """
    scale = scale_of(name)
    lr = FACTORS.get(method, 1.0) * multiple / scale.curvature
    boxes = scale.problem.objectives(
        black=(0,), estimator=MIXED_METHODS[method](RADIUS), step_factors=(1.0, white * scale.white_step / lr)
    )
    boxes[0].skip_below = SKIP_BELOW.get(method, 0.0)
    gains = zo.SpallGains(lr=lr, radius=RADIUS, stability=0.15 * BUDGET)
    goal, reached = scale.goal(seed), None

    def watch(result: OptimizeResult) -> None:
        nonlocal reached
        value = scale.value(result.x)
        if value <= goal:
            reached = int(result.nfev[0])
        if reached is not None or not np.isfinite(value):
            raise StopIteration

    start = scale.problem.start(seed)
    try:
        zo.minimize(boxes, start, lr=gains.lr_at, scalarizer=scale.scalarizer, budget=BUDGET, seed=seed, callback=watch)
    except ValueError:  # a step so long that the losses overflow
        return None
    return reached
