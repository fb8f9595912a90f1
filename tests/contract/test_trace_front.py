"""Promises of the sweep: warm starts, true counts, and a result that does not depend on who does the work."""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoopt_mo as zo


class Quadratic:
    """Squared distance from a point, mean over the coordinates; it counts its calls and holds them."""

    def __init__(self, centre: float) -> None:
        self.centre = centre
        self.seen: list[list[float]] = []

    def __call__(self, x: np.ndarray) -> float:
        self.seen.append(x.tolist())
        return float(((x - self.centre) ** 2).mean())

    def grad(self, x: np.ndarray) -> np.ndarray:
        return 2 * (x - self.centre) / x.size

    def white(self) -> zo.WhiteBox:
        return zo.WhiteBox(self, grad=self.grad)


def weighted_sum(weights: list[float]) -> zo.WeightedSum:
    return zo.WeightedSum(weights=weights)


THREE = [[0.2, 0.8], [0.5, 0.5], [0.8, 0.2]]
START = np.full(3, 2.0)


def sweep(objectives: Any = None, x0: Any = START, **options: Any) -> zo.FrontResult:
    """A small sweep: the first objective black, the second white, three weights."""
    settings: dict[str, Any] = {
        "scalarizer": weighted_sum,
        "weights": THREE,
        "estimator": zo.SPSA(radius=0.1),
        "lr": 0.1,
        "max_steps": 4,
    }
    pair: Any = [Quadratic(1.0), Quadratic(0.0).white()]
    return zo.trace_front(pair if objectives is None else objectives, x0, **{**settings, **options})


# --- the weights -----------------------------------------------------------------------------------------------------


def test_two_objectives_split_the_segment_evenly_without_its_ends():
    expected = np.array([[0.2, 0.8], [0.4, 0.6], [0.6, 0.4], [0.8, 0.2]])
    assert zo.simplex_weights(2, divisions=5) == pytest.approx(expected)


def test_three_objectives_walk_back_and_forth_over_the_triangle():
    """5 = 1+1+3 = 1+2+2 = 1+3+1, back by 2+2+1 = 2+1+2, and 3+1+1: six ways, binomial(4, 2)."""
    shares = (zo.simplex_weights(3, divisions=5) * 5).round().astype(int).tolist()
    assert shares == [[1, 1, 3], [1, 2, 2], [1, 3, 1], [2, 2, 1], [2, 1, 2], [3, 1, 1]]


@given(st.integers(1, 4), st.integers(0, 6))
def test_weights_are_every_positive_lattice_point_once_and_neighbours_differ_by_one_share(n, more):
    divisions = n + more
    shares = (zo.simplex_weights(n, divisions=divisions) * divisions).round().astype(int)
    every = [p for p in itertools.product(range(1, divisions + 1), repeat=n) if sum(p) == divisions]
    assert sorted(map(tuple, shares.tolist())) == every
    assert (np.abs(np.diff(shares, axis=0)).sum(axis=1) == 2).all()


def test_by_default_two_objectives_get_nine_weights_and_three_get_the_lattice_of_ten():
    assert sweep(weights=None).weights.tolist() == zo.simplex_weights(2, divisions=10).tolist()
    three = [Quadratic(0.0).white(), Quadratic(1.0).white(), Quadratic(2.0).white()]
    assert sweep(three, weights=None, max_steps=0).weights.shape == (36, 3)


def test_every_point_gets_a_new_scalarizer_with_its_weights():
    asked: list[list[float]] = []

    def factory(weights: list[float]) -> zo.WeightedSum:
        asked.append(weights)
        return zo.WeightedSum(weights=weights)

    assert sweep(scalarizer=factory).weights.tolist() == asked == THREE


# --- warm starts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("num_chains", "starts"), [(1, [0]), (2, [0, 2]), (3, [0, 1, 2])])
def test_a_chain_starts_at_x0_and_goes_on_where_the_point_before_ended(num_chains, starts):
    first = Quadratic(1.0)
    found = sweep([first.white(), Quadratic(0.0).white()], num_chains=num_chains, max_steps=2)
    begun = first.seen[::3]  # two steps and the end
    assert begun == [START.tolist() if k in starts else found.x[k - 1].tolist() for k in range(3)]


def test_a_point_is_a_minimize_from_the_point_before():
    objectives = [Quadratic(1.0).white(), Quadratic(0.0).white()]
    found = sweep(objectives)
    x = START
    for row, weights in zip(found.x, THREE, strict=True):
        x = zo.minimize(objectives, x, lr=0.1, scalarizer=weighted_sum(weights), max_steps=4).x
        assert row.tolist() == x.tolist()


def test_options_go_to_minimize():
    calls: list[int] = []
    sweep(callback=lambda result: calls.append(result.nit), max_steps=2)
    assert calls == [1, 2] * 3


# --- the same whoever does the work ----------------------------------------------------------------------------------


class Backwards(Executor):
    """Runs what it was given last first."""

    def map(self, fn: Any, *iterables: Any, **_options: Any) -> Iterator[Any]:
        calls = list(zip(*iterables, strict=True))
        done = {index: fn(*call) for index, call in reversed(list(enumerate(calls)))}
        return iter([done[index] for index in range(len(calls))])

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise NotImplementedError


@pytest.mark.parametrize("num_chains", [1, 2, 3])
def test_the_result_does_not_depend_on_the_number_of_threads_or_the_order(num_chains):
    alone = sweep(num_chains=num_chains)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(3) as three:
        others = [sweep(num_chains=num_chains, executor=executor) for executor in (one, three, Backwards())]
    for other in others:
        assert other.x.tolist() == alone.x.tolist()
        assert other.losses.tolist() == alone.losses.tolist()
        assert other.queries.tolist() == alone.queries.tolist()


def test_a_pool_of_processes_gives_the_same_result():
    factory = partial(zo.AugmentedTchebycheff, ideal=[0.0, 0.0])
    scalarizer = partial(build, factory)
    alone = sweep(scalarizer=scalarizer, num_chains=2)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        pooled = sweep(scalarizer=scalarizer, num_chains=2, executor=pool)
    assert pooled.x.tolist() == alone.x.tolist()
    assert pooled.queries.tolist() == alone.queries.tolist() == [9, 9, 9]


def build(factory: Any, weights: list[float]) -> zo.Scalarizer:
    scalarizer: zo.Scalarizer = factory(weights=weights)
    return scalarizer


def test_the_seed_decides_and_every_point_has_its_own():
    first, again, other = (sweep(seed=seed, num_chains=3, weights=[[0.5, 0.5]] * 3) for seed in (1, 1, 2))
    assert first.x.tolist() == again.x.tolist()
    assert first.x.tolist() != other.x.tolist()
    assert first.x[0].tolist() != first.x[1].tolist()


def test_the_first_point_of_a_sweep_does_not_depend_on_how_many_follow():
    assert sweep(weights=THREE[:1]).x[0].tolist() == sweep(weights=THREE).x[0].tolist()


def test_what_the_caller_gave_is_not_changed():
    x0, black = START.copy(), zo.BlackBox(Quadratic(1.0), estimator=zo.SPSA(radius=0.1, seed=6))
    before = black.estimator.state_dict()
    sweep([black, Quadratic(0.0).white()], x0)
    assert (x0 == START).all()
    assert black.estimator.state_dict() == before
    assert black.num_queries == 0


# --- what it costs ---------------------------------------------------------------------------------------------------


@given(budget=st.integers(2, 30), num_chains=st.integers(1, 3))
def test_counts_are_each_functions_own_and_stay_in_the_budget(budget, num_chains):
    blacks, white = [Quadratic(1.0), Quadratic(2.0)], Quadratic(0.0)
    weights = [[0.2, 0.2, 0.6], [0.4, 0.2, 0.4], [0.6, 0.2, 0.2]]
    found = sweep([*blacks, white.white()], weights=weights, budget=budget, max_steps=None, num_chains=num_chains)
    assert found.nfev.sum(axis=0).tolist() == [len(f.seen) for f in (*blacks, white)]
    assert found.queries.tolist() == found.nfev[:, :2].sum(axis=1).tolist()
    assert found.num_queries == sum(len(f.seen) for f in blacks)
    assert (found.queries <= budget).all()
    assert (found.queries > budget - 4).all()  # one more step would not have fitted


def test_white_boxes_cost_no_query():
    found = sweep([Quadratic(1.0).white(), Quadratic(0.0).white()], max_steps=2)
    assert found.queries.tolist() == [0, 0, 0]
    assert found.nfev.tolist() == [[3, 3]] * 3


# --- what it finds ---------------------------------------------------------------------------------------------------


def test_the_result_is_one_row_a_point():
    found = sweep()
    assert (found.weights.shape, found.losses.shape, found.x.shape) == ((3, 2), (3, 2), (3, 3))
    assert found.losses.tolist() == [[Quadratic(1.0)(x), Quadratic(0.0)(x)] for x in found.x]
    assert found.optimal.tolist() == zo.non_dominated(found.losses).tolist()
    assert [result.nit for result in found.results] == [4, 4, 4]


def test_a_result_prints_without_the_history_of_its_runs():
    assert "StepReport" not in repr(sweep())


def test_dominated_points_are_marked():
    """Both are minimized at 0, so the later points of the chain are nearer to it in both losses."""
    found = sweep([Quadratic(0.0).white(), Quadratic(0.0).white()])
    assert found.optimal.tolist() == [False, False, True]


def test_weights_of_a_weighted_sum_are_places_on_the_segment():
    """w (x - 1)^2 + (1 - w) x^2 is least at x = w. Over eight seeds the worst coordinate was off by 0.05 to 0.08."""
    gains = zo.SpallGains(lr=0.3, radius=0.1, stability=5)
    found = sweep(budget=401, max_steps=None, lr=gains.lr_at)
    assert found.x == pytest.approx(np.repeat([[0.2], [0.5], [0.8]], 3, axis=1), abs=0.12)
    assert found.optimal.all()


def test_a_warm_start_needs_fewer_steps_than_a_cold_one():
    front = [[(1 - t) ** 2, t**2] for t in np.linspace(0, 1, 21)]
    warm, cold = (sweep(num_chains=chains, max_steps=8, front=front).igd_plus for chains in (1, 3))
    assert warm is not None
    assert cold is not None
    assert warm < 0.7 * cold


# --- indicators ------------------------------------------------------------------------------------------------------

FRONT = [[1.0, 0.0], [0.25, 0.25], [0.0, 1.0]]


def test_indicators_are_those_of_the_points_found():
    found = sweep(reference=[5.0, 5.0], front=FRONT)
    assert found.hypervolume == zo.hypervolume(found.losses, [5.0, 5.0]) > 0
    assert found.igd_plus == zo.igd_plus(found.losses, FRONT) > 0
    assert found.epsilon == zo.epsilon_indicator(found.losses, FRONT) > 0


def test_indicators_that_nobody_asked_for_are_none_and_need_no_moocore(monkeypatch):
    monkeypatch.setitem(sys.modules, "moocore", None)
    found = sweep()
    assert (found.hypervolume, found.igd_plus, found.epsilon) == (None, None, None)


@pytest.mark.parametrize("asked", [{"reference": [5.0, 5.0]}, {"front": FRONT}])
def test_a_missing_moocore_is_reported_before_the_first_query(monkeypatch, asked):
    monkeypatch.setitem(sys.modules, "moocore", None)
    black = Quadratic(1.0)
    with pytest.raises(ImportError, match=r'pip install "zoopt-mo\[pareto\]"'):
        sweep([black, Quadratic(0.0).white()], **asked)
    assert black.seen == []


# --- refused ---------------------------------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"num_chains": 4}, ValueError, r"^`num_chains` must be at most 3, the number of weight vectors, got 4\.$"),
    ({"num_chains": 0}, ValueError, r"^`num_chains` must be at least 1, got 0\.$"),
    ({"weights": [[0.5, 0.3, 0.2]]}, ValueError, r"^`weights` must have rows of 2 values, got 3\.$"),
    ({"weights": [0.5, 0.5]}, ValueError, r"^`weights` must have shape \[k, n\], got \[2\]\.$"),
    ({"weights": np.zeros((0, 2))}, ValueError, r"^`weights` must hold at least one weight vector, got none\.$"),
    ({"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
    ({"reference": [1.0]}, ValueError, r"^`reference` must hold 2 values, got 1\.$"),
    ({"front": [[1.0]]}, ValueError, r"^`front` must have rows of 2 values, got 1\.$"),
    ({"front": np.zeros((0, 2))}, ValueError, r"^`front` must hold at least one point, got none\.$"),
    ({"weights": [[-1.0, 2.0]]}, ValueError, r"^`weights` must not be negative"),
    ({"objectives": Quadratic(0.0)}, TypeError, r"^`objectives` must be a list of functions and objectives, got Quad"),
    (
        {"scalarizer": zo.WeightedSum(weights=[1.0, 1.0])},
        TypeError,
        r"^`scalarizer` must be a function from weights to one, got WeightedSum\.$",
    ),
    ({"scalarizer": None}, TypeError, r"^`scalarizer` must be a function from weights to one, got NoneType\.$"),
    ({"objectives": [Quadratic(0.0)]}, ValueError, r"^`objectives` must hold at least two objectives, got 1\.$"),
]


@pytest.mark.parametrize(("options", "error", "words"), BAD)
def test_bad_arguments_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        sweep(**options)


def test_what_fails_in_a_chain_reaches_the_caller():
    def fail(x: np.ndarray) -> float:
        raise RuntimeError("mine")

    with ThreadPoolExecutor(2) as pool, pytest.raises(RuntimeError, match=r"failed in a row.*: mine$"):
        sweep([fail, Quadratic(0.0).white()], num_chains=3, executor=pool)


@pytest.mark.parametrize("n", [0, -1])
def test_simplex_weights_need_an_objective(n):
    with pytest.raises(ValueError, match=rf"^`num_objectives` must be at least 1, got {n}\.$"):
        zo.simplex_weights(n)


def test_simplex_weights_need_a_share_for_each_objective():
    with pytest.raises(ValueError, match=r"^`divisions` must be at least 3, got 2\.$"):
        zo.simplex_weights(3, divisions=2)


# --- what was paid for -----------------------------------------------------------------------------------------------


class Dying(Quadratic):
    """A quadratic that breaks off at a call, as a process that is killed does."""

    def __init__(self, centre: float, calls: int) -> None:
        super().__init__(centre)
        self.calls = calls

    def __call__(self, x: np.ndarray) -> float:
        if len(self.seen) == self.calls:
            raise KeyboardInterrupt
        return super().__call__(x)


def kept_sweep(folder: Any, black: Quadratic, *, checkpoint: bool = True, **options: Any) -> zo.FrontResult:
    with zo.Ledger(folder / "queries.sqlite", run="sweep") as ledger:
        kept = {"checkpoint": folder / "points"} if checkpoint else {}
        policy = zo.QueryPolicy(ledger=ledger)
        return sweep([black, Quadratic(0.0).white()], queries=policy, **kept, **options)


@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize("calls", [0, 3, 9, 14, 26])
def test_a_sweep_that_broke_off_goes_on_and_pays_nothing_twice(tmp_path, calls, checkpoint):
    whole = Quadratic(1.0)
    expected = sweep([whole, Quadratic(0.0).white()])
    broken, rest = Dying(1.0, calls), Quadratic(1.0)
    with pytest.raises(KeyboardInterrupt):
        kept_sweep(tmp_path, broken, checkpoint=checkpoint)
    found = kept_sweep(tmp_path, rest, checkpoint=checkpoint)
    assert found.x.tolist() == expected.x.tolist()
    assert found.queries.tolist() == expected.queries.tolist() == [9, 9, 9]
    assert broken.seen + rest.seen == whole.seen
    again = Quadratic(1.0)
    assert kept_sweep(tmp_path, again, checkpoint=checkpoint).losses.tolist() == expected.losses.tolist()
    assert again.seen == []


def test_every_point_is_a_run_of_its_own_on_any_executor(tmp_path):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = kept_sweep(tmp_path, Quadratic(1.0), num_chains=3, executor=pool)
    here = Quadratic(1.0)
    assert kept_sweep(tmp_path, here, num_chains=3).x.tolist() == there.x.tolist()
    assert here.seen == []
    with zo.LedgerReader(tmp_path / "queries.sqlite") as reader:
        counts = {run: len(list(reader.rows(run=run))) for run in reader.runs}
    assert counts == {"sweep": 0, "sweep, point 0": 9, "sweep, point 1": 9, "sweep, point 2": 9}


def test_other_weights_do_not_take_the_answers_of_a_sweep(tmp_path):
    kept_sweep(tmp_path, Quadratic(1.0), checkpoint=False)
    with pytest.raises(ValueError, match="weights"):
        kept_sweep(tmp_path, Quadratic(1.0), checkpoint=False, weights=[[0.3, 0.7]])


def test_a_ledger_in_which_points_would_meet_and_a_folder_that_is_not_the_sweeps_are_refused(tmp_path):
    with zo.Ledger(tmp_path / "queries.sqlite", run="own") as ledger:
        box = zo.BlackBox(Quadratic(1.0), estimator=zo.SPSA(radius=0.1), queries=zo.QueryPolicy(ledger=ledger))
        with pytest.raises(ValueError, match=r"'black box' must not have a ledger of its own.*`queries`"):
            sweep([box, Quadratic(0.0).white()])
    sweep(checkpoint=tmp_path / "points", seed=1)
    for other in ({"seed": 2}, {"seed": 1, "num_chains": 2}, {"seed": 1, "weights": THREE[:2]}):
        with pytest.raises(ValueError, match="`checkpoint` must be a folder of the same sweep"):
            sweep(checkpoint=tmp_path / "points", **other)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`checkpoint` must be a folder"):
        sweep(checkpoint=tmp_path / "file")
