"""Not more requests a minute than agreed, however many threads ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pacing:
    """Lets requests through at even steps, so that no minute holds more than `per_minute` of them.

    A burst after a pause is not allowed either: services count in windows of their own, often of a second.

    Args:
        per_minute: Requests a minute, positive; None lets all through at once.
        clock: Tells the time in seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        per_minute: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._step = 0.0 if per_minute is None else 60 / per_minute
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._step
        if turn > now:
            self._sleep(turn - now)
