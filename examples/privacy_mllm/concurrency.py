"""Work shared out to threads: results in order, and no more of it at once than the memory bears."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 4
"""Threads that :func:`usual_workers` asks for at most: each may hold a network's activations."""


def usual_workers() -> int:
    """As many threads as this process has cores, at most ``MOST_WORKERS``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS)


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result]:
    """The results of ``work`` in the order of the items, which are taken no further ahead than needed.

    Where one is an exception, or the generator is closed, what has not begun is not begun, and what has begun is
    waited for.

    Args:
        work: Called in `workers` threads at once; in the caller's own where there is one.
        items: Taken in the caller's thread: at most ``workers + 1`` beyond the results that were handed out.
        workers: Number of threads, positive.

    Raises:
        ValueError: If `workers` is not positive.

    Example:
        >>> list(in_order(lambda number: number**2, range(5), workers=2))
        [0, 1, 4, 9, 16]
    """
    if workers < 1:
        raise ValueError(f"`workers` must be positive, got {workers}.")
    return (work(item) for item in items) if workers == 1 else _in_threads(work, items, workers)


def _in_threads(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result]:
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > workers:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


class Shared:
    """A context that several threads may be in at once: the first enters it, the last leaves it.

    For what changes something that all threads see, such as the mode of a network: left by one, it would be undone
    under the others.

    Args:
        make: Makes the context, anew each time that the first thread enters.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[object]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        """Be in it."""
        with self._lock:
            if self._inside == 0:
                self._context = self._make()
                self._context.__enter__()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be out of it; an exception passes through."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._context.__exit__(None, None, None)


class Gate:
    """Lets work in while its sizes together stay within a limit; what is larger than the limit goes in alone.

    Args:
        limit: Largest sum of sizes, positive.

    Raises:
        ValueError: If `limit` is not positive.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"`limit` must be positive, got {limit}.")
        self.limit = limit
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def admit(self, size: int) -> Iterator[None]:
        """Wait until there is room for this size, and hold it for the length of the block.

        Args:
            size: Size of the work, not negative.
        """
        share = min(size, self.limit)
        with self._changed:
            self._changed.wait_for(lambda: self._inside + share <= self.limit)
            self._inside += share
        try:
            yield
        finally:
            with self._changed:
                self._inside -= share
                self._changed.notify_all()
