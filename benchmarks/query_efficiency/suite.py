"""The problems, their noise, and the goals at which queries are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import zoopt_mo as zo
from zoopt_mo import problems

Array = npt.NDArray[np.float64]
Noise = Literal["none", "additive", "outliers", "minibatch"]

GOALS = (0.1, 0.03)
"""Shares of the first gap to the optimum."""
NOISE = 2e-3  # standard deviation of additive noise over the first gap
BATCH = 8

SINGLE: dict[str, Callable[[], problems.SingleObjective]] = {
    "sphere": lambda: problems.Sphere(1000),
    "ellipsoid, rotated": lambda: problems.Ellipsoid(1000, rotated=True),
    "power law, rotated": lambda: problems.PowerLaw(1000, rotated=True),
    "Rosenbrock": lambda: problems.Rosenbrock(1000),
    "different powers": lambda: problems.DifferentPowers(1000),
    "logistic regression": lambda: problems.LogisticRegression(1000, num_rows=100),
    "small MLP": lambda: problems.SmallMLP(inputs=18, hidden=50, num_rows=128),
}
HELD_OUT: dict[str, Callable[[], problems.SingleObjective]] = {
    "log cosh": lambda: problems.LogCosh(1000),
    "Huber valley": lambda: problems.HuberValley(1000),
    "Zakharov": lambda: problems.Zakharov(1000),
    "Rastrigin": lambda: problems.Rastrigin(1000),
}
"""Problems that no method was chosen on: the library's other single objectives, as they come."""
MINIBATCH = ("logistic regression", "small MLP")


@dataclass(frozen=True)
class Task:
    """One problem under one kind of noise.

    Args:
        problem: Its name in ``SINGLE`` or ``HELD_OUT``.
        noise: The kind of noise.
        budget: Most queries of a run.
    """

    problem: str
    noise: Noise
    budget: int

    @property
    def goals(self) -> tuple[float, ...]:
        """Shares of the first gap."""
        return GOALS


class Oracle:
    """The noisy loss of a task for one seed: it counts its queries and notes when the true loss reaches the goals.

    Args:
        task: The task.
        seed: Seed of start and noise.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.problem: Any = (SINGLE | HELD_OUT)[task.problem]()
        self.start = self.problem.start(seed)
        self.first = float(self.problem.losses(self.start)[0])
        self.gap = self.first - self.problem.optimum
        self.num_queries = 0
        self.reached: dict[float, int] = {}
        self._noise = _noise(task.noise, NOISE * self.gap, seed)
        self._batches = np.random.default_rng([seed, 1])
        self._rows: Array | None = None
        self._next_look = 0
        self.next_batch()

    def next_batch(self) -> None:
        """Draw the rows of the next step, where the task has minibatches."""
        if self.task.noise == "minibatch":
            self._rows = self._batches.choice(self.problem.num_rows, BATCH, replace=False)

    def losses(self, points: Array) -> Array:
        """Noisy losses ``[b]`` at points ``[b, p]``, a query each."""
        self.num_queries += len(points)
        values = self.problem.losses(points) if self._rows is None else self.problem.losses(points, rows=self._rows)
        return self._noise(values[:, 0])

    def look(self, x: Array) -> bool:
        """Note the goals that ``x`` reaches by its true loss; whether the run is over. Costs no query."""
        if self.num_queries >= self._next_look or self.num_queries >= self.task.budget:
            self._next_look = int(1.01 * self.num_queries) + 1
            share = (float(self.problem.losses(x)[0]) - self.problem.optimum) / self.gap
            if not np.isfinite(share) or share > 1e6:
                return True
            for goal in self.task.goals:
                if share <= goal:
                    self.reached.setdefault(goal, self.num_queries)
        return self.num_queries >= self.task.budget or len(self.reached) == len(self.task.goals)


def _noise(kind: Noise, sd: float, seed: int) -> Callable[[Array], Array]:
    if kind == "additive":
        return problems.AdditiveNoise(sd, seed)
    if kind == "outliers":
        return problems.Outliers(sd, seed=seed)
    return lambda losses: losses


def scale(task: Task) -> tuple[float, float]:
    """Curvature at a start and a radius, by which the grids of all methods are set: a calibration on a tuning seed."""
    oracle = Oracle(task, seed=1000)
    found = zo.calibrate(
        lambda x: float(oracle.losses(x[None])[0]), oracle.start, contrast=10, num_repeats=20, seed=1000
    )
    return found.curvature, found.radius
