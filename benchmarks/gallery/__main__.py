"""What anonymized clips look like, and what is said of them: the paper's figures 5 to 7, from the privacy world.

Raw pictures, the start, ours with the critical history and with prior-guided probes, side by side: actions with the
black box's answers (figure 5), other questions (figure 6), and private attributes with what a fine-tuned attacker
believes (figure 7). A fixed seed draws the examples from the test clips; shares over all test clips stand below. Each
training's network is kept beside the results. Runs that are done are kept, so the command can be stopped and called
again. The full form takes some 8 minutes of one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.ablations import read_command, run_jobs, write_csv, write_report
from benchmarks.gallery.figure import HEADINGS, draw
from benchmarks.gallery.runs import QUICK, Extent, jobs, make
from benchmarks.gallery.tables import report


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and judge what is not yet there, then write pictures, table and csv."""
    command = read_command("gallery", __doc__, arguments, seeds=3, quick_seeds=1)
    networks = command.file("_networks")
    work = jobs(QUICK if command.quick else Extent(), command.seeds)
    rows = run_jobs(work, partial(make, folder=networks), command.file("_runs.jsonl"), workers=command.workers)
    write_csv(rows, command.file(".csv"))
    for figure in HEADINGS:
        draw(rows, figure, command.file(f"_{figure}.png"), networks)
    print(write_report(command, report(rows, command)))


if __name__ == "__main__":
    main()
