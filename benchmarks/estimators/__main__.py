"""How many calls each estimator and search method needs: the paper's table 6 and figure 4, in the privacy world.

Two protocols: one step for all, as in the paper, and the step tuned for each method, over the same grid on a seed and
on validation clips that no table has. Utility is read on validation clips along the way; at the end right answers and
a fine-tuned attacker are read on test clips. A level counts as reached only where the run's attacker reads no more at
the end than SPSA's in the median, under the same protocol. Runs that are done are kept, so the command can be stopped
and called again. The full form takes some 20 minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ablations import read_command, run_jobs, write_csv, write_report
from benchmarks.estimators.figure import draw
from benchmarks.estimators.methods import METHODS, make
from benchmarks.estimators.tables import chosen_factors, of_protocol, tables
from benchmarks.estimators.world import QUICK, RUN, TUNING, TUNING_SEED, Extent, job


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune, run what is not yet there, then write table, csv and figure."""
    command = read_command("estimators", __doc__, arguments, seeds=3, quick_seeds=1)
    extent, file = QUICK if command.quick else Extent(), command.file("_runs.jsonl")
    trials = [
        job(name, TUNING, TUNING_SEED, extent, ("factor", factor)) for name in METHODS for factor in extent.factors
    ]
    tuning = run_jobs(trials, make, file, workers=command.workers)
    chosen = chosen_factors(tuning)
    # Where tuning chose the shared step, both protocols have the same runs.
    work = [
        job(name, RUN, seed, extent, ("factor", factor))
        for name in METHODS
        for factor in dict.fromkeys((1.0, chosen[name]))
        for seed in range(command.seeds)
    ]
    rows = run_jobs(work, make, file, workers=command.workers)
    write_csv([*tuning, *rows], command.file(".csv"))
    draw(of_protocol(rows, chosen), command.file(".png"))
    print(write_report(command, tables(rows, chosen)))


if __name__ == "__main__":
    main()
