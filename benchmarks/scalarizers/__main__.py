"""Which trade-offs each scalarizer finds: the paper's table 5, and fronts known in closed form.

On the analytic fronts the first loss is a black box asked by SPSA and the second a white box; every scalarizer's step
is tuned on two seeds, over the same grid, and run on others. In the privacy world weights and ideal are first scanned
for those with which both objectives lead some steps, then every scalarizer trains the anonymizer under them; it has
three seeds where the fronts have ten. Runs that are done are kept, so the command can be stopped and called again.
The full form takes some 15 minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ablations import Command, Row, read_command, run_part, write_csv, write_report
from benchmarks.scalarizers import analytic, world
from benchmarks.scalarizers.figure import draw
from benchmarks.scalarizers.tables import analytic_tables, world_tables

PARTS = ("fronts", "world")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not yet there, then write table, csv and figure."""
    command = read_command("scalarizers", __doc__, arguments, seeds=10, quick_seeds=2, parts=PARTS)
    of_fronts = run_analytic(command, analytic.QUICK if command.quick else analytic.Extent())
    scan, of_world = run_world(command, world.QUICK if command.quick else world.Extent())
    rows = [*of_fronts, *scan, *of_world]
    texts = (analytic_tables(of_fronts) if of_fronts else []) + (world_tables(scan, of_world) if of_world else [])
    write_csv(rows, command.file(".csv"))
    draw(rows, command.file(".png"))
    print(write_report(command, texts))


def run_analytic(command: Command, extent: analytic.Extent) -> list[Row]:
    """Tune, then run."""
    tuning = run_part(command, "fronts", analytic.tuning_jobs(extent), analytic.make)
    if not tuning:
        return []
    return run_part(
        command, "fronts", analytic.jobs(extent, analytic.chosen_steps(tuning), command.seeds), analytic.make
    )


def run_world(command: Command, extent: world.Extent) -> tuple[list[Row], list[Row]]:
    """Scan, then run: the rows of both."""
    scan = run_part(command, "world", world.scan_jobs(extent), world.make)
    if not scan:
        return [], []
    jobs = world.jobs(extent, world.chosen_settings(scan), max(1, 3 * command.seeds // 10))
    return scan, run_part(command, "world", jobs, world.make)


if __name__ == "__main__":
    main()
