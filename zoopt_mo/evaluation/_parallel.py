"""A function of one payload on any executor."""

from __future__ import annotations

import os
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.evaluation._judges import Judge, Outcome, StopAsking
from zoopt_mo.evaluation._outcomes import QueryError, Usage

_Call = Future[tuple[Any, float]]
_Running = dict[_Call, tuple[int, float]]


def parallel(
    function: Callable[[Any], Any],
    executor: Executor | None = None,
    *,
    concurrency: int | None = None,
    timeout: float | None = None,
) -> Judge:
    """A judge that calls ``function`` with one payload at a time, on any executor; one after another without one.

    Answers may come in any order: what is made of them does not depend on it, nor on the number of workers. Any
    ``concurrent.futures.Executor`` will do: threads (for a service over the network), processes, loky,
    ``dask.distributed``'s ``client.get_executor(pure=False)``, mpi4py's ``MPIPoolExecutor``, or one around Ray.

    Args:
        function: Takes a payload and returns its loss, or a :class:`zoopt_mo.Reply` with its bill; an exception fails
            this one query. For processes it must be importable, not a lambda.
        executor: Where it runs; it stays yours to shut down.
        concurrency: Most calls at the same time; None for as many as the executor takes.
        timeout: Seconds after which a call is given up and its query has failed; they include the start of a process.
            A thread or process cannot be stopped and goes on in the background, where it keeps a worker busy: give the
            client that it uses a timeout of its own too.

    Returns:
        The judge, for ``BlackBox(judge=...)``.

    Raises:
        TypeError: If ``executor`` is no executor.
        ValueError: If ``concurrency`` or ``timeout`` is out of range, or a ``timeout`` has no executor to watch, or one
            that does not tell how many workers it has while ``concurrency`` does not either.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import zoopt_mo as zo
        >>> with ThreadPoolExecutor(4) as pool:
        ...     zo.parallel(lambda x: x**2, pool)([1.0, 2.0, 3.0])
        [1.0, 4.0, 9.0]
    """
    if not callable(function):
        raise TypeError(f"`function` must be callable, got {type(function).__name__}.")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(f"`executor` must be a concurrent.futures.Executor, got {type(executor).__name__}.")
    if timeout is not None and executor is None:
        raise ValueError("`timeout` needs an `executor`: a call in this thread cannot be given up.")
    if timeout is not None and concurrency is None and _workers_of(executor) is None:
        raise ValueError("`concurrency` must be given with a `timeout`: this executor does not tell its workers.")
    return Parallel(
        function,
        executor,
        None if concurrency is None else check_count("concurrency", concurrency),
        None if timeout is None else check_positive("timeout", timeout),
    )


class Parallel(Judge):
    """See :func:`parallel`."""

    def __init__(
        self, function: Callable[[Any], Any], executor: Executor | None, concurrency: int | None, timeout: float | None
    ) -> None:
        self.function, self.executor = function, executor
        self.concurrency, self.timeout = concurrency, timeout
        self._lost: set[_Call] = set()  # given up, but still keeping a worker busy

    def outcomes(self, payloads: Sequence[Any]) -> Iterator[Outcome]:
        """What came of each payload, as soon as it is known."""
        if self.executor is not None:
            return self._submitted(payloads, self.executor)
        return (_call_here(self.function, number, payload) for number, payload in enumerate(payloads))

    def _submitted(self, payloads: Sequence[Any], executor: Executor) -> Iterator[Outcome]:
        waiting = deque(enumerate(payloads))
        running: _Running = {}
        try:
            while waiting or running:
                yield from self._submit(executor, waiting, running)
                yield from self._finished(running)
        except (KeyboardInterrupt, SystemExit, StopAsking):  # what is under way will be paid for: take its answers
            yield from self._under_way(running)
            raise
        finally:
            for future in running:
                future.cancel()

    def _submit(self, executor: Executor, waiting: deque[tuple[int, Any]], running: _Running) -> Iterator[Outcome]:
        """Begin as many calls as there is room for; a call that cannot begin has failed, at no cost."""
        room = self._room(executor, len(waiting) + len(running))
        if waiting and not running and room < 1:
            wait(self._lost, timeout=self.timeout, return_when=FIRST_COMPLETED)
            room = self._room(executor, len(waiting))
        while waiting and len(running) < room:
            number, payload = waiting.popleft()
            try:
                running[executor.submit(_Timed(self.function), payload)] = (number, time.monotonic())
            except Exception as error:  # such as a broken pool
                yield Outcome(number, _not_put(f"{type(error).__name__}: {error}"), 0.0)
        while waiting and room < 1 and not running:
            number, _ = waiting.popleft()
            yield Outcome(number, _not_put(f"{len(self._lost)} calls that were given up keep all workers busy"), 0.0)

    def _room(self, executor: Executor, num_payloads: int) -> int:
        """Calls that may go on at once: with a timeout no more than can begin, for the time counts from submission."""
        limit = self.concurrency or num_payloads
        if self.timeout is None:
            return limit
        self._lost = {future for future in self._lost if not future.done()}
        workers = _workers_of(executor) or limit
        return min(limit, workers - len(self._lost))

    def _finished(self, running: _Running) -> Iterator[Outcome]:
        """Wait for the next answers and take them out of ``running``."""
        if not running:
            return
        ends = None if self.timeout is None else min(start for _, start in running.values()) + self.timeout
        left = None if ends is None else max(ends - time.monotonic(), 0.0)
        done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
        for future in done:
            yield _outcome_of(future, *running.pop(future))
        yield from self._given_up(running)

    def _given_up(self, running: _Running) -> Iterator[Outcome]:
        """The calls whose time is over."""
        for future, (number, start) in list(running.items()):
            elapsed = time.monotonic() - start
            if self.timeout is not None and elapsed >= self.timeout and not future.done():
                del running[future]
                if not future.cancel():
                    self._lost.add(future)
                yield Outcome(number, TimeoutError(f"no answer within {self.timeout:g} s"), elapsed)

    def _under_way(self, running: _Running) -> Iterator[Outcome]:
        """The last answers, when no further call begins."""
        for future in [future for future in running if future.cancel()]:
            del running[future]  # had not begun
        while running:
            ends = None if self.timeout is None else min(start for _, start in running.values()) + self.timeout
            left = None if ends is None else max(ends - time.monotonic(), 0.0)
            for future in wait(running, timeout=left, return_when=FIRST_COMPLETED)[0]:
                number, start = running.pop(future)
                if not future.cancelled() and isinstance(future.exception(), Exception | None):
                    yield _outcome_of(future, number, start)
            yield from self._given_up(running)


class _Timed:
    """The function, telling how long it took where it ran; importable, so that it can go to another process."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function, self.home = function, os.getpid()

    def __call__(self, payload: object) -> tuple[Any, float]:
        started = time.perf_counter()
        try:
            return self.function(payload), time.perf_counter() - started
        except Exception as error:
            if os.getpid() != self.home and not _travels(error):  # it would break the pool on its way back
                bill, fatal = getattr(error, "usage", Usage()), getattr(error, "fatal", False)
                raise QueryError(f"{type(error).__name__}: {error}", bill, fatal) from None
            raise


def _travels(error: Exception) -> bool:
    """Whether an exception can be pickled and read again."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


def _not_put(message: str) -> QueryError:
    return QueryError(message, Usage(attempts=0))


def _workers_of(executor: Executor | None) -> int | None:
    workers = getattr(executor, "_max_workers", None)
    return workers if isinstance(workers, int) else None


def _outcome_of(future: _Call, number: int, start: float) -> Outcome:
    try:
        return Outcome(number, *future.result())
    except Exception as error:  # also of a call that was cancelled elsewhere
        return Outcome(number, error, time.monotonic() - start)


def _call_here(function: Callable[[Any], Any], number: int, payload: object) -> Outcome:
    started = time.perf_counter()
    try:
        reply = function(payload)
    except Exception as error:
        reply = error
    return Outcome(number, reply, time.perf_counter() - started)
