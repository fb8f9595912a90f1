"""What a training is worth on what it was not shown: places, an action, attributes and questions (paper, section 6).

Each training lacks one thing, from its start on; a training of the same seed is shown everything. Both are judged on
test clips: an attribute by what a fine-tuned attacker reads who knows its labels, a question by right answers, a place
or an action by both on the clips that show it. What is done is kept, the starts in a folder beside the rows, so the
command can be stopped and called again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial

from benchmarks.ablations import read_command, run_jobs, write_csv, write_report
from benchmarks.generalisation.figure import draw
from benchmarks.generalisation.runs import QUICK, Extent, make, start_jobs, training_jobs
from benchmarks.generalisation.tables import tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not yet there, then write table, csv and figure."""
    command = read_command("generalisation", __doc__, arguments, seeds=3, quick_seeds=1)
    extent, file, starts = QUICK if command.quick else Extent(), command.file("_runs.jsonl"), command.file("_starts")
    if not file.exists():  # a first call, or a fresh one
        shutil.rmtree(starts, ignore_errors=True)
    made = partial(make, folder=starts)
    # One after the other: a start is made once, whatever the number of workers.
    rows = run_jobs(start_jobs(extent, command.seeds), made, file, workers=command.workers)
    rows += run_jobs(training_jobs(extent, command.seeds), made, file, workers=command.workers)
    write_csv(rows, command.file(".csv"))
    draw(rows, command.file(".png"))
    print(write_report(command, tables(rows)))


if __name__ == "__main__":
    main()
