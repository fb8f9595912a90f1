"""Whole runs on one objective whose optimum is zero at zero."""

from __future__ import annotations

import numpy as np
import pytest

import zoopt_mo as zo

SIZE = 10
STRETCH = np.logspace(0, 1, SIZE)  # the longest axis is ten times the shortest


def sphere(x: np.ndarray) -> float:
    return float((x**2).sum())


def ellipsoid(x: np.ndarray) -> float:
    return float((STRETCH * x**2).sum())


SPSA = zo.SPSA(radius=0.01)
ESTIMATORS = {
    "spsa": SPSA,
    "two pairs": zo.SPSA(radius=0.01, num_pairs=2),
    "segmented uniform": zo.SPSA(radius=0.01, directions=zo.segmented_uniform),
    "history": zo.CriticalHistory(SPSA, capacity=5, decay=0.8),
    "latest": zo.CriticalHistory(SPSA, capacity=5, selection="latest"),
    "direction left": zo.CriticalHistory(SPSA, capacity=5, decay=0.8, improve_direction=False),
    "step left": zo.CriticalHistory(SPSA, capacity=5, decay=0.8, adjust_step=False),
    "centred block": zo.CentredBlock(radius=0.01, num_probes=10),
    "rge": zo.RGE(radius=0.01),
    "rge, one-sided": zo.RGE(radius=0.01, num_directions=4, sides=1),
    "evolution strategy": zo.EvolutionStrategy(radius=0.1, population=10),
    "gradient correction": zo.GradientCorrection(zo.SPSA(radius=0.01, directions=zo.segmented_uniform)),
    "momentum": zo.Momentum(SPSA),
    "averaging": zo.Averaging(SPSA, window=5),
}


# Step sizes were chosen by a coarse search; the start is at distance 1 on each axis, so the first gap is 10 or 42.
@pytest.mark.parametrize(
    ("loss", "name", "lr", "gap"),
    [
        (sphere, "spsa", 0.04, 1e-2),
        (sphere, "two pairs", 0.06, 1e-2),
        (sphere, "segmented uniform", 0.04, 1e-2),
        (sphere, "history", 0.02, 1e-2),
        (sphere, "latest", 0.02, 1e-2),
        (sphere, "direction left", 0.03, 1e-2),
        (sphere, "step left", 0.02, 1e-2),
        (sphere, "centred block", 0.2, 1e-6),
        (sphere, "rge", 0.04, 1e-2),
        (sphere, "rge, one-sided", 0.08, 1e-2),
        (sphere, "evolution strategy", zo.SpallGains(lr=0.3, radius=0.1).lr_at, 0.1),
        (sphere, "gradient correction", 0.003, 1e-2),
        (sphere, "momentum", 0.02, 2e-2),
        (sphere, "averaging", 0.02, 1e-2),
        (ellipsoid, "spsa", 0.012, 0.5),
        (ellipsoid, "history", 0.007, 0.5),
    ],
)
def test_a_run_of_three_hundred_queries_comes_near_the_optimum(loss, name, lr, gap):
    options = {"lr": lr, "estimator": ESTIMATORS[name], "budget": 301}
    results = [zo.minimize(loss, np.ones(SIZE), seed=seed, **options) for seed in range(4)]
    digits = np.log10([result.fun for result in results])  # the spread over seeds is even on this scale
    assert digits.mean() + 3 * digits.std(ddof=1) < np.log10(gap)
    assert all(result.nfev.tolist() == [301] for result in results)


def test_a_noisy_loss_is_followed_to_the_level_of_its_noise():
    noise = np.random.default_rng(0)
    gains = zo.SpallGains(lr=0.03, radius=0.3, stability=15)
    result = zo.minimize(
        lambda x: sphere(x) + 0.1 * noise.normal(),
        np.ones(SIZE),
        lr=gains.lr_at,
        estimator=zo.SPSA(radius=gains.radius_at),
        budget=601,
    )
    assert sphere(result.x) < 0.3


def test_a_step_loss_without_any_gradient_is_followed():
    """The number of entries above a tenth has derivative zero wherever it has one."""

    def count(x: np.ndarray) -> float:
        return float((np.abs(x) > 0.1).sum()) + float(np.floor(10 * np.abs(x)).sum())

    result = zo.minimize(count, np.ones(SIZE), lr=0.002, estimator=zo.SPSA(radius=0.2), budget=801)
    assert count(np.ones(SIZE)) == 110
    assert result.fun < 30
