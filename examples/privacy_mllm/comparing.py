"""The command ``privacy-mllm compare``: the table and its picture."""

from __future__ import annotations

import csv
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from privacy_mllm import display, figures
from privacy_mllm.compare import OURS, Comparison, Scale, Summary, summarize
from privacy_mllm.config import TrainConfig

QUICK = Scale(seeds=1, clips=48, test_clips=24, attacker_steps=5, surrogate_steps=3)
QUICK_CONFIG = TrainConfig(clips=48, pool=16, batch=8, calls_per_sample=4.0)


def run(options: Namespace) -> int:
    """Make the rows that are missing, then print the table and write it and its picture.

    Args:
        options: ``seeds``, ``output``, ``quick``, ``workers`` of the command line.

    Returns:
        Exit code 0.
    """
    started = time.monotonic()
    config = (
        replace(TrainConfig(), clips=48, pool=16, batch=8, calls_per_sample=4.0) if options.quick else TrainConfig()
    )
    scale = replace(QUICK if options.quick else Scale(), seeds=options.seeds, workers=options.workers)
    comparison = Comparison(config, scale, options.output)
    with display.counting_files() as progress:
        rows = comparison.rows(lambda name, done, total: progress(done, total, name))
    summaries = summarize(rows)
    _show(summaries, scale)
    _write(options.output / "table.csv", summaries)
    figures.draw_comparison(options.output / "comparison.png", summaries, ours=OURS)
    display.say(f"wrote {options.output / 'table.csv'} and {options.output / 'comparison.png'}")
    display.say(f"took {(time.monotonic() - started) / 60:.0f} min")
    return 0


def _show(summaries: list[Summary], scale: Scale) -> None:
    display.say(f"mean over {scale.seeds} seeds ± half of their range, {scale.test_clips} test clips; in %")
    table = Table()
    table.add_column("method", no_wrap=True)
    for heading in ("action", "all", "frozen", "attacker", "calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summaries:
        figures_of_row = (row.action, row.answers, row.frozen, row.attacker)
        style = "bold" if row.method == OURS else None
        table.add_row(row.method, *map(str, figures_of_row), f"{row.calls:.1f}", style=style)
    display.show(table)


def _write(file: Path, summaries: list[Summary]) -> None:
    names = ("action", "answers", "frozen", "attacker")
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["method", *(f"{name}_{part}" for name in names for part in ("mean", "low", "high")), "calls"])
        for row in summaries:
            spreads = [getattr(row, name) for name in names]
            numbers = [f"{value:.2f}" for spread in spreads for value in (spread.mean, spread.low, spread.high)]
            writer.writerow([row.method, *numbers, f"{row.calls:.2f}"])
