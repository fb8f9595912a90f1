"""How many queries each method needs to reach a goal, and whether zo.recommended needs fewer.

Every method's step is tuned on two seeds, with the same grid size, and run on others. Cells that are done are kept in a
file and found again, so the command can be stopped and called again; the cells of the full form come with the
repository, and ``--fresh`` runs them anew (the better part of an hour on two cores). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.query_efficiency import jobs
from benchmarks.query_efficiency.figure import draw
from benchmarks.query_efficiency.mixed import MIXED
from benchmarks.query_efficiency.runs import Cell, make_all
from benchmarks.query_efficiency.tables import held_out_report, report, summary, write_csv

RESULTS = Path(__file__).parents[1] / "results"
QUICK_MIXED = ("Fonseca-Fleming",)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not yet there, then write tables and figure."""
    options = _parser().parse_args(arguments)
    name = _name_of(options)
    num_seeds = options.seeds or {"query_efficiency": 10, "query_efficiency_quick": 3}.get(name, 5)
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / f"{name}_runs.jsonl"
    if options.fresh:
        file.unlink(missing_ok=True)
    if options.held_out:
        cells = make_all(jobs.held_out(num_seeds), options.workers, file)
        text = held_out_report(cells)
    else:
        cells = _run(options.quick, num_seeds, options.workers, file)
        text = report(cells)
        write_csv(cells, options.results / f"{name}.csv")
        draw(cells, options.results / f"{name}.png")
    (options.results / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    print(text)
    print(json.dumps(summary(cells)))


def _name_of(options: argparse.Namespace) -> str:
    form = "_held_out" if options.held_out else "_quick" if options.quick else ""
    return f"query_efficiency{form}"


def _run(quick: bool, num_seeds: int, workers: int, file: Path) -> list[Cell]:  # noqa: FBT001 - the command's flag
    problems = jobs.problems_of(quick)
    cells = make_all(jobs.tuned(problems, num_seeds) + jobs.untuned(problems, num_seeds), workers, file)
    cells += make_all(jobs.outliers(cells, num_seeds), workers, file)
    cells += make_all(jobs.mixed(QUICK_MIXED if quick else tuple(MIXED), num_seeds), workers, file)
    rest = jobs.minibatch(problems, num_seeds) + jobs.paper(problems[:1] if quick else problems, num_seeds)
    known = {(cell.method, cell.task, cell.protocol) for cell in cells}
    return cells + [
        cell for cell in make_all(rest, workers, file) if (cell.method, cell.task, cell.protocol) not in known
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--quick", action="store_true", help="three problems and three seeds, some minutes")
    form.add_argument(
        "--held-out", action="store_true", help="four problems that no method was chosen on, five seeds, 20 minutes"
    )
    parser.add_argument("--fresh", action="store_true", help="run every cell anew, kept ones too")
    parser.add_argument("--seeds", type=int, default=None, help="seeds of each run")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    return parser


if __name__ == "__main__":
    main()
