"""Promises that every search method of the registry keeps, and those of ``minimize_by_search``, which runs them."""

from __future__ import annotations

import io
import math
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo
from tests.contract.registry import SEARCHES

START = np.array([1.0, -0.5, 2.0])
CENTRE = np.array([0.5, 0.5, 1.0])

names = st.sampled_from(sorted(SEARCHES))
every = pytest.mark.parametrize("name", sorted(SEARCHES))
Trace = list[tuple[list[list[float]], list[float]]]


def bent(x: np.ndarray) -> float:
    """A smooth loss that is no quadratic."""
    return float(((x - CENTRE[: x.size]) ** 2).sum() + np.sin(x).sum())


def started(name: str, *, size: float = 0.3, seed: int = 0, x0: Any = START) -> zo.Search:
    method = SEARCHES[name](size, seed)
    method.start(x0)
    return method


def steps(method: zo.Search, count: int) -> Trace:
    """Points asked and losses told, to be compared bit for bit."""
    trace = []
    for _ in range(count):
        points = method.ask()
        losses = [bent(point) for point in points]
        method.tell(losses)
        trace.append((points.tolist(), losses))
    return trace


def best_of(method: zo.Search) -> tuple[list[float], float]:
    assert method.best is not None
    return method.best[0].tolist(), method.best[1]


def global_states() -> list[Any]:
    """The global generators of torch, numpy and Python."""
    numbers = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    return [torch.get_rng_state().tolist(), numbers["key"].tolist(), numbers["pos"], random.getstate()]


# --- ask and tell ----------------------------------------------------------------------------------------------------


@every
def test_points_are_rows_of_the_starts_length(name):
    points = started(name).ask()
    assert points.dtype == np.float64
    assert points.ndim == 2
    assert points.shape[1] == 3
    assert np.isfinite(points).all()


@every
def test_asking_twice_gives_the_same_points(name):
    method = started(name)
    steps(method, 2)
    first = method.ask()
    expected = first.copy()
    first += 1.0  # the caller's own copy
    assert method.ask().tolist() == expected.tolist()


@every
def test_telling_moves_on_to_other_points(name):
    method = started(name)
    steps(method, 1)
    before = method.ask().tolist()
    steps(method, 1)
    assert method.ask().tolist() != before


@every
def test_the_start_is_not_changed_and_not_held_on_to(name):
    x0 = START.copy()
    method = started(name, x0=x0)
    x0 += 5.0
    assert steps(method, 3) == steps(started(name), 3)
    assert x0.tolist() == (START + 5.0).tolist()


@every
def test_a_moved_start_moves_the_first_points_along(name):
    shift = np.array([10.0, 0.0, -3.0])
    assert started(name, x0=START + shift).ask() == pytest.approx(started(name).ask() + shift)


@every
def test_best_is_the_least_loss_told_and_its_point(name):
    method = started(name)
    assert method.best is None
    trace = steps(method, 12)
    told = [pair for points, losses in trace for pair in zip(points, losses, strict=True)]
    assert best_of(method) == min(told, key=lambda pair: pair[1])


@every
def test_best_is_a_copy(name):
    method = started(name)
    steps(method, 1)
    expected = best_of(method)
    assert method.best is not None
    method.best[0][:] = 99.0
    assert best_of(method) == expected


@every
def test_many_steps_come_near_the_optimum_in_two_dimensions(name):
    method = SEARCHES[name](0.4, 1)
    method.start([3.0, 3.0])
    for _ in range(1500):
        if method.stop_reason() is None:
            method.tell([float((point**2).sum()) for point in method.ask()])
    assert best_of(method)[1] < (0.2 if name == "q-learning, one length" else 0.01)


@every
def test_one_dimension_works(name):
    method = SEARCHES[name](0.3, 0)
    method.start([2.0])
    steps(method, 300)
    assert best_of(method)[1] < bent(np.array([2.0])) - 1.0


@pytest.mark.parametrize("name", sorted(set(SEARCHES) - {"cma-es", "cma-es, population of seven"}))
def test_a_thousand_dimensions_run_and_the_loss_improves(name):
    method = SEARCHES[name](0.1, 0)
    method.start(np.ones(1000))
    for _ in range(300):
        method.tell([float((point**2).sum()) / 10 for point in method.ask()])  # 100 at the start
    assert best_of(method)[1] < 99.0


# --- randomness ------------------------------------------------------------------------------------------------------


@every
def test_the_same_seed_gives_the_same_run_and_another_seed_another(name):
    assert steps(started(name, seed=3), 5) == steps(started(name, seed=3), 5)
    assert steps(started(name, seed=4), 5) != steps(started(name, seed=3), 5)


@every
def test_two_searches_do_not_disturb_each_other(name):
    alone = steps(started(name), 5)
    one, other = started(name), started(name, seed=9)
    beside: Trace = []
    for _ in range(5):
        other.ask()
        beside += steps(one, 1)
        steps(other, 1)
    assert beside == alone


@pytest.mark.parametrize(("x0", "count"), [(START, 6), (np.ones(800), 6)], ids=["small", "large"])
@pytest.mark.parametrize("name", sorted(set(SEARCHES) - {"cma-es", "cma-es, population of seven"}))
def test_the_global_generators_are_neither_read_nor_moved(name, x0, count):
    runs = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - it is the global generator that is watched
        before = global_states()
        method = started(name, x0=x0)
        for _ in range(count):
            method.tell([float((point**2).sum()) for point in method.ask()])
        runs.append(method.ask().tolist())
        assert global_states() == before
    assert runs[0] == runs[1]


@every
def test_a_small_run_leaves_the_global_generators_alone(name):
    before = global_states()
    steps(started(name), 8)
    assert global_states() == before


@every
@pytest.mark.parametrize(
    ("seed", "error", "words"),
    [
        (-1, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (0.5, TypeError, r"^`seed` must be a whole number, got 0\.5\.$"),
        (2**64, ValueError, r"^`seed` must be below 2\^64, got 18446744073709551616\.$"),
    ],
)
def test_a_seed_out_of_range_is_refused(name, seed, error, words):
    with pytest.raises(error, match=words):
        SEARCHES[name](0.1, seed)
    with pytest.raises(error, match=words):
        started(name).reset(seed=seed)


# --- reset and resume ------------------------------------------------------------------------------------------------


@every
def test_reset_gives_a_fresh_run_that_must_be_started(name):
    method = started(name, seed=2)
    steps(method, 4)
    method.ask()
    method.reset()
    assert method.best is None
    with pytest.raises(RuntimeError, match=r"^ask\(\) must follow start\(\), but no run was started\.$"):
        method.ask()
    method.start(START)
    assert steps(method, 4) == steps(started(name, seed=2), 4)


@every
def test_reset_with_a_seed_gives_the_run_of_that_seed(name):
    method = started(name, seed=2)
    steps(method, 3)
    method.reset(seed=7)
    method.start(START)
    assert steps(method, 4) == steps(started(name, seed=7), 4)


@every
def test_starting_again_begins_a_new_run_of_any_length(name):
    method = started(name)
    steps(method, 3)
    method.start([1.0, 2.0])
    assert method.best is None
    assert steps(method, 3) == steps(started(name, x0=[1.0, 2.0]), 3)


@given(name=names, before=st.integers(0, 8), after=st.integers(1, 5), asked=st.booleans())
@settings(max_examples=60)
def test_a_saved_state_goes_on_bit_for_bit(name, before, after, asked):
    method = started(name, seed=2**64 - 1)
    steps(method, before)
    if asked:
        method.ask()
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    copy = started(name, seed=1, x0=[0.0, 7.0])
    steps(copy, 2)
    copy.load_state_dict(torch.load(file, weights_only=True))
    assert (copy.best is None) == (before == 0)
    assert steps(copy, after) == steps(method, after)
    assert best_of(copy) == best_of(method)


@every
def test_a_saved_state_does_not_change_when_the_run_goes_on(name):
    method = started(name)
    steps(method, 4)
    state = method.state_dict()
    expected = steps(method, 4)
    method.load_state_dict(state)
    assert steps(method, 4) == expected


@every
def test_a_state_from_before_the_start_is_loaded_as_such(name):
    method = started(name)
    method.load_state_dict(SEARCHES[name](0.3, 5).state_dict())
    method.start(START)
    assert steps(method, 2) == steps(started(name, seed=5), 2)


@every
def test_a_loaded_state_must_be_asked_before_it_is_told(name):
    method = started(name)
    count = len(method.ask())
    method.load_state_dict(method.state_dict())
    with pytest.raises(RuntimeError, match=r"^tell\(\) must follow ask\(\), but nothing was asked\.$"):
        method.tell([0.0] * count)


# --- refusals --------------------------------------------------------------------------------------------------------


@every
def test_a_wrong_number_of_losses_is_refused_and_the_step_is_kept(name):
    method = started(name)
    steps(method, 2)
    count = len(method.ask())
    with pytest.raises(ValueError, match=rf"^`losses` must hold {count} values, got {count + 1}\.$"):
        method.tell([1.0] * (count + 1))
    assert steps(method, 3) == steps(started(name), 5)[2:]


@every
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_refused_and_the_step_is_kept(name, bad):
    method = started(name)
    steps(method, 2)
    points = method.ask()
    with pytest.raises(ValueError, match=rf"^`losses` must be finite, got {bad} at index 0\.$"):
        method.tell([bad] * len(points))
    method.tell([bent(point) for point in points])  # without asking again
    assert steps(method, 3) == steps(started(name), 6)[3:]


@every
def test_losses_must_be_one_row(name):
    method = started(name)
    count = len(method.ask())
    with pytest.raises(ValueError, match=rf"^`losses` must be one-dimensional, got shape \[1, {count}\]\.$"):
        method.tell(np.zeros((1, count)))


@every
def test_telling_before_asking_and_telling_twice_are_refused(name):
    method = started(name)
    with pytest.raises(RuntimeError, match=r"^tell\(\) must follow ask\(\), but nothing was asked\.$"):
        method.tell([1.0])
    steps(method, 1)
    with pytest.raises(RuntimeError, match=r"^tell\(\) must follow ask\(\), but nothing was asked\.$"):
        method.tell([1.0])


@every
@pytest.mark.parametrize(
    ("x0", "words"),
    [
        ([], r"^`x0` must hold at least one number, got none\.$"),
        ([1.0, math.nan], r"^`x0` must be finite, got nan at index 1\.$"),
        ([[1.0]], r"^`x0` must be one-dimensional, got shape \[1, 1\]\.$"),
    ],
)
def test_a_start_that_is_no_vector_is_refused(name, x0, words):
    with pytest.raises(ValueError, match=words):
        SEARCHES[name](0.3, 0).start(x0)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: zo.CMAES(sigma=0.0), r"^`sigma` must be positive, got 0\.0\.$"),
        (lambda: zo.CMAES(sigma=1.0, population=2), r"^`population` must be at least 3, got 2\.$"),
        (lambda: zo.REINFORCE(sigma=-1.0, lr=0.1), r"^`sigma` must be positive, got -1\.0\.$"),
        (lambda: zo.REINFORCE(sigma=1.0, lr=0.0), r"^`lr` must be positive, got 0\.0\.$"),
        (
            lambda: zo.REINFORCE(sigma=1.0, lr=0.1, baseline_decay=1.0),
            r"^`baseline_decay` must be in \[0, 1\), got 1\.0\.$",
        ),
        (lambda: zo.QLearning(step=0.0), r"^`step` must be positive, got 0\.0\.$"),
        (lambda: zo.QLearning(step=1.0, num_levels=0), r"^`num_levels` must be at least 1, got 0\.$"),
        (lambda: zo.QLearning(step=1.0, lr=0.0), r"^`lr` must be in \(0, 1\], got 0\.0\.$"),
        (lambda: zo.QLearning(step=1.0, discount=1.0), r"^`discount` must be in \[0, 1\), got 1\.0\.$"),
        (lambda: zo.QLearning(step=1.0, epsilon=1.5), r"^`epsilon` must be in \[0, 1\], got 1\.5\.$"),
        (lambda: zo.QLearning(step=1.0, epsilon_decay=0.0), r"^`epsilon_decay` must be in \(0, 1\], got 0\.0\.$"),
    ],
)
def test_an_option_out_of_range_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()


# --- minimize_by_search ----------------------------------------------------------------------------------------------


class Counted:
    """A quadratic that counts its calls and keeps what it saw."""

    def __init__(self, centre: float) -> None:
        self.centre = centre
        self.seen: list[tuple[float, ...]] = []

    def __call__(self, x: np.ndarray) -> float:
        self.seen.append(tuple(x))
        return float(((x - self.centre) ** 2).sum())


def no_gradient(x: np.ndarray) -> np.ndarray:
    raise AssertionError("a search takes values only")


def run(name: str, objectives: Any, **options: Any) -> Any:
    return zo.minimize_by_search(objectives, [1.0, 2.0], **{"method": SEARCHES[name](0.3, 0), "budget": 60, **options})


@given(name=names, num_black=st.integers(1, 3), num_white=st.integers(0, 1), budget=st.integers(24, 70))
@settings(max_examples=40)
def test_the_budget_holds_and_nfev_is_each_functions_own_count(name, num_black, num_white, budget):
    blacks, whites = [Counted(float(i)) for i in range(num_black)], [Counted(9.0) for _ in range(num_white)]
    objectives = [*blacks, *(zo.WhiteBox(f, grad=lambda x: 2 * (x - 9.0)) for f in whites)]
    result = run(name, objectives, scalarizer=torch.sum, budget=budget)
    assert result.nfev.tolist() == [len(f.seen) for f in (*blacks, *whites)]
    spent = int(result.nfev[:num_black].sum())
    assert spent <= budget < spent + 7 * num_black  # one more step would not have fitted


@every
def test_the_result_is_the_best_point_seen_with_its_losses(name):
    one, other = Counted(0.0), Counted(1.0)
    result = run(name, [one, other], scalarizer=zo.WeightedSum(weights=[0.25, 0.75]), budget=120)
    assert tuple(result.x) in one.seen
    scalar = {x: 0.25 * Counted(0.0)(np.array(x)) + 0.75 * Counted(1.0)(np.array(x)) for x in one.seen}
    assert result.fun == pytest.approx(min(scalar.values()), rel=1e-12)
    assert result.F.tolist() == [Counted(0.0)(result.x), Counted(1.0)(result.x)]
    assert result.history[-1] == result.fun
    assert result.history == sorted(result.history, reverse=True)
    assert (result.nit, result.success, result.status) == (len(result.history), True, 0)
    assert result.message == "the budget of queries is spent"


@every
def test_minimize_by_search_asks_what_the_method_itself_asks(name):
    seen = Counted(0.0)
    run(name, seen, seed=4)
    method = SEARCHES[name](0.3, 4)
    method.start([1.0, 2.0])
    expected: list[tuple[float, ...]] = []
    while len(expected) < len(seen.seen):
        points = method.ask()
        expected += [tuple(point) for point in points]
        method.tell([float((point**2).sum()) for point in points])
    assert seen.seen == expected


@every
def test_the_given_method_is_not_touched(name):
    method = SEARCHES[name](0.3, 0)
    one = run(name, Counted(0.0), method=method, seed=3)
    assert method.best is None
    assert run(name, Counted(0.0), method=method, seed=3).x.tolist() == one.x.tolist()


@every
def test_white_boxes_are_asked_for_their_value_alone(name):
    kinds = set()

    def loss(x: Any) -> Any:
        kinds.add(type(x))
        return (x**2).sum()

    by_tensor = run(name, zo.WhiteBox(loss), budget=None, max_steps=4)
    assert kinds == {torch.Tensor}
    by_array = run(name, zo.WhiteBox(Counted(0.0), grad=no_gradient), budget=None, max_steps=4)
    assert by_tensor.x == pytest.approx(by_array.x, rel=1e-9)
    assert by_array.nit == 4


def test_callback_sees_the_result_so_far_and_may_stop():
    seen: list[tuple[int, int]] = []
    black = Counted(0.0)

    def callback(result: Any) -> None:
        seen.append((int(result.nfev[0]), len(black.seen)))
        if result.nit == 3:
            raise StopIteration

    result = run("q-learning", black, callback=callback)
    assert seen == [(1, 1), (2, 2), (3, 3)]
    assert (result.nit, result.status, result.success) == (3, 99, False)
    assert result.message == "`callback` raised StopIteration"


def test_a_method_that_expects_no_more_leaves_the_rest_of_the_budget():
    result = run("cma-es", Counted(0.0), budget=100_000)
    assert result.nfev[0] < 2000
    assert (result.status, result.success) == (1, True)
    assert result.message.startswith("the method expects no more: tol")


def test_a_loss_that_is_not_finite_is_named():
    def cliff(x: np.ndarray) -> float:
        return math.inf if x[0] > 0 else 1.0

    with pytest.raises(ValueError, match=r"^Losses of 'cliff' must be finite, got inf at query 1\.$"):
        run("q-learning", cliff)


@pytest.mark.parametrize(
    ("objectives", "options", "error", "words"),
    [
        ([], {}, ValueError, r"^`objectives` must hold at least one objective, got none\.$"),
        ([Counted(0.0), Counted(1.0)], {}, TypeError, r"^`scalarizer` must be given for 2 objectives\.$"),
        (Counted(0.0), {"budget": 5}, ValueError, r"^`budget` must be at least 6, got 5\.$"),
        (Counted(0.0), {"budget": None}, ValueError, r"^`max_steps` must be given where no `budget`"),
        (Counted(0.0), {"method": "cma"}, TypeError, r"^`method` must be a Search, got str\.$"),
        (3.0, {}, TypeError, r"^`objectives` must be functions, BlackBox or WhiteBox, got float\.$"),
        (
            zo.BlackBox(render=lambda: 0, judge=lambda p: [0.0] * len(p), estimator=zo.SPSA(radius=0.1)),
            {},
            TypeError,
            r"^`objectives` of minimize_by_search must be functions of x; `render` and `judge` are for backward\.$",
        ),
    ],
)
def test_minimize_by_search_refuses_what_it_cannot_run_before_any_query(objectives, options, error, words):
    with pytest.raises(error, match=words):
        run("cma-es", objectives, **options)


def test_a_black_box_is_a_function_of_x_and_its_estimator_stays_unasked():
    box = zo.BlackBox(Counted(0.0), estimator=zo.SPSA(radius=0.1))
    result = run("cma-es", box)
    assert result.x.tolist() == run("cma-es", Counted(0.0)).x.tolist()
    assert box.num_queries == 0


# --- what was paid for -----------------------------------------------------------------------------------------------


class Service:
    """The bent loss, which holds what it was asked; it fails, or is killed, at given calls."""

    def __init__(self, *, fails: tuple[int, ...] = (), dies: int | None = None) -> None:
        self.fails, self.dies = fails, dies
        self.seen: list[list[float]] = []

    def __call__(self, x: np.ndarray) -> float:
        if len(self.seen) == self.dies:
            raise KeyboardInterrupt
        self.seen.append(x.tolist())
        if len(self.seen) - 1 in self.fails:
            raise OSError("no answer")
        return bent(x)


def searched(name: str, loss: Any, ledger: zo.Ledger | None = None, **options: Any) -> Any:
    if ledger is not None:
        options["queries"] = zo.QueryPolicy(ledger=ledger)
    return zo.minimize_by_search(loss, START, method=SEARCHES[name](0.3, 0), max_steps=4, **options)


@every
@pytest.mark.parametrize("dies", [0, 1, 3])
def test_a_search_that_broke_off_goes_on_and_pays_nothing_twice(name, dies, tmp_path):
    whole, broken, rest, again = Service(), Service(dies=dies), Service(), Service()
    expected = searched(name, whole)
    with zo.Ledger(tmp_path / "queries.sqlite", run="search") as ledger, pytest.raises(KeyboardInterrupt):
        searched(name, broken, ledger)
    for loss in (rest, again):
        with zo.Ledger(tmp_path / "queries.sqlite", run="search") as ledger:
            result = searched(name, loss, ledger)
        assert (result.x.tolist(), result.nfev.tolist()) == (expected.x.tolist(), expected.nfev.tolist())
    assert broken.seen + rest.seen == whole.seen
    assert again.seen == []


@every
def test_an_executor_changes_nothing_but_who_asks(name):
    with ThreadPoolExecutor(3) as pool:
        there = searched(name, bent, executor=pool)
    here = searched(name, bent)
    assert (there.x.tolist(), there.history, there.nfev.tolist()) == (here.x.tolist(), here.history, here.nfev.tolist())


@every
def test_a_query_that_failed_is_asked_again_and_counts(name):
    loss = Service(fails=(1, 3))
    result = searched(name, loss, queries=zo.QueryPolicy(max_failures=1))
    expected = searched(name, bent)
    assert result.history == expected.history
    assert result.nfev.tolist() == [len(loss.seen)] == [expected.nfev[0] + 2]


def test_more_failures_in_a_row_than_the_policy_bears_end_the_search_and_the_rest_is_kept(tmp_path):
    dead, alive = Service(fails=tuple(range(2, 99))), Service()
    with zo.Ledger(tmp_path / "queries.sqlite", run="search") as ledger:
        with pytest.raises(zo.TooManyFailures, match="'black box' failed in a row"):
            searched("cma-es", dead, ledger)
        assert len(dead.seen) == 2 + 21
        result = searched("cma-es", alive, ledger)
    assert result.x.tolist() == searched("cma-es", bent).x.tolist()
    assert alive.seen[0] == dead.seen[2]


def test_functions_of_one_name_are_kept_apart_and_a_box_keeps_its_own_policy(tmp_path):
    with zo.Ledger(tmp_path / "queries.sqlite", run="search") as ledger:
        policy = zo.QueryPolicy(ledger=ledger)
        own = zo.BlackBox(lambda x: -bent(x), estimator=zo.SPSA(radius=0.1), queries=policy, name="bent")
        result = searched("cma-es", [bent, bent, own], ledger, scalarizer=zo.WeightedSum(weights=[0.5, 0.3, 0.2]))
    assert result.F[0] == result.F[1] == -result.F[2]
    with zo.LedgerReader(tmp_path / "queries.sqlite") as reader:
        counts = {line.group: line.queries for line in reader.bill()}
    assert counts == dict.fromkeys(("bent", "bent 2", "bent 3"), result.nfev[0])
