"""Promises of ``minimize``: a budget that holds, counts that are true, runs that repeat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo


class Counted:
    """A quadratic that counts its calls."""

    def __init__(self, centre: float) -> None:
        self.centre, self.calls = centre, 0

    def __call__(self, x: np.ndarray) -> float:
        self.calls += 1
        return float(((x - self.centre) ** 2).sum())


def grad_of(centre: float):
    return lambda x: 2 * (x - centre)


def run(objectives: Any, **options: Any) -> Any:
    settings_of_all: dict[str, Any] = {"lr": 0.1, "estimator": zo.SPSA(radius=0.1), "max_steps": 5}
    return zo.minimize(objectives, [1.0, 2.0], **{**settings_of_all, **options})


# --- counts ----------------------------------------------------------------------------------------------------------


@given(
    pairs=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    num_white=st.integers(0, 1),
    spare=st.integers(0, 40),
    max_steps=st.one_of(st.none(), st.integers(0, 4)),
)
@settings(max_examples=40)
def test_the_budget_holds_and_nfev_is_each_functions_own_count(pairs, num_white, spare, max_steps):
    blacks, whites = [Counted(float(i)) for i in range(len(pairs))], [Counted(9.0) for _ in range(num_white)]
    objectives: list[Any] = [
        zo.BlackBox(f, estimator=zo.SPSA(radius=0.1, num_pairs=q)) for f, q in zip(blacks, pairs, strict=True)
    ]
    objectives += [zo.WhiteBox(f, grad=grad_of(9.0)) for f in whites]
    budget = len(blacks) + spare
    result = run(objectives, scalarizer=torch.sum, estimator=None, budget=budget, max_steps=max_steps, lr=0.01)
    assert result.nfev.tolist() == [f.calls for f in (*blacks, *whites)]
    spent = int(result.nfev[: len(blacks)].sum())
    assert spent <= budget
    if max_steps is None:
        assert spent + 2 * sum(pairs) > budget  # one more step would not have fitted
    assert result.nit == spare // (2 * sum(pairs)) if max_steps is None else result.nit <= max_steps


@pytest.mark.parametrize("budget", [0, 1])
def test_a_budget_that_cannot_pay_for_the_end_is_refused_before_any_query(budget):
    functions = [Counted(0.0), Counted(1.0)]
    with pytest.raises(ValueError, match=rf"^`budget` must be at least 2, got {budget}\.$"):
        run(functions, scalarizer=torch.sum, budget=budget)
    assert [f.calls for f in functions] == [0, 0]


def test_callback_sees_the_queries_so_far():
    black, white = Counted(0.0), Counted(1.0)
    seen: list[list[int]] = []
    run(
        [black, zo.WhiteBox(white, grad=grad_of(1.0))],
        scalarizer=torch.sum,
        callback=lambda result: seen.append([*result.nfev, black.calls, white.calls]),
        max_steps=3,
    )
    assert seen == [[2 * k, k, 2 * k, k] for k in (1, 2, 3)]


# --- the result ------------------------------------------------------------------------------------------------------


def test_the_result_has_scipys_fields_and_true_losses():
    from scipy.optimize import OptimizeResult

    black, white = Counted(0.0), Counted(1.0)
    scalarizer = zo.WeightedSum(weights=[0.25, 0.75])
    result = run([black, zo.WhiteBox(white, grad=grad_of(1.0))], scalarizer=scalarizer)
    assert isinstance(result, OptimizeResult)
    assert result.x.shape == (2,)
    assert result.F.tolist() == [black(result.x), white(result.x)]
    assert result.fun == pytest.approx(0.25 * result.F[0] + 0.75 * result.F[1])
    assert (result.nit, len(result.history), result.success, result.status) == (5, 5, True, 0)
    assert result.message == "all steps were taken"
    assert all(isinstance(report, zo.StepReport) for report in result.history)
    assert run(black, max_steps=None, budget=9).message == "the budget of queries is spent"


def test_a_single_function_needs_no_list_and_no_scalarizer():
    alone, listed = run(Counted(0.0)), run([Counted(0.0)])
    assert alone.x.tolist() == listed.x.tolist()
    assert alone.F.shape == alone.nfev.shape == (1,)
    assert alone.fun == alone.F[0]


def test_no_step_leaves_x_at_the_start():
    result = run(Counted(0.0), max_steps=0)
    assert result.x.tolist() == [1.0, 2.0]
    assert (result.nit, result.nfev.tolist(), result.F.tolist()) == (0, [1], [5.0])


def test_a_step_is_x_minus_lr_times_the_gradient():
    """x = (1, 2), gradient of the quadratic 2 x, lr 0.1 then 0.2: (1, 2) -> (.8, 1.6) -> (.48, .96)."""
    box = zo.WhiteBox(Counted(0.0), grad=grad_of(0.0))
    result = run(box, lr=lambda step: 0.1 * (step + 1), max_steps=2)
    assert result.x == pytest.approx([0.48, 0.96])


def test_a_white_box_without_gradient_gets_a_tensor_for_autograd():
    kinds = []

    def loss(x: Any) -> Any:
        kinds.append(type(x))
        return (x**2).sum()

    result = run(zo.WhiteBox(loss), max_steps=2)
    assert result.x == pytest.approx(run(zo.WhiteBox(Counted(0.0), grad=grad_of(0.0)), max_steps=2).x)
    assert set(kinds) == {torch.Tensor}


def test_functions_are_named_in_the_report():
    def distance(x: np.ndarray) -> float:
        return float(x.sum())

    result = run([distance, Counted(0.0)], scalarizer=torch.sum)
    assert result.history[0].names == ("distance", "black box")


# --- repeatable ------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    results = [run([Counted(0.0), Counted(1.0)], scalarizer=torch.sum, seed=seed) for seed in (1, 1, 2)]
    assert results[0].x.tolist() == results[1].x.tolist()
    assert results[0].x.tolist() != results[2].x.tolist()


def test_what_the_caller_gave_is_not_changed():
    x0, estimator = np.array([1.0, 2.0]), zo.CriticalHistory(zo.SPSA(radius=0.1, seed=5))
    own = zo.BlackBox(Counted(0.0), estimator=zo.SPSA(radius=0.1, seed=6))
    before = estimator.state_dict(), own.estimator.state_dict()
    zo.minimize([own, Counted(1.0)], x0, lr=0.1, scalarizer=torch.sum, estimator=estimator, max_steps=3)
    assert x0.tolist() == [1.0, 2.0]
    assert (estimator.state_dict(), own.estimator.state_dict()) == before
    assert own.num_queries == 0


def test_a_function_cannot_move_x():
    def spoiler(x: np.ndarray) -> float:
        x += 100.0
        return 0.0

    assert run(spoiler).x.tolist() == [1.0, 2.0]


def test_plain_functions_are_probed_along_different_directions():
    seen: dict[int, list[list[float]]] = {0: [], 1: []}

    def watching(index: int):
        def loss(x: np.ndarray) -> float:
            seen[index].append(x.tolist())
            return 0.0

        return loss

    zo.minimize(
        [watching(0), watching(1)],
        np.zeros(64),
        lr=0.1,
        scalarizer=torch.sum,
        estimator=zo.SPSA(radius=0.1),
        max_steps=1,
    )
    assert seen[0][0] != seen[1][0]


# --- stopping --------------------------------------------------------------------------------------------------------


def test_stop_iteration_in_the_callback_stops():
    def stop_at_three(result: Any) -> None:
        if result.nit == 3:
            raise StopIteration

    function = Counted(0.0)
    result = run(function, callback=stop_at_three, max_steps=50)
    assert (result.nit, result.success, result.status) == (3, False, 99)
    assert result.message == "`callback` raised StopIteration"
    assert result.nfev.tolist() == [7] == [function.calls]


def test_another_exception_in_the_callback_is_the_callers():
    def fail(result: Any) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match=r"^mine$"):
        run(Counted(0.0), callback=fail)


def test_the_losses_a_callback_sees_are_those_before_the_step():
    seen: list[Any] = []
    run(zo.WhiteBox(Counted(0.0), grad=grad_of(0.0)), callback=seen.append, max_steps=2)
    assert [float(result.F[0]) for result in seen] == pytest.approx([5.0, 0.64 * 5.0])
    assert [result.fun for result in seen] == pytest.approx([5.0, 0.64 * 5.0])
    assert [result.x.tolist() for result in seen] == [pytest.approx([0.8, 1.6]), pytest.approx([0.64, 1.28])]


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x0", [[], 3.0, [[1.0, 2.0]], [1.0, math.nan], [math.inf]])
def test_x0_is_a_finite_vector(x0):
    with pytest.raises(ValueError, match=r"^`x0` must be a finite vector of at least one number, got "):
        zo.minimize(Counted(0.0), x0, lr=0.1, estimator=zo.SPSA(radius=0.1), max_steps=1)


BAD: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ([Counted(0.0), Counted(1.0)], {}, TypeError, r"^`scalarizer` must be given for 2 objectives\.$"),
    (
        [Counted(0.0), Counted(1.0)],
        {"estimator": None, "scalarizer": zo.WeightedSum(weights=[1.0, 1.0])},
        TypeError,
        r"^`estimator` must be given for a plain function, whose gradient is",
    ),
    (Counted(0.0), {"lr": None}, TypeError, r"^`lr` must be given, unless one function is minimized without an"),
    (Counted(0.0), {"estimator": None, "budget": 19}, ValueError, r"^`budget` must be at least 20 without an `estimat"),
    (
        Counted(0.0),
        {"max_steps": None},
        ValueError,
        r"^`max_steps` must be given where no `budget` of black-box queries",
    ),
    (
        zo.WhiteBox(Counted(0.0), grad=grad_of(0.0)),
        {"max_steps": None, "budget": 9},
        ValueError,
        r"^`max_steps` must be given where no `budget` of black-box queries ends the run\.$",
    ),
    (Counted(0.0), {"max_steps": -1}, ValueError, r"^`max_steps` must be at least 0, got -1\.$"),
    (Counted(0.0), {"max_steps": 2.5}, TypeError, r"^`max_steps` must be a whole number, got 2\.5\.$"),
    (Counted(0.0), {"budget": 10.0}, TypeError, r"^`budget` must be a whole number, got 10\.0\.$"),
    (Counted(0.0), {"lr": 0.0}, ValueError, r"^`lr` must be positive, got 0\.0\.$"),
    (Counted(0.0), {"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
    ([1.0], {}, TypeError, r"^`objectives` must be functions, BlackBox or WhiteBox, got float\.$"),
    ([], {}, ValueError, r"^`objectives` must hold at least one objective, got none\.$"),
]


@pytest.mark.parametrize(("objectives", "options", "error", "words"), BAD)
def test_bad_arguments_are_refused(objectives, options, error, words):
    with pytest.raises(error, match=words):
        run(objectives, **options)


@pytest.mark.parametrize("call", [1, 2, 5])
def test_a_loss_that_is_not_finite_ends_the_run_where_no_failure_is_borne(call):
    calls = [0]

    def loss(x: np.ndarray) -> float:
        calls[0] += 1
        return math.nan if calls[0] == call else 1.0

    with pytest.raises(RuntimeError, match=r"^1 queries of 'loss' failed in a row, .*the loss must be finite, got nan"):
        run(loss, max_steps=2, queries=zo.QueryPolicy(max_failures=0))
