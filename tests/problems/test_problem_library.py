"""What every problem promises: exact gradients, true batches, seeded starts, an optimum that nothing beats."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import minimize

import zoopt_mo as zo
from tests.problems.problem_registry import PROBLEMS, SEVERAL, SINGLE
from tests.test_public_api import unexplained
from zoopt_mo import problems
from zoopt_mo.problems import Problem, SingleObjective

every_problem = pytest.mark.parametrize("name", sorted(PROBLEMS))
every_single = pytest.mark.parametrize("name", sorted(SINGLE))


def points_of(problem: Problem) -> np.ndarray:
    """Five allowed points [5, p], some of them starts."""
    starts = [problem.start(seed) for seed in range(4)]
    return problem.project(np.stack([*starts, 0.5 * starts[0] + 0.2]))


def differences(problem: Problem, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences [n, p], of fourth order."""
    steps = step * np.eye(problem.size)
    near = problem.losses(x + steps) - problem.losses(x - steps)
    far = problem.losses(x + 2 * steps) - problem.losses(x - 2 * steps)
    return ((8 * near - far) / (12 * step)).T


def test_every_public_problem_is_held_to_the_promises() -> None:
    leaves = {
        name
        for name in problems.__all__
        if issubclass(getattr(problems, name), Problem) and not inspect.isabstract(getattr(problems, name))
    }
    assert {type(build()).__name__ for build in PROBLEMS.values()} == leaves


@every_problem
def test_gradients_are_those_of_the_losses(name: str) -> None:
    problem = PROBLEMS[name]()
    for x in points_of(problem):
        inside = x if problem.lower is None else np.clip(x, 0.01, 0.99)
        exact = problem.gradients(inside)
        assert exact.shape == (problem.num_objectives, problem.size)
        scale = 1.0 + np.abs(exact).max() + np.abs(problem.losses(inside)).max()
        np.testing.assert_allclose(exact, differences(problem, inside), atol=1e-8 * scale)


@every_problem
def test_a_batch_has_the_losses_of_its_points(name: str) -> None:
    problem = PROBLEMS[name]()
    points = points_of(problem)
    batch = problem.losses(points)
    assert batch.shape == (len(points), problem.num_objectives)
    np.testing.assert_allclose(batch, [problem.losses(x) for x in points], rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(problem.losses(points[0].tolist()), problem.losses(points[0]))


@pytest.mark.parametrize("name", sorted(SINGLE | SEVERAL))
def test_losses_are_no_less_than_the_ideal(name: str) -> None:
    problem = PROBLEMS[name]()
    assert (problem.losses(points_of(problem)) >= problem.ideal).all()


@every_problem
def test_a_start_depends_on_its_seed_alone(name: str) -> None:
    problem = PROBLEMS[name]()
    x = problem.start(seed=3)
    assert x.shape == (problem.size,)
    np.testing.assert_array_equal(PROBLEMS[name]().start(seed=3), x)
    assert not np.array_equal(problem.start(seed=4), x)
    np.testing.assert_array_equal(problem.project(x), x)


@every_problem
def test_the_same_arguments_make_the_same_problem(name: str) -> None:
    problem = PROBLEMS[name]()
    x = problem.start(seed=0)
    np.testing.assert_array_equal(PROBLEMS[name]().losses(x), problem.losses(x))


@every_problem
def test_the_global_random_state_is_left_alone(name: str) -> None:
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    problem = PROBLEMS[name]()
    problem.losses(problem.start(seed=0))
    problem.front(10)
    after = np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002
    np.testing.assert_array_equal(after, before)


@every_problem
def test_losses_and_gradients_leave_x_as_it_was(name: str) -> None:
    problem = PROBLEMS[name]()
    x = problem.start(seed=0)
    kept = x.copy()
    problem.losses(x)
    problem.gradients(x)
    problem.project(x)[:] = 9.0
    np.testing.assert_array_equal(x, kept)


@every_problem
def test_a_point_of_the_wrong_shape_is_refused(name: str) -> None:
    problem = PROBLEMS[name]()
    with pytest.raises(ValueError, match=r"`x` must have shape"):
        problem.losses(np.zeros(problem.size + 1))
    with pytest.raises(ValueError, match=r"`x` must be one point"):
        problem.gradients(np.zeros((2, problem.size)))
    with pytest.raises(ValueError, match=r"`seed` must be at least 0"):
        problem.start(-1)
    with pytest.raises(ValueError, match=r"`num_points` must be at least 1"):
        problem.front(0)


@every_single
def test_the_optimum_is_reached_and_not_beaten(name: str) -> None:
    problem = SINGLE[name]()
    assert isinstance(problem, SingleObjective)
    best = min(descend(problem, seed) for seed in range(4 if name not in {"rastrigin", "mlp"} else 30))
    assert best >= problem.optimum - 1e-12
    assert best <= problem.optimum + (1e-3 if name == "mlp" else 0.1 if name == "rastrigin" else 1e-6)
    np.testing.assert_allclose(problem.gradients(problem.minimizer), 0.0, atol=1e-8)
    np.testing.assert_array_equal(problem.losses(problem.minimizer), [problem.optimum])
    np.testing.assert_array_equal(problem.front(5), [[problem.optimum]])
    np.testing.assert_array_equal([problem.ideal, problem.nadir], [[problem.optimum]] * 2)


def descend(problem: Problem, seed: int) -> float:
    """The least loss that L-BFGS finds from a start."""
    found = minimize(
        lambda x: (float(problem.losses(x)[0]), problem.gradients(x)[0]),
        problem.start(seed),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 3000, "ftol": 0.0, "gtol": 1e-10},
    )
    return float(found.fun)


@every_single
def test_a_start_is_not_the_optimum(name: str) -> None:
    problem = SINGLE[name]()
    assert all(problem.losses(problem.start(seed))[0] > problem.ideal[0] + 1e-9 for seed in range(5))


@every_problem
def test_objectives_are_black_where_asked_and_white_elsewhere(name: str) -> None:
    problem = PROBLEMS[name]()
    last = problem.num_objectives - 1
    boxes = problem.objectives(black=[last], estimator=zo.SPSA(radius=0.1))
    assert [type(box) for box in boxes] == [zo.WhiteBox] * last + [zo.BlackBox]
    x = problem.start(seed=0)
    for index, box in enumerate(boxes):
        assert box.loss is not None
        assert box.loss(x) == problem.losses(x)[index]
        if isinstance(box, zo.WhiteBox):
            assert box.grad is not None
            np.testing.assert_array_equal(box.grad(x), problem.gradients(x)[index])


def test_objectives_of_a_bounded_problem_may_be_asked_outside() -> None:
    problem = problems.ZDT2(3)
    first, second = problem.objectives(black=[], step_factors=[1.0, 0.5])
    x = np.array([0.5, -0.3, 1.7])
    assert isinstance(second, zo.WhiteBox)
    assert second.grad is not None
    assert second.loss(x) == problem.losses([0.5, 0.0, 1.0])[1]
    np.testing.assert_array_equal(second.grad(x), [problem.gradients([0.5, 0.0, 1.0])[1, 0], 0.0, 0.0])
    assert (first.step_factor, second.step_factor) == (1.0, 0.5)


def test_every_black_box_has_an_estimator_of_its_own_and_noise() -> None:
    noise = problems.AdditiveNoise(0.1, seed=0)
    shared = zo.SPSA(radius=0.1)
    first, second = problems.ConvexPair(2).objectives(black=[0, 1], estimator=shared, noise=noise)
    assert isinstance(first, zo.BlackBox)
    assert isinstance(second, zo.BlackBox)
    assert len({id(shared), id(first.estimator), id(second.estimator)}) == 3
    assert first.loss is not None
    assert first.loss(np.zeros(2)) != first.loss(np.zeros(2))


def test_minimize_takes_the_objectives_to_the_front() -> None:
    problem = problems.ConvexPair(4)
    objectives = problem.objectives(black=[0], estimator=zo.SPSA(radius=0.01))
    scalarizer = zo.WeightedSum(weights=[0.5, 0.5])
    result = zo.minimize(objectives, problem.start(seed=0), lr=0.05, scalarizer=scalarizer, budget=1001)
    np.testing.assert_allclose(np.sqrt(result.F).sum(), 1.0, atol=0.02)
    np.testing.assert_allclose(result.F, [0.25, 0.25], atol=0.02)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"black": [0]}, TypeError, r"`estimator` must be given"),
        ({"black": [2]}, ValueError, r"`black` must hold indices below 2"),
        ({"black": [-1]}, ValueError, r"`black` must be at least 0"),
        ({"black": [], "step_factors": [1.0]}, ValueError, r"`step_factors` must hold 2 values"),
    ],
)
def test_a_wrong_split_is_refused(options: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        problems.ConvexPair(2).objectives(**options)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: problems.Sphere(0), r"`size` must be at least 1"),
        (lambda: problems.Ellipsoid(3, condition=-1.0), r"`condition` must be positive"),
        (lambda: problems.PowerLaw(3, exponent=0.0), r"`exponent` must be positive"),
        (lambda: problems.HuberValley(3, width=0.0), r"`width` must be positive"),
        (lambda: problems.LogCosh(3, width=-1.0), r"`width` must be positive"),
        (lambda: problems.Rosenbrock(1), r"`size` must be at least 2"),
        (lambda: problems.Zakharov(2, steepness=-1.0), r"`steepness` must not be negative"),
        (lambda: problems.Rastrigin(2, amplitude=-1.0), r"`amplitude` must not be negative"),
        (lambda: problems.LogisticRegression(2, decay=0.0), r"`decay` must be positive"),
        (lambda: problems.SmallMLP(inputs=0, hidden=1), r"`inputs` must be at least 1"),
        (lambda: problems.ConcavePair(2, softness=0.0), r"`softness` must be positive"),
        (lambda: problems.ZDT1(1), r"`size` must be at least 2"),
        (lambda: problems.DTLZ2(num_objectives=3, size=2), r"`size` must be at least 3"),
        (lambda: problems.NeuralTradeOff(separation=0.0), r"`separation` must be positive"),
    ],
)
def test_an_argument_out_of_range_is_refused(build, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build()


def test_a_point_outside_the_bounds_is_refused() -> None:
    problem = problems.ZDT1(2)
    with pytest.raises(ValueError, match=r"`x` of ZDT1 must lie within its bounds"):
        problem.losses([0.5, -0.1])
    np.testing.assert_array_equal(problem.project([[1.5, -0.1]]), [[1.0, 0.0]])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], r"`rows` must be a vector of at least one index"),
        ([0.5], r"`rows` must be a vector of at least one index"),
        ([0, 50], r"`rows` must be from 0 to 49, got 0 to 50"),
        ([-1], r"`rows` must be from 0 to 49"),
    ],
)
def test_rows_that_do_not_exist_are_refused(rows: list, words: str) -> None:
    problem = problems.LogisticRegression(3, num_rows=50)
    with pytest.raises(ValueError, match=words):
        problem.losses(np.zeros(3), np.array(rows))


def test_importing_the_problems_loads_nothing_heavier_than_torch() -> None:
    code = "import sys, zoopt_mo.problems; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert {"scipy", "pymoo", "matplotlib", "moocore"} & loaded == set()


@pytest.mark.parametrize("name", problems.__all__)
def test_a_public_name_is_explained_with_every_parameter(name: str) -> None:
    assert unexplained(name, getattr(problems, name)) == []
