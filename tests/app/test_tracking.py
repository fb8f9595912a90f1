"""Curves for TensorBoard: the numbers of every step, once each, whatever stopped the run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from privacy_mllm.cli import main
from privacy_mllm.records import StepRecord
from privacy_mllm.session import Watch
from privacy_mllm.tracking import tracked

TINY = ["--clips", "8", "--pool", "8", "--batch", "4", "--privacy-batch", "4", "--calls-per-sample", "3"]
RECORD = StepRecord(0, 8, 1.5, 0.5, 0.7, 0, 0.0, None, 1.0, 1.0, 0.1)


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves as TensorBoard reads them."""
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_a_training_writes_the_numbers_of_its_records(tmp_path: Path) -> None:
    arguments = ["train", "--runs", str(tmp_path), *TINY, "--no-evaluation", "--tracking", "tensorboard"]
    assert main(arguments) == 0
    lines = (tmp_path / "train" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    found = curves(tmp_path / "train")
    assert len(records) == 3
    assert set(found) == set(asdict(RECORD)) - {"step"}
    for name in ("utility", "privacy", "calls"):
        assert [step for step, _ in found[name]] == [0, 1, 2]
        assert [value for _, value in found[name]] == pytest.approx([record[name] for record in records])
    assert [step for step, _ in found["cosine"]] == [1, 2]  # the first step has no past to be like


def test_steps_that_are_taken_anew_replace_the_old_ones(tmp_path: Path) -> None:
    with tracked(Watch(), "tensorboard") as watch:
        watch.begin(tmp_path)
        for step in range(4):
            watch.step(replace(RECORD, step=step, utility=1.0), 6)
    with tracked(Watch(), "tensorboard") as watch:
        watch.begin(tmp_path)
        for step in (2, 3):
            watch.step(replace(RECORD, step=step, utility=2.0), 6)
    assert curves(tmp_path)["utility"] == [(0, 1.0), (1, 1.0), (2, 2.0), (3, 2.0)]


def test_who_watched_before_is_still_told(tmp_path: Path) -> None:
    told: list[object] = []
    watching = Watch(begin=told.append, step=lambda record, steps: told.append((record, steps)))
    with tracked(watching, "tensorboard") as watch:
        watch.begin(tmp_path)
        watch.step(RECORD, 5)
    assert told == [tmp_path, (RECORD, 5)]


def test_without_tracking_nothing_is_written_or_changed(tmp_path: Path) -> None:
    watching = Watch()
    with tracked(watching, "none") as watch:
        watch.begin(tmp_path)
        watch.step(RECORD, 5)
        assert watch is watching
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracking_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"^`tracking` must be none or tensorboard, got 'w'\.$"),
        tracked(Watch(), "w"),
    ):
        pass


def test_a_missing_package_is_named_with_its_extra_before_anything_is_made(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorboard'] = None; from privacy_mllm.cli import main; "
        f"sys.exit(main(['train', '--runs', {str(tmp_path)!r}, '--tracking', 'tensorboard']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "zoopt-mo[tracking]"' in done.stderr
    assert list(tmp_path.iterdir()) == []
