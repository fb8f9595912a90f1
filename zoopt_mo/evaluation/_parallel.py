"""A function of one payload on any executor."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.evaluation._judges import Judge, Outcome, StopAsking

_Running = dict["Future[tuple[Any, float]]", tuple[int, float]]


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
        timeout: Seconds after which a call is given up and its query has failed. A thread cannot be stopped and goes
            on in the background: give the client that it uses a timeout of its own too.

    Returns:
        The judge, for ``BlackBox(judge=...)``.

    Raises:
        TypeError: If ``executor`` is no executor.
        ValueError: If ``concurrency`` or ``timeout`` is out of range, or a ``timeout`` has no executor to watch.

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

    def outcomes(self, payloads: Sequence[Any]) -> Iterator[Outcome]:
        """What came of each payload, as soon as it is known."""
        if self.executor is not None:
            return self._submitted(payloads, self.executor)
        return (_call_here(self.function, number, payload) for number, payload in enumerate(payloads))

    def _submitted(self, payloads: Sequence[Any], executor: Executor) -> Iterator[Outcome]:
        waiting = deque(enumerate(payloads))
        running: _Running = {}
        limit = self.concurrency or self._limit_for(executor, len(payloads))
        try:
            while waiting or running:
                while waiting and len(running) < limit:
                    number, payload = waiting.popleft()
                    running[executor.submit(_Timed(self.function), payload)] = (number, time.monotonic())
                yield from self._finished(running)
        except (KeyboardInterrupt, StopAsking):  # what is under way will be paid for: take its answers along
            wait(running, timeout=self.timeout)
            for future in [future for future in running if future.done() and not future.cancelled()]:
                number, start = running.pop(future)
                yield _outcome_of(future, number, time.monotonic() - start)
            raise
        finally:
            for future in running:
                future.cancel()

    def _limit_for(self, executor: Executor, num_payloads: int) -> int:
        """With a timeout no more than can start at once, for a call's time begins with its submission."""
        workers = getattr(executor, "_max_workers", None)
        if self.timeout is None:
            return num_payloads
        if workers is None:
            raise ValueError("`concurrency` must be given with a `timeout`: this executor does not tell its workers.")
        return int(workers)

    def _finished(self, running: _Running) -> Iterator[Outcome]:
        """Wait for the next answers and take them out of ``running``."""
        now = time.monotonic()
        ends = None if self.timeout is None else min(start for _, start in running.values()) + self.timeout
        done, _ = wait(running, timeout=None if ends is None else max(ends - now, 0.0), return_when=FIRST_COMPLETED)
        for future in done:
            number, start = running.pop(future)
            yield _outcome_of(future, number, time.monotonic() - start)
        if self.timeout is None:
            return
        for future, (number, start) in list(running.items()):
            elapsed = time.monotonic() - start
            if elapsed >= self.timeout and not future.done():
                future.cancel()
                del running[future]
                yield Outcome(number, TimeoutError(f"no answer within {self.timeout:g} s"), elapsed)


class _Timed:
    """The function, telling how long it took where it ran; importable, so that it can go to another process."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __call__(self, payload: object) -> tuple[Any, float]:
        started = time.perf_counter()
        return self.function(payload), time.perf_counter() - started


def _outcome_of(future: Future[tuple[Any, float]], number: int, elapsed: float) -> Outcome:
    error = future.exception()
    if error is None:
        return Outcome(number, *future.result())
    if isinstance(error, Exception):
        return Outcome(number, error, elapsed)
    raise error


def _call_here(function: Callable[[Any], Any], number: int, payload: object) -> Outcome:
    started = time.perf_counter()
    try:
        reply = function(payload)
    except Exception as error:
        reply = error
    return Outcome(number, reply, time.perf_counter() - started)
