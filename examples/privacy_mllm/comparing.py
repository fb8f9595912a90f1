"""The command ``privacy-mllm compare``: the table and its picture."""

from __future__ import annotations

import csv
import math
import sys
import time
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import zoopt_mo as zo
from privacy_mllm import display, figures, reporting, tables
from privacy_mllm.compare import OURS, Comparison, Scale
from privacy_mllm.config import TrainConfig
from privacy_mllm.methods import OpenCVDetector
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.results import Row
from privacy_mllm.severities import check_severities, read_severities
from privacy_mllm.summaries import Summary, summarize

QUICK = Scale(seeds=1, clips=48, test_clips=24, attacker_steps=5, surrogate_steps=3)
MINIATURE: dict[str, Any] = {"clips": 48, "pool": 16, "batch": 8, "calls_per_sample": 4.0, "guide_steps": 20}
QUICK_CONFIG = TrainConfig(**MINIATURE)


def run(config: TrainConfig, oracle: OracleConfig, options: Namespace) -> int:
    """Make the rows that are missing, then print the table and write it and its picture.

    Args:
        config: Settings of our method, and the clips.
        oracle: Settings of the black box.
        options: ``output``, ``quick``, ``detector``, ``severity`` and what :func:`_scale` reads of the command line.

    Returns:
        Exit code: 0, or 1 if the black box did not answer.
    """
    started = time.monotonic()
    if options.quick:
        config = replace(config, **{name: value for name, value in MINIATURE.items() if name not in options.typed})
    scale = _scale(config, options)
    severities = None if options.severity is None else read_severities(options.severity)
    detector = OpenCVDetector() if options.detector == "opencv" else None
    comparison = Comparison(config, scale, options.output, oracle, detector=detector, say=display.say)
    check_severities(severities or {}, comparison.experiment.private_test.attribute_names)
    for sentence in comparison.contestants.left_out:
        display.say(sentence)
    try:
        with display.counting_files() as progress:
            kept = comparison.rows(lambda name, done, total: progress(done, total, name))
    except zo.TooManyFailures as error:
        print(f"stopped by {error}", file=sys.stderr)
        print("what was answered so far is kept: call the same command again to go on", file=sys.stderr)
        return 1
    rows = {name: [row.weigh(severities) for row in of_seeds] for name, of_seeds in kept.items()}
    summaries = summarize(rows)
    _show(summaries, scale)
    _show_leakage(summaries, [row for of_seeds in rows.values() for row in of_seeds])
    _write(options.output / "table.csv", summaries)
    figures.draw_comparison(options.output / "comparison.png", summaries, ours=OURS)
    display.say(f"wrote {options.output / 'table.csv'} and {options.output / 'comparison.png'}")
    reporting.add_report(options.output)
    display.say(f"took {(time.monotonic() - started) / 60:.0f} min")
    return 0


def _scale(config: TrainConfig, options: Namespace) -> Scale:
    """How large the comparison is: as typed, else that of a miniature or the whole."""
    usual = QUICK if options.quick else Scale()
    typed = {entry.name: getattr(options, entry.name) for entry in fields(Scale) if entry.name in options.typed}
    return replace(usual, **{"seeds": options.seeds, **typed, "clips": config.clips})


def _show(summaries: list[Summary], scale: Scale) -> None:
    display.say(f"mean over {scale.seeds} seeds ± half of their range, {scale.test_clips} test clips; in %")
    cells = (
        [row.method, *map(str, (row.action, row.answers, row.frozen, row.attacker)), f"{row.calls:.1f}"]
        for row in summaries
    )
    display.show(tables.table(tables.ANSWERS, cells, bold=OURS))


def _show_leakage(summaries: list[Summary], rows: list[Row]) -> None:
    columns = tables.leakage_columns(rows)
    cells = (
        [
            row.method,
            tables.worst_of(row.worst, row.worst_above.mean),
            *(str(getattr(row, name)) for name in columns),
        ]
        for row in summaries
    )
    display.say("what the attacker reads")
    display.show(tables.table(("worst attribute", *columns), cells, bold=OURS))
    for line in tables.notes_on_leakage(rows):
        display.say(line)


def _write(file: Path, summaries: list[Summary]) -> None:
    names = ("action", "answers", "frozen", "attacker", "worst_above", "bits", "person", "weighted")
    parts = ("mean", "low", "high")
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["method", *(f"{name}_{part}" for name in names for part in parts), "worst", "calls"])
        for row in summaries:
            spreads = [getattr(row, name) for name in names]
            values = (getattr(spread, part) for spread in spreads for part in parts)
            numbers = ["" if math.isnan(value) else f"{value:.2f}" for value in values]
            writer.writerow([row.method, *numbers, row.worst, f"{row.calls:.2f}"])
