"""Fronts of the problems of several objectives: on their known curves, reached, and beaten by nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.problems import get_problem

import zoopt_mo as zo
from tests.problems.problem_registry import SEVERAL
from zoopt_mo import problems

every_front = pytest.mark.parametrize("name", sorted(SEVERAL))
STANDARD = {"zdt1": problems.ZDT1, "zdt2": problems.ZDT2, "zdt3": problems.ZDT3}


@every_front
@pytest.mark.parametrize("num_points", [1, 2, 7, 200])
def test_points_of_a_front_do_not_dominate_each_other(name: str, num_points: int) -> None:
    front = SEVERAL[name]().front(num_points)
    assert front.shape == (num_points, SEVERAL[name]().num_objectives)
    assert zo.non_dominated(front).all()
    assert len(np.unique(front, axis=0)) == num_points


@every_front
def test_ideal_and_nadir_enclose_the_front_tightly(name: str) -> None:
    problem = SEVERAL[name]()
    front = problem.front(3000)
    assert (front >= problem.ideal - 1e-12).all()
    assert (front <= problem.nadir + 1e-12).all()
    slack = 1e-12 if problem.num_objectives == 2 else 0.1  # of three and more losses the front is sampled
    np.testing.assert_allclose(front.min(axis=0), problem.ideal, atol=slack)
    np.testing.assert_allclose(front.max(axis=0), problem.nadir, atol=slack)


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(SEVERAL)), seed=st.integers(0, 2**32), spread=st.floats(0.01, 3.0))
def test_no_point_dominates_a_point_of_the_front(name: str, seed: int, spread: float) -> None:
    problem = SEVERAL[name]()
    losses = problem.losses(problem.project(spread * problem.start(seed)))
    front = problem.front(500)
    assert not ((losses <= front - 1e-12).all(axis=1)).any()


def test_each_curve_is_the_documented_one() -> None:
    first, second = problems.ConvexPair(3).front(50).T
    np.testing.assert_allclose(np.sqrt(first) + np.sqrt(second), 1.0, rtol=1e-12)
    first, second = problems.ConcavePair(3, softness=0.5).front(50).T
    radii = [np.sqrt(0.5 * np.expm1(losses * math.log(9.0))) for losses in (first, second)]
    np.testing.assert_allclose(radii[0] + radii[1], 2.0, rtol=1e-12)
    first, second = problems.FonsecaFleming(3).front(50).T
    np.testing.assert_allclose(second, 1 - np.exp(-((2 - np.sqrt(-np.log(1 - first))) ** 2)), atol=1e-12)
    for concave in (problems.ZDT2(3), problems.SmoothZDT2(3)):
        first, second = concave.front(50).T
        np.testing.assert_allclose(second, 1 - first**2, atol=1e-12)
    first, second = problems.ZDT1(3).front(50).T
    np.testing.assert_allclose(second, 1 - np.sqrt(first), atol=1e-12)
    first, second = problems.ZDT3(3).front(50).T
    np.testing.assert_allclose(second, 1 - np.sqrt(first) - first * np.sin(10 * math.pi * first), atol=1e-12)
    np.testing.assert_allclose((problems.DTLZ2(4, 6).front(50) ** 2).sum(axis=1), 1.0, rtol=1e-12)
    first, second = problems.NeuralTradeOff().front(50).T
    np.testing.assert_allclose(second, (2 * np.exp(-first) - 1) ** 2, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "optimal"),
    [
        ("fonseca and fleming", lambda front: np.outer(np.linspace(1, -1, len(front)), np.full(6, 6**-0.5))),
        ("convex pair", lambda front: np.outer(np.linspace(1, -1, len(front)), np.full(6, 6**-0.5))),
        ("concave pair", lambda front: np.outer(np.linspace(1, -1, len(front)), np.full(6, 6**-0.5))),
        ("zdt1", lambda front: np.outer(front[:, 0], np.eye(6)[0])),
        ("zdt2", lambda front: np.outer(front[:, 0], np.eye(6)[0])),
        ("zdt3", lambda front: np.outer(front[:, 0], np.eye(6)[0])),
        ("smooth zdt2", lambda front: np.outer(2 / math.pi * np.arcsin(np.sqrt(front[:, 0])), np.eye(6)[0])),
        (
            "dtlz2, two",
            lambda front: np.column_stack(
                [2 / math.pi * np.arctan2(front[:, 1], front[:, 0]), np.full((len(front), 4), 0.5)]
            ),
        ),
    ],
)
def test_the_known_optimal_points_have_the_losses_of_the_front(name: str, optimal) -> None:
    problem = SEVERAL[name]()
    front = problem.front(40)
    np.testing.assert_allclose(problem.losses(optimal(front)), front, atol=1e-9)


@pytest.mark.parametrize("name", ["concave pair", "fonseca and fleming", "smooth zdt2", "zdt2"])
def test_a_weighted_sum_is_least_near_the_ends_of_a_concave_front(name: str) -> None:
    front = SEVERAL[name]().front(401)
    least = {int(np.argmin(front @ [weight, 1 - weight])) for weight in np.linspace(0.02, 0.98, 49)}
    assert all(index < 120 or index > 280 for index in least)


@settings(max_examples=60)
@given(name=st.sampled_from(sorted(STANDARD)), size=st.integers(2, 12), seed=st.integers(0, 2**32))
def test_zdt_losses_are_those_of_pymoo(name: str, size: int, seed: int) -> None:
    x = np.random.default_rng(seed).random((4, size))
    np.testing.assert_allclose(STANDARD[name](size).losses(x), get_problem(name, n_var=size).evaluate(x), rtol=1e-10)


@settings(max_examples=60)
@given(num_objectives=st.integers(2, 5), extra=st.integers(0, 5), seed=st.integers(0, 2**32))
def test_dtlz2_losses_are_those_of_pymoo(num_objectives: int, extra: int, seed: int) -> None:
    size = num_objectives + extra
    x = np.random.default_rng(seed).random((4, size))
    expected = get_problem("dtlz2", n_var=size, n_obj=num_objectives).evaluate(x)
    np.testing.assert_allclose(problems.DTLZ2(num_objectives, size).losses(x), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", sorted(STANDARD))
def test_zdt_fronts_are_those_of_pymoo(name: str) -> None:
    ours, theirs = STANDARD[name](5).front(2000), get_problem(name, n_var=5).pareto_front()
    distances = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
    assert distances.min(axis=0).max() < 0.005  # each of theirs is near one of ours
    spacing = np.abs(ours[:, None, 0] - theirs[None, :, 0]).min(axis=1).max()
    assert spacing < 0.01  # and ours lie in the same regions


def test_gradients_of_zdt_are_finite_on_the_bounds() -> None:
    for build in (problems.ZDT1, problems.ZDT3):
        assert np.isfinite(build(3).gradients(np.zeros(3))).all()


def test_the_trade_off_is_real_and_its_bound_holds_for_trained_networks() -> None:
    problem = problems.NeuralTradeOff(hidden=4, num_rows=40)
    x = problem.start(seed=0)
    for weights in ([0.9, 0.1], [0.5, 0.5]):
        for _ in range(400):
            x = x - 0.2 * np.asarray(weights) @ problem.gradients(x)
        useful, private = problem.losses(x)
        assert private >= (2 * math.exp(-min(useful, math.log(2))) - 1) ** 2
    assert private < 0.6
    assert useful > 0.2
