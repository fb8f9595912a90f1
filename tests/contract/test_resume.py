"""Promises of killed runs: gone on with they end bit for bit where they would have, and pay for nothing twice."""

from __future__ import annotations

import contextlib
import importlib
import math
import multiprocessing
import signal
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo
from tests.contract.registry import ESTIMATORS

START = [1.0, -2.0, 0.5, 3.0]
CHOSEN = [
    "spsa, three pairs",
    "history",
    "centred block",
    "rge, one-sided",
    "evolution strategy",
    "momentum",
    "gradient correction",
    "tuning free",
    "recommended for one black box",
    "recommended with minibatches",
    "recommended beside white boxes",
]


def bowl(x: np.ndarray) -> float:
    """A loss that another process can import."""
    return float((np.arange(1, len(x) + 1) * (x - 0.5) ** 2).sum() + 0.1 * np.cos(3 * x).sum())


class Counted:
    """The loss, counting its answers; a key is pressed before the given one."""

    def __init__(self, stop_before: float = math.inf) -> None:
        self.stop_before, self.answers = stop_before, 0

    def __call__(self, x: np.ndarray) -> float:
        if self.answers == self.stop_before:
            raise KeyboardInterrupt
        self.answers += 1
        return bowl(x)


class Noisy(Counted):
    """The loss with noise of its own, that no other process can draw again."""

    def __init__(self, stop_before: float = math.inf, seed: int = 0) -> None:
        super().__init__(stop_before)
        self.generator = np.random.default_rng(seed)

    def __call__(self, x: np.ndarray) -> float:
        return super().__call__(x) + float(self.generator.normal())


class Setup:
    """One way to call ``minimize``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, loss: Callable[[np.ndarray], float], **options: Any) -> Any:
        if self.name == "calibrated":
            return zo.minimize(loss, START, **{"budget": 60, **options})
        if self.name == "mixed":
            white = zo.WhiteBox(lambda x: float((x**2).sum()), grad=lambda x: 2 * x)
            second = zo.BlackBox(loss, estimator=zo.CentredBlock(radius=0.1, num_probes=3), name="second")
            estimator = ESTIMATORS["recommended beside white boxes"]()
            options = {"scalarizer": zo.Tchebycheff(weights=[0.3, 0.4, 0.3]), **options}
            return zo.minimize([loss, white, second], START, **self._given(estimator, 4, options))
        return zo.minimize(loss, START, **self._given(ESTIMATORS[self.name](), 6, options))

    @staticmethod
    def _given(estimator: zo.Estimator, max_steps: int, options: dict[str, Any]) -> dict[str, Any]:
        return {"estimator": estimator, "lr": 0.02, "max_steps": max_steps, **options}


def outcome_of(result: Any) -> list[Any]:
    """All that a run ends with, to the last bit."""
    return [
        *(result.x.tolist(), repr(result.F.tolist()), repr(result.fun), result.nfev.tolist(), result.nit),
        *(result.message, repr(result.history), result.calibration),
    ]


def run_in_parts(
    setup: Setup, folder: Path, stops: list[int], *, ledger: bool, checkpoint: bool, make: Any = Counted
) -> tuple[Any, int]:
    """The result of a run that is interrupted before these answers, and how often the loss answered in all."""
    answers = 0
    for part, stop in enumerate([*stops, math.inf]):
        loss = make(stop, part) if make is Noisy else make(stop)
        with contextlib.ExitStack() as stack:
            options: dict[str, Any] = {"checkpoint": folder / "run.ckpt"} if checkpoint else {}
            if ledger:
                opened = stack.enter_context(zo.Ledger(folder / "queries.sqlite", run="run"))
                options["queries"] = zo.QueryPolicy(ledger=opened)
            try:
                result = setup(loss, **options)
            except KeyboardInterrupt:
                assert loss.answers == stop
                result = None
        answers += loss.answers
    assert result is not None
    return result, answers


# --- interrupted anywhere --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CHOSEN, "calibrated", "mixed"])
@pytest.mark.parametrize("checkpoint", [True, False], ids=["checkpoint", "ledger alone"])
def test_interrupted_before_any_query_a_run_ends_as_if_it_had_not_been(tmp_path, name, checkpoint):
    setup, loss = Setup(name), Counted()
    expected = outcome_of(setup(loss))
    total = loss.answers
    assert total > 12
    for stop in range(0, total, 1 + total // 8):
        folder = tmp_path / str(stop)
        folder.mkdir()
        result, answers = run_in_parts(setup, folder, [stop], ledger=True, checkpoint=checkpoint)
        assert outcome_of(result) == expected
        assert answers == total


@given(name=st.sampled_from(["history", "calibrated", "mixed"]), stops=st.lists(st.integers(0, 15), max_size=4))
@settings(max_examples=25)
def test_interrupted_again_and_again_it_ends_the_same(tmp_path_factory, name, stops):
    folder = tmp_path_factory.mktemp("run")
    setup, loss = Setup(name), Counted()
    expected = outcome_of(setup(loss))
    stops = [stop for number, stop in enumerate(stops) if sum(stops[: number + 1]) < loss.answers]
    result, answers = run_in_parts(setup, folder, stops, ledger=True, checkpoint=True)
    assert (outcome_of(result), answers) == (expected, loss.answers)


@pytest.mark.parametrize("name", ["history", "recommended for one black box", "mixed"])
def test_without_a_ledger_only_the_interrupted_step_is_asked_again(tmp_path, name):
    setup, loss = Setup(name), Counted()
    expected = setup(loss)
    for stop in range(1, loss.answers, 3):
        folder = tmp_path / str(stop)
        folder.mkdir()
        result, answers = run_in_parts(setup, folder, [stop], ledger=False, checkpoint=True)
        assert result.x.tolist() == expected.x.tolist()
        assert repr(result.history) == repr(expected.history)
        blacks = [0, 2] if name == "mixed" else [0]
        assert result.nfev[blacks].sum() == answers <= loss.answers + 12


@pytest.mark.parametrize("checkpoint", [True, False])
def test_answers_of_a_random_loss_are_replayed_not_drawn_again(tmp_path, checkpoint):
    """The second process draws other noise; what the first one has drawn stays."""
    result, answers = run_in_parts(Setup("history"), tmp_path, [7], ledger=True, checkpoint=checkpoint, make=Noisy)
    with zo.LedgerReader(tmp_path / "queries.sqlite") as reader:
        values = [row["value"] for row in reader.rows()]
    assert len(values) == answers == result.nfev[0] == 13
    known = iter(values)
    replayed = Setup("history")(lambda _x: next(known))
    assert outcome_of(replayed)[:3] == outcome_of(result)[:3]


KILLED = """
    import os, signal, sys
    import zoopt_mo as zo
    from tests.contract.test_resume import Counted, Setup

    class Deadly(Counted):
        def __call__(self, x):
            if self.answers == self.stop_before:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(x)

    name, folder, stop = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with zo.Ledger(folder + "/queries.sqlite", run="run") as ledger:
        Setup(name)(Deadly(stop), queries=zo.QueryPolicy(ledger=ledger), checkpoint=folder + "/run.ckpt")
"""


@pytest.mark.parametrize("stop", [0, 5, 12])
@pytest.mark.parametrize("name", ["history", "calibrated"])
def test_a_killed_process_is_gone_on_with(tmp_path, name, stop):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), name, str(tmp_path), str(stop)]
    done = subprocess.run(command, check=False, cwd=Path(__file__).parents[2], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    loss = Counted()
    expected = outcome_of(Setup(name)(loss))
    result, answers = run_in_parts(Setup(name), tmp_path, [], ledger=True, checkpoint=True)
    assert outcome_of(result) == expected
    assert answers == loss.answers - stop


def test_a_finished_run_called_again_asks_nothing(tmp_path):
    for checkpoint, ledger in ((True, False), (True, True), (False, True)):
        folder = tmp_path / f"{checkpoint} {ledger}"
        folder.mkdir()
        found = []
        for _ in range(3):
            result, answers = run_in_parts(Setup("mixed"), folder, [], ledger=ledger, checkpoint=checkpoint)
            found.append(outcome_of(result))
            assert (answers == 0) == (len(found) > 1)
        assert found[1] == found[2] == found[0]


# --- failures and interruptions together -----------------------------------------------------------------------------


class Sick(Counted):
    """Fails at about a third of all points, the same in every process."""

    def __call__(self, x: np.ndarray) -> float:
        loss = super().__call__(x)
        if zlib.crc32(x.tobytes()) % 3 == 0:
            raise ConnectionError("no answer")
        return loss


@pytest.mark.parametrize("name", ["spsa, three pairs", "recommended for one black box"])
def test_failures_are_replayed_as_they_were(tmp_path, name):
    setup, loss = Setup(name), Sick()
    expected = outcome_of(setup(loss))
    assert "ConnectionError" in expected[6]
    for stop in range(0, loss.answers, 5):
        for checkpoint in (True, False):
            folder = tmp_path / f"{stop} {checkpoint}"
            folder.mkdir()
            result, answers = run_in_parts(setup, folder, [stop], ledger=True, checkpoint=checkpoint, make=Sick)
            assert outcome_of(result) == expected
            assert answers == loss.answers


@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize("outage", range(0, 26, 3))
def test_after_an_outage_a_run_goes_on_to_the_undisturbed_end(tmp_path, outage, checkpoint):
    """The run is given up in the outage; the next process asks the failed queries again."""

    class Outage(Counted):
        def __call__(self, x: np.ndarray) -> float:
            loss = super().__call__(x)
            if self.answers > outage:
                raise ConnectionError("no answer")
            return loss

    setup, paid, undisturbed = Setup("momentum"), 0, Counted()
    expected = setup(undisturbed, max_steps=12)
    assert undisturbed.answers == 25
    for make in (Outage, Outage, Counted):
        loss = make()
        with zo.Ledger(tmp_path / "queries.sqlite", run="run") as ledger:
            policy = zo.QueryPolicy(ledger=ledger, max_failures=2)
            options = {"checkpoint": tmp_path / "run.ckpt"} if checkpoint else {}
            with contextlib.suppress(zo.TooManyFailures):
                result = setup(loss, max_steps=12, queries=policy, **options)
        paid += loss.answers
    assert result.x.tolist() == expected.x.tolist()
    assert [report.losses for report in result.history] == [report.losses for report in expected.history]
    assert result.nfev[0] == paid


# --- longer runs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["history", "recommended for one black box", "mixed"])
@pytest.mark.parametrize("ledger", [True, False])
def test_more_steps_later_are_the_longer_run(tmp_path, name, ledger):
    """But for the losses at the earlier end, which were asked beside the steps."""
    setup = Setup(name)
    expected = setup(Counted(), max_steps=9)
    for max_steps in (3, 9):
        with contextlib.ExitStack() as stack:
            options: dict[str, Any] = {"checkpoint": tmp_path / "run.ckpt"}
            if ledger:
                opened = stack.enter_context(zo.Ledger(tmp_path / "queries.sqlite", run="run"))
                options["queries"] = zo.QueryPolicy(ledger=opened)
            result = setup(Counted(), max_steps=max_steps, **options)
    assert result.x.tolist() == expected.x.tolist()
    assert repr(result.history) == repr(expected.history)
    assert result.F.tolist() == expected.F.tolist()
    extra = [1, 0, 1] if name == "mixed" else [1]
    whites = np.array([0, 0, 0] if name == "mixed" else [0])
    assert (result.nfev - expected.nfev + whites).tolist() == extra


def test_a_larger_budget_later_takes_the_steps_that_it_still_pays_for(tmp_path):
    expected = zo.minimize(Counted(), START, budget=120)
    for budget in (60, 121):
        loss = Counted()
        result = zo.minimize(loss, START, budget=budget, checkpoint=tmp_path / "run.ckpt")
        assert result.nfev[0] <= budget
    assert result.x.tolist() == expected.x.tolist()
    assert repr(result.history) == repr(expected.history)


# --- checkpoints of other runs ---------------------------------------------------------------------------------------

OTHERS = {
    "of another size": lambda loss, path: zo.minimize(
        loss, [1.0], estimator=zo.SPSA(radius=0.1), lr=0.1, max_steps=2, checkpoint=path
    ),
    "of other objectives": lambda loss, path: zo.minimize(
        [zo.BlackBox(loss, estimator=zo.SPSA(radius=0.1), name="other")], START, lr=0.1, max_steps=2, checkpoint=path
    ),
    "of another estimator": lambda loss, path: zo.minimize(
        loss, START, estimator=zo.CriticalHistory(zo.SPSA(radius=0.1)), lr=0.1, max_steps=2, checkpoint=path
    ),
    "of something else": lambda _loss, path: zo.save_checkpoint(path, {"step": 3}),
    "of no kind": lambda _loss, path: path.write_bytes(b"step = 3"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_checkpoint_of_another_run_is_refused_before_any_query_and_kept(tmp_path, kind):
    path = tmp_path / "run.ckpt"
    OTHERS[kind](Counted(), path)
    content, loss = path.read_bytes(), Counted()
    words = r"^`checkpoint` must be of the same run|^`path` must be a checkpoint of this version"
    with pytest.raises(ValueError, match=words):
        zo.minimize(loss, START, estimator=zo.SPSA(radius=0.1), lr=0.1, max_steps=4, checkpoint=path)
    assert loss.answers == 0
    assert path.read_bytes() == content


def test_a_ledger_of_another_run_is_refused_before_any_query(tmp_path):
    for seed, loss in ((0, Counted()), (1, Counted())):
        with zo.Ledger(tmp_path / "queries.sqlite", run="run") as ledger:
            expected: Any = pytest.raises(ValueError, match="Use the same settings or another `run`")
            with expected if seed else contextlib.nullcontext():
                Setup("history")(loss, seed=seed, queries=zo.QueryPolicy(ledger=ledger))
    assert loss.answers == 0


# --- when it is written ----------------------------------------------------------------------------------------------


def test_writing_takes_no_more_than_its_share_of_the_time(monkeypatch, tmp_path):
    """A step takes a second, a write takes two: one write in about forty seconds, and two at the end."""
    clock, writes = [0.0], []

    def write(path: Path, state: Any) -> None:
        clock[0] += 2.0
        writes.append(clock[0])

    module = importlib.import_module("zoopt_mo.minimize._run")
    monkeypatch.setattr(module, "save_checkpoint", write)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def slow(x: np.ndarray) -> float:
        clock[0] += 0.5
        return bowl(x)

    Setup("history")(slow, max_steps=400, checkpoint=tmp_path / "run.ckpt")
    assert 0.03 < 2.0 * len(writes) / clock[0] < 0.06
    assert writes[-1] == clock[0]


def test_an_error_of_the_callback_leaves_the_run_where_it_was(tmp_path):
    class FullError(Exception):
        pass

    def fail(result: Any) -> None:
        if result.nit == 3:
            raise FullError

    setup, path = Setup("history"), tmp_path / "run.ckpt"
    with pytest.raises(FullError):
        setup(Counted(), callback=fail, checkpoint=path)
    loss = Counted()
    assert outcome_of(setup(loss, checkpoint=path)) == outcome_of(setup(Counted()))
    assert loss.answers == 7  # three steps of two, and the end


# --- executors -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def executors() -> Iterator[dict[str, Executor | None]]:
    context = multiprocessing.get_context("spawn")
    with (
        ThreadPoolExecutor(1) as one,
        ThreadPoolExecutor(2) as two,
        ThreadPoolExecutor(8) as eight,
        ProcessPoolExecutor(2, mp_context=context) as processes,
    ):
        yield {"this thread": None, "1": one, "2": two, "8": eight, "processes": processes}


def rows_of(path: Path, run: str) -> list[tuple[Any, ...]]:
    with zo.LedgerReader(path) as reader:
        rows = [
            tuple(value for name, value in row.items() if name not in ("id", "run", "latency", "time"))
            for row in reader.rows(run=run)
        ]
    return sorted(rows, key=repr)


@pytest.mark.parametrize("name", ["spsa, three pairs", "recommended for one black box"])
def test_any_executor_gives_the_same_bits_and_the_same_ledger(tmp_path, name):
    found, ledgers = {}, {}
    path = tmp_path / "queries.sqlite"
    estimator = ESTIMATORS[name]()
    with executors() as all_of_them:
        for kind, executor in all_of_them.items():
            with zo.Ledger(path, run=kind) as ledger:
                result = zo.minimize(
                    bowl,
                    START,
                    estimator=estimator,
                    lr=0.02,
                    max_steps=5,
                    executor=executor,
                    queries=zo.QueryPolicy(ledger=ledger),
                )
            found[kind], ledgers[kind] = outcome_of(result), rows_of(path, kind)
    assert all(outcome == found["this thread"] for outcome in found.values())
    assert all(rows == ledgers["this thread"] for rows in ledgers.values())


def test_a_run_begun_in_this_thread_goes_on_on_any_executor(tmp_path):
    setup, loss = Setup("spsa, three pairs"), Counted()
    expected = outcome_of(setup(loss))
    answers = 0
    with ThreadPoolExecutor(2) as threads:
        for stop, executor in ((8, None), (9, threads), (math.inf, None)):
            part = Counted(stop)
            with zo.Ledger(tmp_path / "queries.sqlite", run="run") as ledger, contextlib.suppress(KeyboardInterrupt):
                result = setup(part, queries=zo.QueryPolicy(ledger=ledger), executor=executor)
            answers += part.answers
    assert outcome_of(result) == expected
    assert answers == loss.answers
