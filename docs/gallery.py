"""Makes the pictures of the gallery: ``python docs/gallery.py`` writes them into docs/images in less than a minute."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

import zoopt_mo as zo
from zoopt_mo import plotting, problems

IMAGES = Path(__file__).parent / "images"
BUDGET = 401  # queries of each point of a front
Vector = npt.NDArray[np.float64]

# --- fronts ----------------------------------------------------------------------------------------------------------

SCALARIZERS: dict[str, Callable[..., zo.Scalarizer]] = {
    "weighted sum": lambda weights, ideal: zo.WeightedSum(weights=weights),  # noqa: ARG005 - it has no ideal point
    "Tchebycheff": lambda weights, ideal: zo.Tchebycheff(weights=weights, ideal=ideal),
    "augmented Tchebycheff": lambda weights, ideal: zo.AugmentedTchebycheff(weights=weights, ideal=ideal),
    "smooth Tchebycheff": lambda weights, ideal: zo.SmoothTchebycheff(weights=weights, ideal=ideal),
}


def draw_fronts() -> Figure:
    """A convex and a concave front, each swept with four scalarizers and the same nine weights; loss 1 is black."""
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    cases = (
        ("Convex front", problems.ConvexPair(10), 2.0),
        ("Concave front", problems.ConcavePair(10, softness=0.1), 1.0),
    )
    for ax, (title, problem, lr) in zip(figure.subplots(1, 2), cases, strict=True):
        found = {name: sweep(problem, lr, build).losses for name, build in SCALARIZERS.items()}
        plotting.plot_front(found, problem.front(300), labels=["loss 1 (black box)", "loss 2 (white box)"], ax=ax)
        ax.set_title(title)
    return figure


def sweep(problem: problems.Problem, lr: float, build: Callable[..., zo.Scalarizer]) -> zo.FrontResult:
    """Nine points, each starting where its neighbour ended."""
    gains = zo.SpallGains(lr=lr, radius=0.05)
    return zo.trace_front(
        problem.objectives(black=[0], estimator=zo.SPSA(radius=gains.radius_at)),
        problem.start(seed=0),
        scalarizer=partial(build, ideal=problem.ideal.tolist()),
        lr=gains.lr_at,
        budget=BUDGET,
    )


# --- single objectives: the same step for all, and each method's own best --------------------------------------------

METHODS: dict[str, Callable[[float], zo.Estimator]] = {
    "SPSA": lambda radius: zo.SPSA(radius=radius),
    "critical history": lambda radius: zo.CriticalHistory(zo.SPSA(radius=radius), capacity=10),
    "SPSA-GC": lambda radius: zo.GradientCorrection(zo.SPSA(radius=radius)),
    "recommended": lambda radius: zo.recommended(radius=radius),
}
PAPER = ("SPSA", "critical history")  # what figures 3 and 4 compare
FACTORS: tuple[float, ...] = tuple(2.0 ** (k / 2) for k in range(-4, 8))  # of the shared step, tried by the tuning
SEEDS, TUNING_SEEDS = range(11), range(100, 105)


@dataclass(frozen=True)
class Task:
    """A black box to minimize: its loss, the noise on every query, and how all methods are run on it."""

    loss: Callable[[Vector], float]
    start: Vector
    lr: float
    radius: float
    num_queries: int
    noise: float = 0.0

    @property
    def queries(self) -> Vector:
        """Where losses are read off, every two queries ``[s]``."""
        return np.arange(0.0, self.num_queries + 1, 2)

    def path(self, method: str, lr: float, seed: int) -> tuple[Vector, Vector]:
        """The queries spent ``[k + 1]`` before and after each step, and the points ``[k + 1, p]``."""
        noise = problems.AdditiveNoise(self.noise, seed=seed)
        visited = [(0, self.start)]
        zo.minimize(
            lambda x: float(noise(self.loss(x))),
            self.start,
            lr=lr,
            estimator=METHODS[method](self.radius),
            budget=self.num_queries + 1,  # minimize asks once more at the end
            seed=seed,
            callback=lambda result: visited.append((int(result.nfev[0]), result.x)),
        )
        spent, points = zip(*visited, strict=True)
        return np.array(spent, dtype=np.float64), np.array(points)

    def losses(self, method: str, lr: float, seed: int) -> Vector:
        """The losses without their noise after as many queries as :attr:`queries` says ``[s]``."""
        spent, points = self.path(method, lr, seed)
        latest = np.searchsorted(spent, self.queries, side="right") - 1
        return np.array([self.loss(x) for x in points])[latest]

    def best_step(self, method: str) -> float:
        """The step with the least median loss over the second half of the run; the seeds are not used elsewhere."""
        half = len(self.queries) // 2
        return min(
            (self.lr * factor for factor in FACTORS),
            key=lambda lr: float(np.median([self.losses(method, lr, seed)[half:].mean() for seed in TUNING_SEEDS])),
        )


def protocols(task: Task, tuned: Sequence[str] = PAPER) -> dict[str, dict[str, float]]:
    """Step of each method, by the title of the protocol."""
    return {
        "The same step for all": dict.fromkeys(PAPER, task.lr),
        "Each with its own best step": {method: task.best_step(method) for method in tuned},
    }


TARGET = np.array([2.5, -2.0])


def valley(x: Vector) -> float:
    """A bent valley with straight walls, from the top left to the target at the bottom right."""
    away: Vector = (x - TARGET) / np.sqrt(2)
    along, across = float(away[0] - away[1]), float(away.sum())
    return math.hypot(1, 2 * (across - 0.8 * math.sin(0.6 * along))) + 0.5 * math.hypot(1, along)


def draw_trajectories() -> Figure:
    """As figure 3 of the paper: from one corner to one target."""
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    task = Task(valley, np.array([-3.0, 3.0]), lr=0.05, radius=0.05, num_queries=240, noise=0.02)
    for ax, (title, steps) in zip(figure.subplots(1, 2), protocols(task).items(), strict=True):
        paths = {f"{name}, step {lr:.2g}": task.path(name, lr, seed=0)[1] for name, lr in steps.items()}
        plotting.plot_trajectories(task.loss, paths, TARGET, limits=((-3.6, 3.6), (-3.0, 4.0)), ax=ax)
        ax.set_title(title)
    return figure


def draw_curves() -> Figure:
    """As figure 4 of the paper: loss against queries."""
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    problem = problems.Ellipsoid(30, condition=10.0)
    task = Task(lambda x: float(problem.losses(x)[0]), problem.start(seed=0), lr=0.01, radius=0.01, num_queries=400)
    shared, tuned = protocols(task, [*PAPER, "SPSA-GC"]).items()
    tuned[1]["recommended"] = 1.0  # as it comes
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (title, steps) in zip(axes, (shared, tuned), strict=True):
        curves = {
            f"{name}, step {lr:.2g}": np.array([task.losses(name, lr, seed) for seed in SEEDS])
            for name, lr in steps.items()
        }
        plotting.plot_curves(task.queries, curves, ax=ax)
        ax.set(title=title, yscale="log")
    return figure


DRAWINGS = {"fronts": draw_fronts, "trajectories": draw_trajectories, "curves": draw_curves}


def main() -> None:
    """Write every picture."""
    for name, draw in DRAWINGS.items():
        draw().savefig(IMAGES / f"gallery_{name}.png", dpi=80)


if __name__ == "__main__":
    main()
