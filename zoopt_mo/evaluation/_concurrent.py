"""A coroutine of one payload, many at a time."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.evaluation._judges import Judge, Outcome, StopAsking
from zoopt_mo.evaluation._outcomes import QueryError


def concurrent(
    function: Callable[[Any], Awaitable[Any]], *, concurrency: int = 32, timeout: float | None = None
) -> Judge:
    """A judge that awaits ``function`` of one payload, up to ``concurrency`` at the same time.

    It has an event loop of its own in a background thread, so it works inside a notebook, and clients that are bound
    to a loop live on from one step to the next.

    Args:
        function: Coroutine function that takes a payload and returns its loss, or a :class:`zoopt_mo.Reply` with its
            bill; an exception fails this one query.
        concurrency: Most calls at the same time.
        timeout: Seconds after which a call is cancelled and its query has failed.

    Returns:
        The judge, for ``BlackBox(judge=...)``.

    Raises:
        TypeError: If ``function`` cannot be called.
        ValueError: If ``concurrency`` or ``timeout`` is out of range.

    Example:
        >>> import asyncio
        >>> import zoopt_mo as zo
        >>> async def ask(x):
        ...     await asyncio.sleep(0.01)
        ...     return x**2
        >>> zo.concurrent(ask, concurrency=2)([1.0, 2.0, 3.0])
        [1.0, 4.0, 9.0]
    """
    if not callable(function):
        raise TypeError(f"`function` must be a coroutine function, got {type(function).__name__}.")
    check_count("concurrency", concurrency)
    return Concurrent(function, concurrency, None if timeout is None else check_positive("timeout", timeout))


class Concurrent(Judge):
    """See :func:`concurrent`."""

    def __init__(self, function: Callable[[Any], Awaitable[Any]], concurrency: int, timeout: float | None) -> None:
        self.function, self.concurrency, self.timeout = function, concurrency, timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()

    def outcomes(self, payloads: Sequence[Any]) -> Iterator[Outcome]:
        """What came of each payload, as soon as it is known."""
        calls = _Calls(self.function, self.concurrency, self.timeout, len(payloads))
        asking = asyncio.run_coroutine_threadsafe(calls.begin(payloads), self._running_loop())
        try:
            yield from calls.outcomes()
        except (KeyboardInterrupt, SystemExit, StopAsking):  # what is under way will be paid for: take its answers
            calls.is_stopped = True
            yield from calls.outcomes()
            raise
        finally:
            calls.is_over = True
            asking.cancel()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(self._loop,), name="zoopt-mo judge", daemon=True).start()
                weakref.finalize(self, _stop, self._loop)
            return self._loop


class _Calls:
    """The calls of one round; they run in the event loop and are told of in the user's thread."""

    def __init__(
        self, function: Callable[[Any], Awaitable[Any]], concurrency: int, timeout: float | None, num_left: int
    ) -> None:
        self.function, self.concurrency, self.timeout = function, concurrency, timeout
        self.num_left = num_left
        self.is_stopped = self.is_over = False
        self._found: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()  # None for a call that did not begin

    def outcomes(self) -> Iterator[Outcome]:
        """What is still to be told; an interruption in a call is raised here."""
        while self.num_left:
            outcome = self._found.get()
            self.num_left -= 1
            if outcome is not None and not _interrupts(outcome.reply):
                yield outcome
            elif outcome is not None and not self.is_stopped:
                raise outcome.reply

    async def begin(self, payloads: Sequence[Any]) -> None:
        """Call the function with every payload."""
        free = asyncio.Semaphore(self.concurrency)
        await asyncio.gather(*(self._ask_when(free, number, payload) for number, payload in enumerate(payloads)))

    async def _ask_when(self, free: asyncio.Semaphore, number: int, payload: object) -> None:
        async with free:
            self._found.put(None if self.is_stopped else await self._ask(number, payload))

    async def _ask(self, number: int, payload: object) -> Outcome:
        started = time.perf_counter()
        reply: Any
        try:
            reply = await asyncio.wait_for(self._call(payload), self.timeout)
        except asyncio.CancelledError:
            if self.is_over:
                raise
            reply = QueryError("the call was cancelled")
        except Exception as error:
            reply = error
        elapsed = time.perf_counter() - started
        if isinstance(reply, asyncio.TimeoutError) and self.timeout is not None and elapsed >= self.timeout:
            reply = TimeoutError(f"no answer within {self.timeout:g} s")
        return Outcome(number, reply, elapsed)

    async def _call(self, payload: object) -> Any:  # noqa: ANN401
        try:
            return await self.function(payload)
        except (KeyboardInterrupt, SystemExit) as interruption:  # raised here it would end the loop
            return interruption


def _interrupts(reply: object) -> bool:
    return isinstance(reply, BaseException) and not isinstance(reply, Exception)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped, then close it."""
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
