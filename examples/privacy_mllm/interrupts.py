"""Ctrl-C where it does no harm."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def held_interrupts() -> Iterator[list[int]]:
    """A block that Ctrl-C does not break off; outside the main thread, where none arrives, nothing is changed.

    Keep it short: the user waits for its end.

    Yields:
        The signals that came, for the caller to raise again with :func:`signal.raise_signal` once the block is left.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
