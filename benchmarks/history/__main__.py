"""What each part of the critical history is worth: the paper's table 7, and its constants m, d, gamma and b.

Every variant trains the anonymizer with one and the same step, as in the paper. Utility is read on validation clips
along the way; at the end right answers and a fine-tuned attacker are read on test clips. The constants are changed one
at a time, on three seeds at most. Runs that are done are kept, so the command can be stopped and called again. The
full form takes some 25 minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ablations import Row, read_command, run_jobs, spread, table, write_csv, write_report
from benchmarks.estimators.figure import draw
from benchmarks.history.runs import ABLATIONS, FULL, FULL_EXTENT, GRID, QUICK, constant, jobs, make

SENSITIVITY_SEEDS = 3
"""Of each value of a constant."""
PRINTED = {
    "w/o history gradient": (35.7, 57.5),
    "w/o critical gradient collection": (44.2, 56.7),
    "w/o gradient direction improvement": (43.4, 57.2),
    "w/o step size adjustment": (43.9, 56.9),
    FULL: (48.4, 54.6),
}
"""Table 7 of the paper, UCF101-VISPR with Video-LLaVA: action (top-1) and privacy (cMAP)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not yet there, then write table, csv and figure."""
    command = read_command("history", __doc__, arguments, seeds=5, quick_seeds=1)
    extent = QUICK if command.quick else FULL_EXTENT
    work = jobs(extent, command.seeds, sensitivity_seeds=min(SENSITIVITY_SEEDS, command.seeds))
    rows = run_jobs(work, make, command.file("_runs.jsonl"), workers=command.workers)
    write_csv(rows, command.file(".csv"))
    draw([row for row in rows if row.job.method in ABLATIONS], command.file(".png"))
    print(write_report(command, tables(rows)))


def tables(rows: Sequence[Row]) -> list[str]:
    """The ablations beside the paper's figures, and the constants."""
    heads = ["variant", "utility", "attacker cMAP", "paper: action", "paper: cMAP"]
    lines = [[name, *_measured(rows, name), *(f"{value}" for value in PRINTED[name])] for name in ABLATIONS]
    constants = [constant(name, value) for name, values in GRID.items() for value in values]
    changed = [[name, *_measured(rows, name)] for name in constants]
    return [
        "Right answers and the fine-tuned attacker's cMAP on test clips, both in percent, at one step for all:",
        table(heads, lines),
        "One constant changed, the rest as they are:",
        table(["constant", "utility", "attacker cMAP"], changed),
    ]


def _measured(rows: Sequence[Row], name: str) -> list[str]:
    mine = [row for row in rows if row.job.method == name]
    return [spread([row.number(field) for row in mine]).text() for field in ("utility", "attacker_cmap")]


if __name__ == "__main__":
    main()
