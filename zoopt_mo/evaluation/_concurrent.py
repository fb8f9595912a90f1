"""A coroutine of one payload, many at a time."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.evaluation._judges import Judge, Outcome, StopAsking


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

    def outcomes(self, payloads: Sequence[Any]) -> Iterator[Outcome]:
        """What came of each payload, as soon as it is known."""
        found: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        stopped = threading.Event()
        asking = asyncio.run_coroutine_threadsafe(self._ask_all(payloads, found.put, stopped), self._running_loop())
        try:
            for _ in payloads:
                outcome = found.get()
                if outcome is not None:
                    try:
                        yield outcome
                    except StopAsking:
                        stopped.set()
        finally:
            asking.cancel()

    async def _ask_all(
        self, payloads: Sequence[Any], tell: Callable[[Outcome | None], None], stopped: threading.Event
    ) -> None:
        free = asyncio.Semaphore(self.concurrency)

        async def ask(number: int, payload: object) -> None:
            async with free:
                tell(None if stopped.is_set() else await self._ask(number, payload))

        await asyncio.gather(*(ask(number, payload) for number, payload in enumerate(payloads)))

    async def _ask(self, number: int, payload: object) -> Outcome:
        started = time.perf_counter()
        try:
            reply = await asyncio.wait_for(self.function(payload), self.timeout)
        except asyncio.TimeoutError:
            reply = TimeoutError(f"no answer within {self.timeout or 0:g} s")
        except Exception as error:
            reply = error
        return Outcome(number, reply, time.perf_counter() - started)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="zoopt-mo judge", daemon=True).start()
        return self._loop
