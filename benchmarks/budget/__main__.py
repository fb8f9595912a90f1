"""Whether the strategies for a small budget save queries, with intervals over seeds.

    python -m benchmarks.budget [--quick] [--seeds N] [--results FOLDER]

Stopping is compared with the whole budget at the same step size; the other two with fixed settings and even draws,
each way with its step size tuned on seeds of its own. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from benchmarks.budget import reuse, samples, stopping
from benchmarks.budget.compare import Row, report, write_csv

RESULTS = Path(__file__).parents[1] / "results"
PARTS = (reuse.rows, stopping.rows, samples.rows)  # the longest first


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all comparisons, print the table and keep it."""
    options = _parser().parse_args(arguments)
    seeds = range(options.seeds or (6 if options.quick else 20))
    with ProcessPoolExecutor(
        min(len(PARTS), os.cpu_count() or 1), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        parts = [pool.submit(part, seeds) for part in PARTS]
        found: list[Row] = [row for part in parts for row in part.result()]
    text = report(found)
    name = "budget_quick" if options.quick else "budget"
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    write_csv(found, options.results / f"{name}.csv")
    print(text)
    print(json.dumps({verdict: sum(row.verdict == verdict for row in found) for verdict in ("better", "worse")}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="six seeds in the place of twenty")
    parser.add_argument("--seeds", type=int, default=None, help="seeds of each run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    return parser


if __name__ == "__main__":
    main()
