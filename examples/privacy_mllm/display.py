"""What the commands show in the terminal."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from privacy_mllm import tables
from privacy_mllm.records import StepRecord
from privacy_mllm.results import Results
from privacy_mllm.runs import Run
from privacy_mllm.session import OURS, Watch

_console = Console(highlight=False)


def say(text: str) -> None:
    """One line of plain text."""
    _console.print(text, markup=False, soft_wrap=True)


def show(table: Table) -> None:
    """A table, as wide as the terminal."""
    _console.print(table)


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """Progress of a training and its evaluation, with the calls spent, both losses and the active objective."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console) as progress:
        display = _Display(progress)
        yield Watch(stage=display.stage, step=display.step, judged=display.judged, say=say)


@contextlib.contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """Progress of several stages that count their steps, a bar each."""
    with Progress(TextColumn("{task.description}"), BarColumn(24), TimeRemainingColumn(), console=_console) as progress:
        bars: dict[str, TaskID] = {}

        def show(stage: str, step: int, steps: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage, total=steps)
            progress.update(bars[stage], completed=step)

        yield show


@contextlib.contextmanager
def counting_files() -> Iterator[Callable[[int, int, str], None]]:
    """Progress over files, with the name of the one in work."""
    columns = (BarColumn(24), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=_console, transient=True) as progress:
        bar = progress.add_task("")

        def show(finished: int, total: int, name: str) -> None:
            progress.update(bar, completed=finished, total=total, description=name)

        yield show


def show_results(results: Results) -> None:
    """The tables of results, and what their columns mean."""
    say("answers that are right (more is better), attributes that are read (less is better); in %")
    show(tables.answers_table(results, ours=OURS))
    say("action    the main question; all: the mean over all questions")
    say("frozen    cMAP of the reviewer that saw raw pictures only (the paper's measure; it flatters)")
    say("attacker  cMAP of the strongest reviewer trained on each method's pictures: the leakage to believe")
    say(f"          an attacker who sees nothing reads {results.blind_cmap:.1f} (blind base rate)")
    say("calls     black-box calls of the training, for each clip asked about")
    if any(math.isnan(row.action) for row in results.rows):
        say("-         not asked: pictures that hide nothing stay on this machine (--send-raw lets them leave)")
    unanswered = sum(row.unanswered for row in results.rows)
    if unanswered:
        say(f"{unanswered} calls of the judging failed; they count neither as right nor as wrong")
    say("\nwhat the attacker reads")
    show(tables.leakage_table(results, ours=OURS))
    for line in tables.notes_on_leakage(results.rows):
        say(line)
    if results.held_out:
        _show_generalisation(results)


def _show_generalisation(results: Results) -> None:
    say(f"\ntraining was not shown: {results.held_out}")
    show(tables.generalisation_table(results.generalisation, ours=OURS))
    say("answers   right answers (%), all questions; attacker: cMAP, in brackets that of guessing")
    say("seen      what training was shown; unseen: what it was not; -: the same for both, or nothing to be read")


def show_files(run: Run) -> None:
    """Where everything lies."""
    say(f"run      {run.path}")
    for file in sorted(run.path.rglob("*")):
        if file.is_file():
            say(f"         {file.relative_to(run.path)}")
    say(f"use it   privacy-mllm anonymize PICTURE -o OUT --run {run.path}")


def _money(cost: float) -> str:
    return f" ({cost:.2f})" if cost else ""


class _Display:
    """A bar for the present stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def stage(self, name: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1)
        self._task = self._progress.add_task(name, total=None, note="")

    def step(self, record: StepRecord, steps: int) -> None:
        leader = {0: "utility", 1: "privacy", None: "-"}[record.i_max]
        spent = f"calls {record.calls}{_money(record.cost)}"
        note = f"{spent}  L_MLLM {record.utility:.2f}  L_Privacy {record.privacy:.3f}  i_max {leader}"
        if self._task is not None:
            self._progress.update(self._task, total=steps, completed=record.step + 1, note=note)

    def judged(self, method: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, note=f"done: {method}")
