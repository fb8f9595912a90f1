"""How SPSA and the critical history go to one target: the paper's figure 3, with figures.

First on two landscapes of two parameters, with noise on every query, from the top left to the bottom; then trainings in
the privacy world, in the plane of their two losses, with half as many seeds. Two protocols: one step for all, and the
step tuned for each method over the same grid, on seeds that no table has. Runs that are done are kept, so the command
can be stopped and called again. `--only plane` makes the first half, in a minute, `--only world` the second. The full
form takes some 10 minutes of one core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.ablations import Command, Fields, Job, Row, kept_rows, read_command, run_jobs, write_csv, write_report
from benchmarks.trajectories import plane, world
from benchmarks.trajectories.figure import draw
from benchmarks.trajectories.tables import chosen_factors, tables

PARTS = ("plane", "world")


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune, run what is not yet there, then write table, csv and figure."""
    command = read_command("trajectories", __doc__, arguments, seeds=10, quick_seeds=2, parts=PARTS)
    in_plane = plane.QUICK if command.quick else plane.Extent()
    in_world = world.QUICK if command.quick else world.Extent()
    tuning = _rows(command, plane.tuning_jobs(in_plane), world.tuning_jobs(in_world))
    chosen = chosen_factors(tuning)
    rows = _rows(
        command,
        plane.jobs(chosen, command.seeds),
        world.jobs(chosen, max(1, command.seeds // 2), in_world),
    )
    write_csv([*tuning, *rows], command.file(".csv"))
    draw(rows, chosen, command.file(".png"))
    print(write_report(command, tables(rows, chosen)))


def _rows(command: Command, in_plane: Sequence[Job], in_world: Sequence[Job]) -> list[Row]:
    """The rows of some jobs of both parts; of a part that was not asked for only if all are kept."""
    file, rows = command.file("_runs.jsonl"), []
    parts: list[tuple[str, Sequence[Job], Callable[[Job], Fields]]] = [
        ("plane", in_plane, plane.make),
        ("world", in_world, world.make),
    ]
    for part, jobs, make in parts:
        if part in command.chosen:
            rows += run_jobs(jobs, make, file, workers=command.workers)
        else:
            kept = kept_rows(jobs, file)
            rows += kept if len(kept) == len(jobs) else []
    return rows


if __name__ == "__main__":
    main()
