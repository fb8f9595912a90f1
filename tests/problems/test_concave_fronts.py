"""What each scalarizer finds of two concave fronts: a share of the hypervolume over 99 weights.

A scalarized problem is solved exactly by searching the front itself, sampled densely. The hypervolume is taken from
(1.1, 1.1); both fronts run from (0, 1) to (1, 0), nearly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import moocore
import numpy as np
import numpy.typing as npt
import pytest
import torch

import zoopt_mo as zo
from zoopt_mo import problems

Points = npt.NDArray[np.float64]
Family = Callable[[Sequence[float]], zo.Scalarizer]

NADIR = [1.1, 1.1]
NUM_POINTS = 2001
SHARES = np.arange(1, 100) / 100


def fonseca_fleming() -> Points:
    """1 - exp(-r^2) at distances r and 2 - r from both centres, whatever the number of parameters."""
    distances = np.linspace(0.0, 2.0, NUM_POINTS)
    return 1 - np.exp(-np.square(np.stack([distances, 2 - distances], axis=1)))


def zdt2() -> Points:
    firsts = np.linspace(0.0, 1.0, NUM_POINTS)
    return np.stack([firsts, 1 - firsts**2], axis=1)


FRONTS = {"fonseca-fleming": fonseca_fleming(), "zdt2": zdt2()}
every_front = pytest.mark.parametrize("front", sorted(FRONTS))


def exact_minimiser(scalarizer: zo.Scalarizer, front: Points) -> Points:
    values = torch.vmap(scalarizer)(torch.from_numpy(front))
    return front[int(values.argmin())]


def share_of_hypervolume(family: Family, front: Points) -> float:
    """The hypervolume of the points that 99 weights lead to, divided by that of the whole front."""
    found = np.array([exact_minimiser(family([share, 1 - share]), front) for share in SHARES])
    return moocore.hypervolume(found, ref=NADIR) / moocore.hypervolume(front, ref=NADIR)


def augmented(weights: Sequence[float], augmentation: float) -> zo.Scalarizer:
    return zo.AugmentedTchebycheff(weights=weights, ideal=[0.0, 0.0], augmentation=augmentation)


def smooth(weights: Sequence[float], smoothing: float) -> zo.Scalarizer:
    return zo.SmoothTchebycheff(weights=weights, ideal=[0.0, 0.0], smoothing=smoothing)


def norm(weights: Sequence[float], p: float) -> zo.Scalarizer:
    return zo.PNorm(weights=weights, ideal=[0.0, 0.0], p=p)


REACHES_THE_WHOLE_FRONT: dict[str, Family] = {
    "tchebycheff": lambda weights: zo.Tchebycheff(weights=weights, ideal=[0.0, 0.0]),
    "augmented": lambda weights: zo.AugmentedTchebycheff(weights=weights, ideal=[0.0, 0.0]),
    "augmented, sigma 0.01": functools.partial(augmented, augmentation=0.01),
    "augmented, sigma 0.05": functools.partial(augmented, augmentation=0.05),
    "smooth": lambda weights: zo.SmoothTchebycheff(weights=weights, ideal=[0.0, 0.0]),
    "achievement": lambda weights: zo.Achievement(weights=weights, reference=[0.0, 0.0]),
    "augmented achievement": lambda weights: zo.AugmentedAchievement(weights=weights, reference=[-0.01, -0.01]),
    "boundary intersection": lambda weights: zo.PBI(weights=weights, ideal=[0.0, 0.0]),
    "norm, p 8": functools.partial(norm, p=8.0),
}
MISSES_THE_MIDDLE: dict[str, Family] = {
    "weighted sum": lambda weights: zo.WeightedSum(weights=weights),
    "norm, p 1": functools.partial(norm, p=1.0),
    "boundary intersection, no penalty": lambda weights: zo.PBI(weights=weights, ideal=[0.0, 0.0], penalty=0.0),
    "augmented, sigma 5": functools.partial(augmented, augmentation=5.0),
    "smooth, mu 1": functools.partial(smooth, smoothing=1.0),
}


@every_front
@pytest.mark.parametrize("family", sorted(REACHES_THE_WHOLE_FRONT))
def test_it_reaches_98_percent_of_a_concave_front(family, front):
    assert share_of_hypervolume(REACHES_THE_WHOLE_FRONT[family], FRONTS[front]) >= 0.98


@every_front
@pytest.mark.parametrize("family", sorted(MISSES_THE_MIDDLE))
def test_it_reaches_at_most_half_of_a_concave_front(family, front):
    assert share_of_hypervolume(MISSES_THE_MIDDLE[family], FRONTS[front]) <= 0.50


@pytest.mark.parametrize(
    ("family", "shares"),
    [
        (MISSES_THE_MIDDLE["weighted sum"], (0.46, 0.39)),
        (REACHES_THE_WHOLE_FRONT["tchebycheff"], (0.99, 0.99)),
        (REACHES_THE_WHOLE_FRONT["augmented, sigma 0.05"], (0.99, 0.98)),
        (functools.partial(augmented, augmentation=0.2), (0.92, 0.93)),
        (functools.partial(smooth, smoothing=0.03), (0.99, 0.99)),
        (functools.partial(smooth, smoothing=0.5), (0.50, 0.65)),
        (REACHES_THE_WHOLE_FRONT["achievement"], (0.99, 0.99)),
        (REACHES_THE_WHOLE_FRONT["boundary intersection"], (0.99, 0.99)),
        (functools.partial(norm, p=8.0), (0.99, 0.99)),
        (functools.partial(norm, p=2.0), (0.95, 0.96)),
    ],
)
def test_the_documentation_has_these_figures(family, shares):
    """The table in docs/methods/scalarizers.md, row by row."""
    assert [share_of_hypervolume(family, front) for front in FRONTS.values()] == pytest.approx(shares, abs=0.006)


@every_front
def test_the_weighted_sum_finds_both_ends_and_nothing_between(front):
    points = FRONTS[front]
    found = np.array([exact_minimiser(zo.WeightedSum(weights=[share, 1 - share]), points) for share in SHARES])
    from_ends = np.abs(found - points[[0, -1], None]).max(axis=2)
    assert (from_ends.min(axis=1) == 0).all()
    assert from_ends.min(axis=0).max() < 0.005  # the ends of Fonseca and Fleming's front are convex


def test_the_augmentation_makes_a_flat_end_of_the_front_a_trap():
    """Near (0, 1) of f2 = 1 - f1^2, sigma lambda_1 f1 rises and (1 + sigma) lambda_2 f1^2 does not make up for it.

    The turning point is f1 = sigma lambda_1 / (2 (1 + sigma) lambda_2): 0.04 / 0.42 for weights (0.8, 0.2).
    """
    scalarizer = zo.AugmentedTchebycheff(weights=[0.8, 0.2], ideal=[0.0, 0.0], augmentation=0.05)
    end, slope, turn, beyond = (
        float(scalarizer(torch.tensor([first, 1 - first**2]).double())) for first in (0.0, 0.05, 0.04 / 0.42, 0.15)
    )
    assert end < slope < turn > beyond
    assert exact_minimiser(scalarizer, FRONTS["zdt2"])[0] == pytest.approx(0.23, abs=0.005)


@every_front
def test_the_larger_the_augmentation_the_less_is_found(front):
    shares = [
        share_of_hypervolume(functools.partial(augmented, augmentation=sigma), FRONTS[front])
        for sigma in (0.05, 0.2, 1.0, 5.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.98
    assert shares[1] < 0.95


@every_front
def test_the_stronger_the_smoothing_the_less_is_found(front):
    shares = [
        share_of_hypervolume(functools.partial(smooth, smoothing=mu), FRONTS[front]) for mu in (0.03, 0.1, 0.5, 1.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.985
    assert 0.97 < shares[1] < 0.99
    assert shares[2] < 0.70


# --- runs with exact gradients ---------------------------------------------------------------------------------------

RUNS: dict[str, tuple[problems.Problem, Points]] = {
    "fonseca-fleming": (problems.FonsecaFleming(10), np.linspace(-0.2, 0.3, 10)),
    "zdt2": (problems.SmoothZDT2(5), np.linspace(0.5, 1.0, 5)),  # away from the trap at the end
}


def run(front: str, scalarizer: zo.Scalarizer) -> Points:
    """Losses at the end of a descent with exact gradients and a step that shrinks to nothing."""
    problem, start = RUNS[front]
    num_steps = 1200
    result = zo.minimize(
        problem.objectives(black=()),
        start,
        scalarizer=scalarizer,
        lr=lambda step: 0.1 * (1 - step / num_steps) ** 2,
        max_steps=num_steps,
    )
    return np.asarray(result.F)


@every_front
@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_a_run_ends_where_the_augmented_tchebycheff_function_is_least_on_the_front(front, share):
    scalarizer = zo.AugmentedTchebycheff(weights=[share, 1 - share], ideal=[0.0, 0.0])
    assert run(front, scalarizer) == pytest.approx(exact_minimiser(scalarizer, FRONTS[front]), abs=0.003)


@every_front
@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_a_run_of_the_weighted_sum_ends_at_an_end(front, share):
    losses = run(front, zo.WeightedSum(weights=[share, 1 - share]))
    ends = FRONTS[front][[0, -1]]
    assert np.abs(ends - losses).max(axis=1).min() < 0.01
