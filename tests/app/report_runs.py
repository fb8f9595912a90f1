"""Folders that a report can be made of: a run that was really trained, in miniature, with a table; a comparison."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from privacy_mllm import session
from privacy_mllm.compare import Scale
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.world import ATTRIBUTES, QUESTIONS
from privacy_mllm.results import Results, Row
from privacy_mllm.runs import Run

TINY = TrainConfig(clips=8, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0)
FIGURES = {"raw": (93.0, 96.0), "no query": (10.0, 61.0), "trained": (45.0, 70.0), "<b>blur & co</b>": (40.0, 72.0)}
BLIND = 44.9


def make_row(name: str, action: float, attacker: float, **more: Any) -> Row:
    """A row of the table."""
    return Row(
        method=name,
        action=action,
        answers={question: action + number for number, question in enumerate(QUESTIONS)},
        frozen_cmap=attacker - 5,
        attacker_cmap=attacker,
        attacker=dict.fromkeys(ATTRIBUTES, attacker),
        **more,
    )


def make_run(runs: Path, name: str = "first", config: TrainConfig = TINY) -> Path:
    """A run of a few steps on the rendered world, with a table that was not measured."""
    run, stopped_by = session.train_run(config, runs, name, session.Watch())
    assert stopped_by is None
    run.write_results(Results(BLIND, tuple(make_row(method, *pair) for method, pair in FIGURES.items())))
    return run.path


def make_comparison(folder: Path) -> Path:
    """The output of a comparison of two methods on two seeds."""
    (folder / "rows").mkdir(parents=True)
    scale = {**asdict(Scale()), "seeds": None, "workers": None}
    (folder / "about.json").write_text(json.dumps({"config": asdict(TrainConfig()), "scale": scale}))
    (folder / "table.csv").write_text("method,calls\nours,15.0\nblack,0.0\n")
    for seed in range(2):
        for row in (
            make_row("black", 12.0 + seed, 65.0),
            make_row("ours", 40.0 + 10 * seed, 70.0 + seed, calls_per_sample=15.0),
        ):
            (folder / "rows" / f"{row.method}.{seed}.json").write_text(json.dumps(asdict(row)))
    return folder


def read_records(folder: Path) -> list[dict[str, Any]]:
    """The records of a run as plain data."""
    return [asdict(record) for record in Run(folder).read_metrics()]
