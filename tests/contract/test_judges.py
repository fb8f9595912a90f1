"""Promises of judges: every payload is told of once, whatever fails, and nothing begins after a stop."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

import zoopt_mo as zo
from zoopt_mo.evaluation import Outcome, WholeJudge, until_stopped
from zoopt_mo.evaluation._judges import StopAsking

PATIENCE = 20.0  # seconds after which a test has hung
SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads warns


class OddError(Exception):
    """An exception that pickles, but cannot be read again."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(f"{message} {code}")


def square(x: float) -> float:
    """Fails in its own way for some payloads; importable, so that a process can run it."""
    if x == -1:
        raise zo.QueryError("no answer", zo.Usage(attempts=3, tokens_in=5, cost=0.5))
    if x == -2:
        raise OddError("odd", code=7)
    if x == -3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x


async def square_later(x: float) -> float:
    await asyncio.sleep(0.002 * (x % 3))
    return square(x)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        yield pool


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture(params=["serial", "threads", "two threads", "processes", "coroutines", "whole"])
def judge(request: pytest.FixtureRequest) -> zo.Judge:
    kind = request.param
    if kind == "coroutines":
        return zo.concurrent(square_later, concurrency=3)
    if kind == "whole":
        return WholeJudge(lambda payloads: [_or_error(x) for x in payloads], "whole")
    if kind == "serial":
        return zo.parallel(square)
    pool = request.getfixturevalue(kind.split()[-1])
    return zo.parallel(square, pool, concurrency=2 if kind == "two threads" else None)


def _or_error(x: float) -> Any:
    try:
        return square(x)
    except Exception as error:
        return error


# --- what every judge promises ---------------------------------------------------------------------------------------


def test_losses_come_in_the_order_of_the_payloads(judge):
    assert judge(range(20)) == [float(x * x) for x in range(20)]
    assert judge([]) == []


def test_every_payload_is_told_of_once(judge):
    found = list(judge.outcomes([3, -1, 2, -2, 1]))
    assert sorted(outcome.number for outcome in found) == [0, 1, 2, 3, 4]
    assert all(outcome.latency >= 0 for outcome in found)


def test_an_exception_fails_its_own_payload_and_keeps_its_bill(judge):
    replies = {outcome.number: outcome.reply for outcome in judge.outcomes([3, -1, 2, -2, 1])}
    assert [replies[number] for number in (0, 2, 4)] == [9, 4, 1]
    assert isinstance(replies[1], zo.QueryError)
    assert replies[1].usage == zo.Usage(attempts=3, tokens_in=5, cost=0.5)
    assert "odd 7" in str(replies[3])


def test_called_as_a_function_it_raises_the_first_exception(judge):
    with pytest.raises(zo.QueryError, match=r"^no answer$"):
        judge([2, -1, -2])


def test_after_a_stop_what_is_under_way_is_told_and_nothing_more_begins(judge):
    stream = judge.outcomes(range(60))
    first = next(stream)
    rest = list(until_stopped(stream))
    numbers = [outcome.number for outcome in (first, *rest)]
    assert len(set(numbers)) == len(numbers)
    assert all(outcome.reply == outcome.number**2 for outcome in rest)
    assert list(stream) == []
    assert judge([5]) == [25]  # the next round is as any other


def test_a_stream_that_is_left_leaves_nothing_behind(judge):
    stream = judge.outcomes(range(40))
    next(stream)
    stream.close()
    assert judge([4]) == [16]


# --- executors -------------------------------------------------------------------------------------------------------


class Gauge:
    """A function of one payload that counts its calls, and the most at the same time."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds, self.calls, self.now, self.most = seconds, 0, 0, 0
        self.lock = threading.Lock()

    def __call__(self, x: float) -> float:
        with self.lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        return x * x

    async def later(self, x: float) -> float:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return x * x


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_calls_at_once_than_allowed(concurrency):
    gauge, other = Gauge(), Gauge()
    with ThreadPoolExecutor(8) as pool:
        zo.parallel(gauge, pool, concurrency=concurrency)(range(12))
    zo.concurrent(other.later, concurrency=concurrency)(range(12))
    assert gauge.most == other.most == concurrency


def test_answers_are_told_as_they_come():
    barrier = threading.Event()

    def wait_for_the_others(x: int) -> int:
        if x == 0:
            assert barrier.wait(PATIENCE)
        return x

    with ThreadPoolExecutor(2) as pool:
        stream = zo.parallel(wait_for_the_others, pool).outcomes(range(5))
        assert {next(stream).number for _ in range(4)} == {1, 2, 3, 4}
        barrier.set()
        assert next(stream).number == 0


def test_after_a_stop_payloads_that_wait_in_the_executor_are_not_called():
    gauge = Gauge(0.05)
    with ThreadPoolExecutor(2) as pool:
        stream = zo.parallel(gauge, pool).outcomes(range(50))
        told = [next(stream), *until_stopped(stream)]
    assert len(told) == gauge.calls < 10


def test_when_too_many_calls_hang_the_others_are_still_answered():
    release = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        try:
            hangs = {1, 4}
            judge = zo.parallel(lambda x: (release.wait(PATIENCE) if x in hangs else 0) or x, pool, timeout=0.3)
            replies = {outcome.number: outcome.reply for outcome in judge.outcomes(range(10))}
        finally:
            release.set()
    assert [replies[x] for x in range(10) if x not in hangs] == [0, 2, 3, 5, 6, 7, 8, 9]
    assert {str(replies[x]) for x in hangs} == {"no answer within 0.3 s"}
    assert all(isinstance(replies[x], TimeoutError) for x in hangs)


def test_where_all_workers_hang_the_rest_fails_uncalled_and_without_a_bill():
    release, called = threading.Event(), []
    with ThreadPoolExecutor(2) as pool:

        def hang(x: int) -> int:
            called.append(x)
            release.wait(PATIENCE)
            return x

        judge = zo.parallel(hang, pool, timeout=0.2)
        try:
            replies = {outcome.number: outcome.reply for outcome in judge.outcomes(range(5))}
        finally:
            release.set()
        assert sorted(called) == [0, 1]
        assert all(isinstance(replies[x], TimeoutError) for x in (0, 1))
        assert all(replies[x].usage.attempts == 0 for x in (2, 3, 4))
        assert str(replies[4]) == "2 calls that were given up keep all workers busy"
        assert judge([7]) == [7]  # they have come back


def test_a_call_is_given_up_from_its_own_beginning_not_from_that_of_the_round():
    with ThreadPoolExecutor(1) as pool:
        assert zo.parallel(Gauge(0.06), pool, timeout=0.5)(range(12)) == [x * x for x in range(12)]


def test_a_killed_process_fails_queries_and_a_broken_pool_no_more_than_them():
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        judge = zo.parallel(square, pool, concurrency=1)
        found = list(judge.outcomes([2, -3, 3, 4]))
        again = list(judge.outcomes([5]))
    replies = [outcome.reply for outcome in sorted(found)]
    assert replies[0] == 4
    assert type(replies[1]).__name__ == "BrokenProcessPool"
    assert [reply.usage.attempts for reply in (*replies[2:], again[0].reply)] == [0, 0, 0]
    assert "BrokenProcessPool" in str(replies[2])


def test_an_executor_that_is_shut_down_fails_queries_without_a_bill():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    (outcome,) = zo.parallel(square, pool).outcomes([1])
    assert outcome.reply.usage == zo.Usage(attempts=0)
    assert "cannot schedule new futures after shutdown" in str(outcome.reply)


def test_a_call_cancelled_by_others_has_failed():
    class Canceller(Executor):
        def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    (outcome,) = zo.parallel(square, Canceller()).outcomes([1])
    assert type(outcome.reply).__name__ == "CancelledError"


# --- interruptions ---------------------------------------------------------------------------------------------------


def interrupted(judge: zo.Judge, count: int) -> list[Outcome]:
    """The outcomes that come before the judge passes on the interruption."""
    told: list[Outcome] = []
    with pytest.raises(KeyboardInterrupt):
        told.extend(judge.outcomes(range(count)))
    return told


@pytest.mark.parametrize("kind", ["threads", "coroutines"])
def test_an_interruption_in_a_call_takes_along_what_is_under_way(kind):
    calls = []

    def interrupt(x: int) -> None:
        calls.append(x)
        if x in (2, 3):
            raise KeyboardInterrupt

    def here(x: int) -> int:
        interrupt(x)
        time.sleep(0.05)
        return x

    async def later(x: int) -> int:
        interrupt(x)
        await asyncio.sleep(0.05)
        return x

    with ThreadPoolExecutor(4) as pool:
        judge = zo.parallel(here, pool) if kind == "threads" else zo.concurrent(later, concurrency=4)
        told = interrupted(judge, 100)
    assert sorted(outcome.number for outcome in told) == sorted(set(calls) - {2, 3})
    assert 2 <= len(told) < 20


def test_an_interruption_in_this_thread_is_passed_on_at_once():
    calls = []

    def here(x: int) -> int:
        calls.append(x)
        if x == 2:
            raise KeyboardInterrupt
        return x

    assert [outcome.number for outcome in interrupted(zo.parallel(here), 9)] == [0, 1]
    assert calls == [0, 1, 2]


@pytest.mark.parametrize("kind", ["threads", "coroutines"])
def test_a_key_press_while_waiting_takes_along_what_is_under_way(kind):
    started, pressed = threading.Semaphore(0), threading.Event()

    def here(x: int) -> int:
        started.release()
        pressed.wait(PATIENCE)
        time.sleep(0.5)
        return x

    async def later(x: int) -> int:
        started.release()
        while not pressed.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        return x

    def press() -> None:
        for _ in range(2):
            started.acquire(timeout=PATIENCE)
        time.sleep(0.1)  # until the main thread waits
        os.kill(os.getpid(), signal.SIGINT)
        pressed.set()

    presser = threading.Thread(target=press)
    presser.start()
    with ThreadPoolExecutor(2) as pool:
        judge = zo.parallel(here, pool) if kind == "threads" else zo.concurrent(later, concurrency=2)
        told = interrupted(judge, 10)
    presser.join()
    assert sorted(outcome.number for outcome in told) == [0, 1]


# --- coroutines ------------------------------------------------------------------------------------------------------


def test_a_coroutine_is_cancelled_after_its_timeout_and_the_others_are_answered():
    cancelled = []

    async def ask(x: int) -> int:
        try:
            await asyncio.sleep(PATIENCE if x == 1 else 0.0)
        except asyncio.CancelledError:
            cancelled.append(x)
            raise
        return x

    replies = {outcome.number: outcome.reply for outcome in zo.concurrent(ask, timeout=0.2).outcomes(range(4))}
    assert isinstance(replies.pop(1), TimeoutError)
    assert replies == {0: 0, 2: 2, 3: 3}
    assert cancelled == [1]


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_a_coroutines_own_timeout_and_cancellation_keep_their_words(timeout):
    async def ask(x: int) -> int:
        raise TimeoutError("the service is slow") if x == 0 else asyncio.CancelledError

    found = sorted(zo.concurrent(ask, timeout=timeout).outcomes([0, 1]))
    assert [str(outcome.reply) for outcome in found] == ["the service is slow", "the call was cancelled"]
    assert all(isinstance(outcome.reply, Exception) for outcome in found)


def test_a_function_that_is_no_coroutine_function_fails_its_queries():
    (outcome,) = zo.concurrent(square).outcomes([2])  # type: ignore[arg-type]
    assert isinstance(outcome.reply, TypeError)


def test_the_event_loop_is_the_same_in_every_round_and_ends_with_the_judge():
    loops = []

    async def ask(x: int) -> int:
        loops.append(asyncio.get_running_loop())
        return x

    def judging() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "zoopt-mo judge"]

    before = judging()
    judge = zo.concurrent(ask)
    assert judge([1, 2]) == [1, 2]
    assert judge([3]) == [3]
    assert len(set(map(id, loops))) == 1
    (thread,) = set(judging()) - set(before)
    del judge
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert loops[0].is_closed()


def test_a_judge_works_inside_a_running_event_loop():
    async def notebook() -> list[Any]:
        return zo.concurrent(square_later)([1, 2, 3])

    assert asyncio.run(notebook()) == [1, 4, 9]


# --- plain functions of all payloads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, lambda losses: torch.tensor(losses)[:, None]])
def test_a_plain_function_may_return_its_losses_in_any_form(kind):
    found = WholeJudge(lambda payloads: kind([x * 2.0 for x in payloads]), "judge").outcomes([1, 2])
    assert [outcome.reply for outcome in found] == [2.0, 4.0]


def test_a_plain_function_that_raises_or_miscounts_fails_every_payload():
    def lost(payloads: list[Any]) -> list[float]:
        raise ConnectionError("no answer")

    assert [str(outcome.reply) for outcome in WholeJudge(lost, "judge").outcomes([1, 2])] == ["no answer"] * 2
    words = "`judge` of 'judge' must return 2 losses, one a payload, got 1."
    found = list(WholeJudge(lambda _payloads: [1.0], "judge").outcomes([1, 2]))
    assert [str(outcome.reply) for outcome in found] == [words] * 2


def test_a_stop_leaves_nothing_out_of_what_a_plain_function_has_answered():
    stream = WholeJudge(list, "judge").outcomes(range(4))
    assert [next(stream).number, *(outcome.number for outcome in until_stopped(stream))] == [0, 1, 2, 3]
    assert list(until_stopped(iter([]))) == []  # a stream that cannot be told


nothing: Any = None
thing: Any = object()
half: Any = 1.5


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_replies_and_failures_come_back_from_another_process_with_their_bill(processes):
    reply = zo.Reply({"text": "cat"}, zo.Usage(attempts=2, tokens_in=10, tokens_out=3, cost=0.25))
    assert processes.submit(_same, reply).result() == reply
    error = zo.QueryError("no", zo.Usage(attempts=4), True)
    back = processes.submit(_same, error).result()
    assert (type(back), str(back), back.usage, back.fatal) == (zo.QueryError, "no", zo.Usage(attempts=4), True)
    assert pickle.loads(pickle.dumps(StopAsking())).args == ()


def _same(value: Any) -> Any:
    return value


def test_a_reply_gives_its_value_when_the_judge_is_called():
    assert zo.parallel(lambda x: zo.Reply(x + 1))([1, 2]) == [2, 3]


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: zo.parallel(nothing), TypeError, r"^`function` must be callable, got NoneType\.$"),
        (lambda: zo.concurrent(nothing), TypeError, r"^`function` must be a coroutine function, got NoneType\.$"),
        (
            lambda: zo.parallel(square, thing),
            TypeError,
            r"^`executor` must be a concurrent\.futures\.Executor, got object\.$",
        ),
        (lambda: zo.parallel(square, timeout=1.0), ValueError, r"^`timeout` needs an `executor`: a call in this"),
        (lambda: zo.concurrent(square_later, concurrency=0), ValueError, r"^`concurrency` must be at least 1, got 0"),
        (lambda: zo.concurrent(square_later, timeout=0.0), ValueError, r"^`timeout` must be positive, got 0\.0\.$"),
        (lambda: zo.Usage(attempts=-1), ValueError, r"^`attempts` must be at least 0, got -1\.$"),
        (lambda: zo.Usage(tokens_in=half), TypeError, r"^`tokens_in` must be a whole number, got 1\.5\.$"),
        (lambda: zo.Usage(cost=-0.1), ValueError, r"^`cost` must not be negative, got -0\.1\.$"),
    ],
)
def test_a_wrong_argument_is_named(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_wrong_limits_of_an_executor_are_named(threads):
    with pytest.raises(ValueError, match=r"^`concurrency` must be at least 1, got 0\.$"):
        zo.parallel(square, threads, concurrency=0)
    with pytest.raises(ValueError, match=r"^`timeout` must be positive, got -1\.$"):
        zo.parallel(square, threads, timeout=-1)

    class Silent(Executor):
        """An executor that does not tell its workers."""

    with pytest.raises(ValueError, match=r"^`concurrency` must be given with a `timeout`: this executor does not"):
        zo.parallel(square, Silent(), timeout=1.0)
