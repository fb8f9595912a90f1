"""How near black-box training comes to the bound, which knows the black box's gradient, at matched leakage.

Each method trains an anonymizer over a range of weights; its right answers are read where its attacker reads as much as
another's. There are two kinds of anonymizers: one of eight parameters, which shows what moves, and the flagship's U-Net
of 17,427, on three seeds at most. The reviewer takes several steps for one of the anonymizer's, in all of them. Each
method's step is chosen on validation clips, over the same grid, with seeds that no table has. The guide alone is traced
too; beside them stand the guide with the black box as a gate, no query, the start, raw pictures, a frame difference and
exact silhouettes. `--only motion` and `--only U-Net` make one kind alone. Runs that are done are kept, seed after seed,
so the command can be stopped and called again; a seed takes some 20 minutes of one core with the first kind, and some
25 with the second.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ablations import read_command, run_jobs, run_part, write_csv, write_report
from benchmarks.reach.figure import draw
from benchmarks.reach.runs import EXTENTS, UNET, chosen_factors, heuristic_jobs, jobs, make, quick, tuning_jobs
from benchmarks.reach.tables import Kind, tables

UNET_SEEDS = 3
"""Of that kind; they are dear, and settle the order."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune, run what is not yet there, then write table, csv and figure."""
    command = read_command("reach", __doc__, arguments, seeds=10, quick_seeds=1, parts=tuple(EXTENTS))
    extents = {name: quick(extent) if command.quick else extent for name, extent in EXTENTS.items()}
    file = command.file("_runs.jsonl")
    heuristics = run_jobs(heuristic_jobs(extents[UNET]), make, file, workers=command.workers)
    rows, kinds = [*heuristics], dict[str, Kind]()
    for name, extent in extents.items():
        tuning = run_part(command, name, tuning_jobs(extent), make)
        chosen = chosen_factors(tuning)
        seeds = min(command.seeds, UNET_SEEDS) if name == UNET else command.seeds
        mine = run_part(command, name, jobs(extent, chosen, seeds), make) if tuning else []
        if mine:
            kinds[name] = Kind(extent, mine, chosen)
            rows += [*tuning, *mine]
    write_csv(rows, command.file(".csv"))
    draw(kinds, heuristics, command.file(".png"))
    print(write_report(command, tables(kinds, heuristics)))


if __name__ == "__main__":
    main()
