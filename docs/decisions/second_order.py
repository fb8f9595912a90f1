"""Queries of SPSA, 2SPSA and CMA-ES on losses of few parameters: ``python docs/decisions/second_order.py``.

It prints the table of decision 2 and takes about ten minutes. Every method is tuned for each problem and goal on seven
starts (smallest median), then run from eleven others. 2SPSA has more settings to choose from than SPSA, and starts from
the true mean curvature of the problem's starts. All runs of a method go side by side in one batch.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

import zoopt_mo as zo

Array = npt.NDArray[np.float64]
Setting = dict[str, float]

GOALS = np.array([1e-1, 1e-2, 1e-3, 1e-5])  # shares of the first gap
BUDGET = 20_000
TUNING, TEST = range(7), range(100, 111)
PROBLEMS: dict[str, zo.problems.Problem] = {
    "ellipsoid, p = 10": zo.problems.Ellipsoid(10, condition=1e3),
    "ellipsoid, p = 20": zo.problems.Ellipsoid(20, condition=1e3),
    "rotated ellipsoid, p = 10": zo.problems.Ellipsoid(10, condition=1e3, rotated=True),
    "Rosenbrock, p = 10": zo.problems.Rosenbrock(10),
}
NOISE = [(name, 0.0) for name in PROBLEMS] + [("rotated ellipsoid, p = 10", 1e-3)]


def settings(**grids: npt.ArrayLike) -> list[Setting]:
    """All combinations of the grids; a step is in units of one over the trace (SPSA) or of a Newton step (2SPSA)."""
    names, values = grids.keys(), (np.atleast_1d(grid).tolist() for grid in grids.values())
    return [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values)]


SECOND_ORDER: dict[str, npt.ArrayLike] = {"lr": 2.0 ** -np.arange(10), "damping": [1e-3, 1e-2, 1e-1, 1.0]}
METHODS = {
    "SPSA": settings(lr=2.0 ** -np.arange(-4, 9)),
    "2SPSA, running mean": settings(**SECOND_ORDER, gain=0.0),
    "2SPSA, feedback": settings(**SECOND_ORDER, gain=[0.5, 1.0]),
    "CMA-ES": settings(sigma=[0.1, 0.3, 1.0]),
}


class Batch:
    """Runs side by side: points ``[r, p]``, the noisy loss of each, and what they have cost."""

    def __init__(self, problem: zo.problems.Problem, seeds: list[int], noise: float) -> None:
        self.problem = problem
        self.x = np.stack([problem.start(seed) for seed in seeds])
        self.first = self.gap(self.x)
        self.noise = noise * self.first
        self.numbers = np.random.default_rng(seeds[0])
        self.radius = 0.1 if noise else 1e-3
        self.trace = float(np.median([self._trace(problem.start(seed)) for seed in range(10)]))

    def gap(self, x: Array) -> Array:
        """The loss above its least value, without noise."""
        return np.asarray(self.problem.losses(x)[..., 0] - self.problem.ideal[0])

    def query(self, x: Array) -> Array:
        """What a method is told."""
        return self.gap(x) + self.noise * self.numbers.standard_normal(len(x))

    def signs(self) -> Array:
        """A direction for each run ``[r, p]``."""
        return self.numbers.choice([-1.0, 1.0], size=self.x.shape)

    def _trace(self, x: Array) -> float:
        moves = 1e-3 * np.eye(len(x))
        return float(np.abs((self.gap(x + moves) + self.gap(x - moves) - 2 * self.gap(x)).sum()) / 1e-6)


def spsa(batch: Batch, lr: Array) -> Iterator[int]:
    """Equation 2; yields the queries of each step."""
    while True:
        d = batch.signs()
        slope = (batch.query(batch.x + batch.radius * d) - batch.query(batch.x - batch.radius * d)) / (2 * batch.radius)
        batch.x = batch.x - (lr / batch.trace * slope)[:, None] * d
        yield 2


def second_order_spsa(batch: Batch, lr: Array, damping: Array, gain: Array) -> Iterator[int]:
    """2SPSA: four queries give a slope and a second difference, whose matrix is averaged over the steps.

    ``gain`` 0 is Spall's running mean (2000). Otherwise only what the matrix so far does not explain is added, which is
    the idea of his feedback term (2009); at a gain of 1 it is then explained in full.
    """
    c, size = batch.radius, batch.x.shape[1]
    scale = batch.trace / size
    hessian = np.tile(scale * np.eye(size), (len(batch.x), 1, 1))
    for step in itertools.count(2):
        d, e = batch.signs(), batch.signs()
        plus, minus = batch.query(batch.x + c * d), batch.query(batch.x - c * d)
        both = batch.query(batch.x + c * (d + e)) - plus - batch.query(batch.x - c * (d - e)) + minus
        measured = (both / (2 * c * c))[:, None, None]
        outer = (d[:, :, None] * e[:, None, :] + e[:, :, None] * d[:, None, :]) / 2
        unexplained = measured - (hessian * outer).sum((1, 2), keepdims=True)
        mean = hessian + (measured * outer - hessian) / step
        feedback = hessian + gain[:, None, None] * unexplained * outer / (outer**2).sum((1, 2), keepdims=True)
        hessian = np.nan_to_num(np.where(gain[:, None, None] > 0, feedback, mean), posinf=0.0, neginf=0.0)
        values, vectors = np.linalg.eigh(hessian)  # the root of the square has the absolute values
        values = np.abs(values) + damping[:, None] * scale
        gradient = ((plus - minus) / (2 * c))[:, None] * d
        inside = np.einsum("rji,rj->ri", vectors, gradient) / values
        batch.x = batch.x - lr[:, None] * np.einsum("rij,rj->ri", vectors, inside)
        yield 4


def queries(batch: Batch, steps: Iterator[int]) -> Array:
    """Queries of each run until each goal ``[r, goals]``; infinite where the budget ended or the run left for good."""
    found = np.full((len(batch.x), len(GOALS)), np.inf)
    used = 0
    with np.errstate(all="ignore"):
        while used < BUDGET and not np.isfinite(found).all():
            used += next(steps)
            share = batch.gap(batch.x) / batch.first
            batch.x[~(share < 1e6)] = np.nan
            found[(share[:, None] <= GOALS) & np.isinf(found)] = used
    return found


def cma_es(problem: zo.problems.Problem, seed: int, noise: float, sigma: float) -> Array:
    """Queries until the mean of the population has reached each goal."""
    batch = Batch(problem, [seed], noise)
    search = zo.CMAES(sigma=sigma, seed=seed)
    search.start(batch.x[0])
    found, used, mean = np.full(len(GOALS), np.inf), 0, batch.x[0]
    while used < BUDGET and not np.isfinite(found).all():
        points = search.ask()
        losses = np.array([float(batch.query(point[None])[0]) for point in points])
        search.tell(losses)
        used += len(points)
        mean = points[np.argsort(losses)[: len(points) // 2]].mean(axis=0)
        found[(batch.gap(mean) / batch.first <= GOALS) & np.isinf(found)] = used
    return found


def measure(method: str, problem: zo.problems.Problem, noise: float, chosen: list[Setting], seeds: range) -> Array:
    """Queries ``[settings, seeds, goals]``."""
    rows = [(setting, seed) for setting in chosen for seed in seeds]
    if method == "CMA-ES":
        found = np.stack([cma_es(problem, seed, noise, **setting) for setting, seed in rows])
    else:
        run: Callable[..., Iterator[int]] = spsa if method == "SPSA" else second_order_spsa
        batch = Batch(problem, [seed for _, seed in rows], noise)
        options = {name: np.array([setting[name] for setting, _ in rows]) for name in chosen[0]}
        found = queries(batch, run(batch, **options))
    return found.reshape(len(chosen), len(seeds), len(GOALS))


def median_queries(method: str, name: str, noise: float) -> list[float]:
    """For each goal, with the setting that was best for it in tuning."""
    grid, problem = METHODS[method], PROBLEMS[name]
    best = np.median(measure(method, problem, noise, grid, TUNING), axis=1).argmin(axis=0)
    tested = [measure(method, problem, noise, [grid[index]], TEST)[0] for index in best]
    return [float(np.median(found[:, goal])) for goal, found in enumerate(tested)]


def main() -> None:
    """Print the table, row by row."""
    header = ["Problem", "Noise", "Method", *(f"{goal:g}" for goal in GOALS)]
    rows = ([name, f"{noise:g}", method] for name, noise in NOISE for method in METHODS)
    sys.stdout.write(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}\n")
    for name, noise, method in rows:
        figures = [f"{median:.0f}" for median in median_queries(method, name, float(noise))]
        sys.stdout.write(f"| {' | '.join([name, noise, method, *figures])} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
