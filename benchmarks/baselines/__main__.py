"""All compared methods: the paper's tables 1 to 4, in the rendered world.

Two tasks: *action*, where what the person does has three quarters of the queries, and *VQA*, where all questions have
as many. Two kinds of black box: one that tells log-probabilities, where the paper has open models, and one that tells
text only, where the paper has GPT-4V. Methods that do not ask it know neither and have one row for all tables; the
bound knows the task. Settings are the package's own, but for the radius and the step with text only, which are chosen
on validation clips, over one grid for each method that asks. Surrogates learn the answers to the main question alone.
Runs that are done are kept, so the command can be stopped and called again. The full form takes some 30 minutes on two
cores.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ablations import read_command, run_jobs, write_csv, write_report
from benchmarks.baselines.figure import draw
from benchmarks.baselines.runs import QUICK, Extent, chosen_settings, jobs, make, tuning_jobs
from benchmarks.baselines.tables import tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune, run what is not yet there, then write tables, csv and figure."""
    command = read_command("baselines", __doc__, arguments, seeds=3, quick_seeds=1)
    extent, file = QUICK if command.quick else Extent(), command.file("_runs.jsonl")
    tuning = run_jobs(tuning_jobs(extent), make, file, workers=command.workers)
    chosen = chosen_settings(tuning)
    rows = run_jobs(jobs(extent, command.seeds, chosen), make, file, workers=command.workers)
    write_csv([*tuning, *rows], command.file(".csv"))
    draw(rows, command.file(".png"))
    print(write_report(command, tables(rows, chosen)))


if __name__ == "__main__":
    main()
