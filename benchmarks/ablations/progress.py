"""How far a run is, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


LINE_SECONDS = 5.0


@contextmanager
def progress(total: int, title: str) -> Iterator[Callable[[str], None]]:
    """A function to call with a text after each job: a bar on a terminal, lines elsewhere.

    Args:
        total: Number of jobs.
        title: What stands before the bar.

    Raises:
        ImportError: If rich is not installed.
    """
    try:
        from rich.console import Console as Screen
    except ImportError as error:
        raise ImportError('The display needs rich: pip install "zoopt-mo[privacy]".') from error
    console = Screen(stderr=True)
    with _bar(console, total, title) if console.is_terminal else _lines(total) as advance:
        yield advance


@contextmanager
def _bar(console: Console, total: int, title: str) -> Iterator[Callable[[str], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console) as bars:
        task = bars.add_task(title, total=total)

        def advance(text: str) -> None:
            bars.update(task, advance=1, description=text)

        yield advance


@contextmanager
def _lines(total: int) -> Iterator[Callable[[str], None]]:
    """A line every few seconds, and one for the last job."""
    started, done, spoken = time.perf_counter(), 0, 0.0

    def advance(text: str) -> None:
        nonlocal done, spoken
        done, now = done + 1, time.perf_counter()
        if done == total or now - spoken >= LINE_SECONDS:
            spoken = now
            left = (total - done) * (now - started) / done
            print(f"[{done}/{total}] {text}; about {left / 60:.1f} minutes left", flush=True)

    yield advance
