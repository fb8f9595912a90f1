"""How near black-box training comes to the bound, which knows the black box's gradient, at matched leakage.

Each method trains the flagship's anonymizer over a range of weights; its right answers are read where its attacker
reads as much as another's. The reviewer takes several steps for one of the anonymizer's, in all of them. Each method's
step is chosen on validation clips, over the same grid, with seeds that no table has. The guide alone and the guide with
the black box as a gate are traced too; beside them stand no query, prior-guided probes at one weight, the start, raw
pictures, a frame difference and exact silhouettes. Runs that are done are kept, seed after seed, so the command can be
stopped and called again; a seed takes some 25 minutes of one core.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ablations import read_command, run_jobs, write_csv, write_report
from benchmarks.reach.figure import draw
from benchmarks.reach.runs import QUICK, TUNING_SEEDS, Extent, chosen_factors, jobs, make, tuning_jobs
from benchmarks.reach.tables import tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune, run what is not yet there, then write table, csv and figure."""
    command = read_command("reach", __doc__, arguments, seeds=10, quick_seeds=1)
    extent, file = QUICK if command.quick else Extent(), command.file("_runs.jsonl")
    trials = tuning_jobs(extent, TUNING_SEEDS[:1] if command.quick else TUNING_SEEDS)
    tuning = run_jobs(trials, make, file, workers=command.workers)
    chosen = chosen_factors(tuning)
    rows = run_jobs(jobs(extent, chosen, command.seeds), make, file, workers=command.workers)
    write_csv([*tuning, *rows], command.file(".csv"))
    draw(rows, command.file(".png"))
    print(write_report(command, tables(rows, chosen)))


if __name__ == "__main__":
    main()
