"""What ``recommended`` is made of, and ``minimize`` where it is left to choose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import zoopt_mo as zo
from zoopt_mo import problems


def single(radius: float, seed: int) -> zo.Estimator:
    return zo.TuningFree(zo.Acceleration(zo.Clip(zo.AdaptiveBlock(radius=radius, seed=seed), factor=3.0)))


def minibatch(radius: float, seed: int) -> zo.Estimator:
    return zo.TuningFree(zo.Clip(zo.AdaptiveBlock(radius=radius, seed=seed), factor=3.0), factor=0.1)


def mixed(radius: float, seed: int) -> zo.Estimator:
    pairs = zo.SPSA(radius=radius, directions=zo.hadamard, seed=seed)
    return zo.Clip(zo.ControlVariate(zo.Momentum(pairs)), factor=4.0)


def estimates(estimator: zo.Estimator) -> list[tuple[list[float], float]]:
    """Gradients and gains of thirty steps down a quartic bowl, beside an exact gradient, with some outliers."""
    point, found = torch.linspace(-1, 1, 16, dtype=torch.float64), []
    beside = zo.Combination([(1.0, zo.DenseDirection(torch.arange(16.0)))])
    for number in range(30):
        losses = [float((point + probe.dense(dtype=torch.float64)).pow(4).sum()) for probe in estimator.ask(16)]
        losses[0] += 50.0 * (number % 7 == 6)
        estimate = estimator.tell(losses, exact=[beside])
        point -= 0.01 * estimate.gain * estimate.gradient.dense(dtype=torch.float64)
        found.append((estimate.gradient.dense().tolist(), estimate.gain))
    return found


@pytest.mark.parametrize(
    ("options", "by_hand"),
    [({}, single), ({"minibatch": True}, minibatch), ({"mixed": True}, mixed)],
    ids=["one black box", "minibatches", "beside white boxes"],
)
def test_the_recommended_estimator_is_the_one_spelled_out(options, by_hand):
    assert estimates(zo.recommended(radius=0.1, seed=3, **options)) == estimates(by_hand(0.1, 3))
    assert estimates(zo.recommended(radius=0.1, seed=3, **options)) != estimates(by_hand(0.1, 4))
    assert estimates(zo.recommended(radius=0.1, seed=3, **options)) != estimates(by_hand(0.3, 3))


@pytest.mark.parametrize("options", [{}, {"minibatch": True}, {"mixed": True}])
def test_the_radius_may_follow_the_step(options):
    estimator = zo.recommended(radius=lambda step: 0.5**step, **options)
    lengths = []
    for _ in range(3):
        displacements = estimator.ask(16)
        lengths.append(displacements[0].norm() / 4)
        estimator.tell([float(number) for number in range(len(displacements))])
    assert lengths == pytest.approx([1.0, 0.5, 0.25])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius": 0.0}, r"^`radius` must be positive, got 0\.0\.$"),
        ({"radius": 0.1, "seed": -1}, r"^`seed` must be "),
        ({"radius": 0.1, "mixed": True, "minibatch": True}, r"^`minibatch` must be False with `mixed`, "),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        zo.recommended(**options)


# --- minimize without an estimator -----------------------------------------------------------------------------------


class Noisy:
    """A bowl of fifty parameters with noise, that counts its calls."""

    def __init__(self, sd: float = 0.0) -> None:
        self.calls, self.noise = 0, problems.AdditiveNoise(sd, seed=0)

    def __call__(self, x: np.ndarray) -> float:
        self.calls += 1
        return float(self.noise((x - 1) @ (x - 1)))


def run(loss: Any, **options: Any) -> Any:
    return zo.minimize(loss, np.full(50, 2.0), **{"budget": 600, **options})


@pytest.mark.parametrize("budget", [20, 21, 40, 200])
@pytest.mark.parametrize("sd", [0.0, 0.1, 1e3], ids=["none", "some", "drowned"])
def test_the_budget_pays_for_the_calibration_too(budget, sd):
    loss = Noisy(sd)
    result = run(loss, budget=budget)
    assert result.nfev.tolist() == [loss.calls]
    assert loss.calls <= budget
    assert result.calibration.num_queries + sum(sum(report.queries) for report in result.history) + 1 == loss.calls


def test_the_result_carries_the_calibration_and_its_radius_is_the_one_used():
    """The first probe after the queries of the calibration is at its radius from the start."""
    seen: list[np.ndarray] = []
    loss = Noisy(0.5)

    def watching(x: np.ndarray) -> float:
        seen.append(x)
        return loss(x)

    found = run(watching).calibration
    assert isinstance(found, zo.Calibration)
    assert found.radius > 0.01
    assert found.noise > 0
    assert np.abs(seen[found.num_queries] - 2.0) == pytest.approx(found.radius)
    assert run(Noisy(), estimator=zo.SPSA(radius=0.1), lr=0.01).calibration is None


def test_the_noisy_bowl_reaches_its_goal_with_nothing_chosen():
    """From a loss of 50 to less than 1, with noise of 0.1 in every answer."""
    for seed in range(3):
        result = run(Noisy(0.1), seed=seed, budget=800)
        assert float((result.x - 1) @ (result.x - 1)) < 1.0


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    results = [run(Noisy(0.1), seed=seed) for seed in (1, 1, 2)]
    assert results[0].x.tolist() == results[1].x.tolist()
    assert results[0].x.tolist() != results[2].x.tolist()


def test_lr_is_a_factor_of_the_step():
    """The first step is lr times its gain times the gradient."""
    moves = [run(Noisy(), **options, max_steps=1).x - 2.0 for options in ({}, {"lr": 1.0}, {"lr": 0.25})]
    assert moves[0].tolist() == moves[1].tolist()
    assert moves[2] == pytest.approx(moves[0] / 4)
    assert run(Noisy(), lr=lambda _step: 0.5, max_steps=1).x - 2.0 == pytest.approx(moves[0] / 2)


def test_a_list_of_one_function_is_one_function():
    assert run([Noisy()]).x.tolist() == run(Noisy()).x.tolist()


def test_steps_without_a_budget_are_enough():
    result = run(Noisy(), budget=None, max_steps=5)
    assert (result.nit, result.message) == (5, "all steps were taken")


def test_a_budget_too_small_is_refused_before_any_query():
    loss = Noisy()
    with pytest.raises(ValueError, match=r"^`budget` must be at least 20 without an `estimator`, got 19\.$"):
        run(loss, budget=19)
    assert loss.calls == 0


def test_a_black_box_of_ones_own_keeps_its_estimator_and_needs_a_step():
    box = zo.BlackBox(Noisy(), estimator=zo.SPSA(radius=0.1))
    with pytest.raises(
        TypeError, match=r"^`lr` must be given, unless one function is minimized without an `estimator`"
    ):
        run(box)
    assert run(box, lr=0.001).calibration is None


def test_a_loss_that_is_not_finite_while_calibrating_is_refused():
    def nowhere(_x: np.ndarray) -> float:
        return math.inf

    with pytest.raises(RuntimeError, match=r"^Calibration needs two losses at the parameters, but 0 of 6 came\.$"):
        run(nowhere)
