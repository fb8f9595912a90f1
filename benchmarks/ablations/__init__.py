"""What the ablation benchmarks share: a list of jobs that can be stopped and called again, and what is made of it.

A benchmark ``benchmarks/NAME`` says which jobs there are and makes one; the rest is here::

    def make(job: Job) -> Fields:  # at the top level of a module, for it runs in another process
        return {"hypervolume": ...}  # numbers, texts or None

    def main(arguments: Sequence[str] | None = None) -> None:
        command = read_command("NAME", __doc__, arguments, seeds=10, quick_seeds=2)
        jobs = [Job(method, setting, seed) for ... in ... for seed in range(command.seeds)]
        rows = run_jobs(jobs, make, command.file("_runs.jsonl"), workers=command.workers)
        write_csv(rows, command.file(".csv"))
        draw(rows, command.file(".png"))
        write_report(command, [table(heads, lines), ...])

A job that hangs on what another found (a tuned step) has it in ``parameters``: they are part of its key.
``kept_rows`` gives what was made of some jobs without making the rest. Files are
``results/NAME.csv``, ``.png`` and ``.md``, and two that are not kept in the repository: the page ``NAME.html``, and
``results/NAME_quick.*``. What the page shows is drawn before ``write_report``.
"""

from benchmarks.ablations.command import RESULTS, Command, read_command
from benchmarks.ablations.jobs import Fields, Job, Row, kept_rows, run_jobs
from benchmarks.ablations.output import Spread, spread, table, write_csv, write_report
from benchmarks.ablations.parts import run_part

__all__ = [
    "RESULTS",
    "Command",
    "Fields",
    "Job",
    "Row",
    "Spread",
    "kept_rows",
    "read_command",
    "run_jobs",
    "run_part",
    "spread",
    "table",
    "write_csv",
    "write_report",
]
