"""CMAES against pycma: the same points from the same numbers, and the same run from numpy's own generator."""

from __future__ import annotations

import cma
import numpy as np
import pytest

import zoopt_mo as zo
from zoopt_mo.search._base import generator


def ellipsoid(x: np.ndarray) -> float:
    return float((np.logspace(0, 2, x.size) * (x - 1.0) ** 2).sum())


def pycma(x0: np.ndarray, sigma: float, **options: object) -> cma.CMAEvolutionStrategy:
    quiet = {"seed": np.nan, "verbose": -10}
    return cma.CMAEvolutionStrategy(x0, sigma, {**quiet, **options})


@pytest.mark.parametrize("population", [None, 11])
@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize("size", [2, 30])
def test_points_best_and_stop_are_pycmas_own(size, separable, population):
    numbers = generator(7, 0)
    options = {"CMA_diagonal": separable, "randn": lambda *shape: numbers.standard_normal(shape)}
    if population is not None:
        options["popsize"] = population
    theirs = pycma(np.zeros(size), 0.3, **options)
    ours = zo.CMAES(sigma=0.3, separable=separable, population=population, seed=7)
    ours.start(np.zeros(size))
    for _ in range(60):
        points = theirs.ask()
        assert ours.ask().tolist() == np.array(points).tolist()
        losses = [ellipsoid(point) for point in points]
        theirs.tell(points, losses)
        ours.tell(losses)
    assert ours.best is not None
    assert ours.best[1] == theirs.best.f
    assert ours.best[0].tolist() == theirs.best.x.tolist()
    assert ours.stop_reason() == (", ".join(theirs.stop()) or None)


def test_the_separable_one_learns_no_correlation_and_the_full_one_does():
    """On a narrow valley along the diagonal the full covariance needs far fewer steps."""

    def valley(x: np.ndarray) -> float:
        return float(x.sum() ** 2 + 1e-4 * (x[0] - x[1] - 4) ** 2)

    needed = []
    for separable in (False, True):
        method = zo.CMAES(sigma=0.5, separable=separable)
        method.start([3.0, 3.0])
        steps = 0
        while steps < 600 and (method.best is None or method.best[1] > 1e-9):
            method.tell([valley(point) for point in method.ask()])
            steps += 1
        needed.append(steps)
    assert 2 * needed[0] < needed[1]


def test_pycma_with_the_same_budget_ends_in_the_same_place():
    """The default of pycma draws from numpy's global generator; the distribution of results is the same."""
    ours = [
        zo.minimize_by_search(ellipsoid, np.zeros(5), method=zo.CMAES(sigma=0.3), budget=400, seed=s).fun
        for s in range(20)
    ]
    theirs = []
    for seed in range(1, 21):
        numbers = np.random.RandomState(seed)
        strategy = pycma(np.zeros(5), 0.3, randn=numbers.randn)
        while strategy.countevals + strategy.popsize <= 400:
            points = strategy.ask()
            strategy.tell(points, [ellipsoid(point) for point in points])
        theirs.append(strategy.best.f)
    a, b = np.log10(ours), np.log10(theirs)
    assert abs(a.mean() - b.mean()) <= 4 * np.sqrt(a.var(ddof=1) / 20 + b.var(ddof=1) / 20)
