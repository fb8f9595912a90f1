"""Losses and gradients of the problems, worked by hand, and the rotation of the rotated ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

from zoopt_mo import problems
from zoopt_mo.problems._rotation import Rotation


def hessian(problem: problems.Problem) -> np.ndarray:
    """Of a quadratic around 0 [p, p]."""
    return np.array([problem.gradients(axis)[0] for axis in np.eye(problem.size)])


def test_an_ellipsoid_falls_off_in_equal_ratios() -> None:
    problem = problems.Ellipsoid(3, condition=100.0)
    np.testing.assert_allclose(hessian(problem), np.diag([1.0, 0.1, 0.01]), rtol=1e-12)
    np.testing.assert_allclose(problem.losses([1.0, 2.0, 10.0]), [0.5 * (1 + 0.4 + 1)], rtol=1e-12)


def test_a_power_law_falls_off_as_a_power() -> None:
    np.testing.assert_allclose(
        np.diag(hessian(problems.PowerLaw(4, exponent=2.0))), [1, 1 / 4, 1 / 9, 1 / 16], rtol=1e-12
    )


@pytest.mark.parametrize("size", [2, 9, 64])
def test_a_rotation_keeps_the_spectrum_and_mixes_the_axes(size: int) -> None:
    plain, turned = (hessian(problems.Ellipsoid(size, rotated=rotated)) for rotated in (False, True))
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(turned)), np.sort(np.diag(plain)), rtol=1e-9)
    assert np.abs(turned - np.diag(np.diag(turned))).max() > 0.01


@pytest.mark.parametrize("size", [1, 2, 5, 64, 1000])
def test_a_rotation_is_orthogonal_and_undone_by_its_transpose(size: int) -> None:
    rotation = Rotation(size, seed=4)
    x = np.random.default_rng(0).standard_normal((3, size))
    turned = rotation.apply(x)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(x, axis=1), rtol=1e-12)
    np.testing.assert_allclose(rotation.apply_transpose(turned), x, atol=1e-12)
    np.testing.assert_allclose(rotation.apply(x[0]), turned[0], atol=1e-14)


def test_a_rotation_spreads_one_axis_over_all() -> None:
    spread = Rotation(64, seed=0).apply(np.eye(64)[0])
    assert np.count_nonzero(spread) > 32
    assert np.abs(spread).max() < 0.8


def test_two_instance_seeds_make_two_problems() -> None:
    x = np.arange(1.0, 6.0)
    for build in (problems.LogCosh, problems.HuberValley, problems.DifferentPowers, problems.Zakharov):
        assert build(5, seed=0).losses(x) != build(5, seed=1).losses(x)
    assert problems.PowerLaw(5, rotated=True, seed=0).losses(x) != problems.PowerLaw(5, rotated=True, seed=1).losses(x)


def test_log_cosh_and_huber_are_quadratic_below_and_linear_above() -> None:
    log_cosh, huber = (build(1, width=0.5) for build in (problems.LogCosh, problems.HuberValley))
    bottom = log_cosh.minimizer
    np.testing.assert_array_equal(bottom, huber.minimizer)  # the same seed makes the same shift
    np.testing.assert_allclose(log_cosh.losses(bottom + 0.25), [0.25 * math.log(math.cosh(0.5))], rtol=1e-12)
    np.testing.assert_allclose(log_cosh.gradients(bottom + 0.25), [[0.5 * math.tanh(0.5)]], rtol=1e-12)
    np.testing.assert_allclose(log_cosh.gradients(bottom + 1e4), [[0.5]], rtol=1e-12)
    np.testing.assert_allclose(huber.losses(bottom + 0.25), [0.0625], rtol=1e-12)
    np.testing.assert_allclose(huber.losses(bottom - 2.0), [1.75], rtol=1e-12)
    np.testing.assert_allclose(huber.gradients(bottom - 2.0), [[-1.0]], rtol=1e-12)


def test_powers_go_from_two_to_six() -> None:
    problem = problems.DifferentPowers(3)
    losses = problem.losses(problem.minimizer + np.diag([3.0, -3.0, 3.0]))
    np.testing.assert_allclose(losses, [[9.0], [81.0], [729.0]], rtol=1e-12)


def test_rosenbrock_is_chained() -> None:
    assert problems.Rosenbrock(3).losses([1.0, 2.0, 3.0]).tolist() == [100 + 0 + 100 + 1]


def test_zakharov_grows_with_the_fourth_power_along_its_ramp() -> None:
    problem = problems.Zakharov(2, steepness=2.0)
    ramp = np.array([1.0, 2.0]) / math.sqrt(5.0)
    across = np.array([2.0, -1.0]) / math.sqrt(5.0)
    losses = problem.losses(problem.minimizer + np.stack([3.0 * across, 1.0 * ramp]))
    np.testing.assert_allclose(losses, [[9.0], [1.0 + 4.0 + 16.0]], rtol=1e-12)


def test_logistic_loss_and_gradient_by_hand() -> None:
    problem = problems.LogisticRegression(2, num_rows=2, decay=0.1)
    problem._signed_rows = np.array([[1.0, 0.0], [0.0, -2.0]])  # margins log 3 and -2 log 3
    x = np.full(2, math.log(3.0))
    penalty = 0.1 * math.log(3.0) ** 2
    np.testing.assert_allclose(problem.losses(x), [0.5 * math.log(4 / 3) + 0.5 * math.log(10) + penalty], rtol=1e-12)
    expected = [-0.125 + 0.1 * math.log(3.0), 0.9 + 0.1 * math.log(3.0)]
    np.testing.assert_allclose(problem.gradients(x), [expected], rtol=1e-12)
    np.testing.assert_allclose(problem.losses(x, np.array([1])), [math.log(10) + penalty], rtol=1e-12)


def test_the_logistic_optimum_is_that_of_scikit_learn() -> None:
    problem = problems.LogisticRegression(8, num_rows=100)
    labels = np.where(np.arange(100) % 2, 1, -1)  # any signs do, since rows are held times their label
    model = SklearnLogisticRegression(C=1 / (100 * problem.decay), fit_intercept=False, tol=1e-12, max_iter=10_000)
    model.fit(labels[:, None] * problem._signed_rows, labels)
    np.testing.assert_allclose(problem.losses(model.coef_[0]), [problem.optimum], rtol=1e-9)


def test_the_small_network_by_hand() -> None:
    problem = problems.SmallMLP(inputs=1, hidden=2, num_rows=1)
    problem._rows, problem._answers = np.array([[2.0]]), np.array([1.0])
    x = np.array([0.5, 0.0, -1.0, 3.0, 4.0, 0.0])  # tanh(0.5 * 2 - 1) = 0; the second unit has no weight out
    np.testing.assert_allclose(problem.losses(x), [0.5], rtol=1e-12)
    expected = [-1.0 * 4.0 * 2.0, 0.0, -4.0, 0.0, 0.0, -math.tanh(3.0)]
    np.testing.assert_allclose(problem.gradients(x), [expected], atol=1e-12)


def test_rows_average_to_the_whole() -> None:
    for problem in (problems.SmallMLP(inputs=2, hidden=3, num_rows=20), problems.NeuralTradeOff(num_rows=20)):
        x = problem.start(seed=0)
        halves = [np.arange(10), np.arange(10, 20)]
        np.testing.assert_allclose(np.mean([problem.losses(x, rows) for rows in halves], axis=0), problem.losses(x))
        np.testing.assert_allclose(
            np.mean([problem.gradients(x, rows) for rows in halves], axis=0), problem.gradients(x), atol=1e-14
        )


def test_the_trade_off_of_one_row_by_hand() -> None:
    problem = problems.NeuralTradeOff(inputs=2, hidden=1, num_rows=1, separation=1.0)
    problem._rows, problem._labels = np.array([[0.5, 0.25]]), np.array([1])  # the bits + and -
    problem._classifier, problem._reviewer = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]), np.array([2.0, 0.0])
    logits = np.array([0.75, 0.25, -0.25, -0.75])
    useful, private = problem.losses(np.zeros(4))
    np.testing.assert_allclose(useful, math.log(np.exp(logits).sum()) - 0.25, rtol=1e-12)
    np.testing.assert_allclose(private, (2 / (1 + math.exp(-1.0)) - 1) ** 2, rtol=1e-12)
