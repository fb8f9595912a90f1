"""The benchmark of the critical history: each variant changes one thing, and the command keeps what it made."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import zoopt_mo as zo
from benchmarks.estimators import world
from benchmarks.history import __main__ as command
from benchmarks.history import runs

SMALL = replace(world.QUICK, clips=48, pool=16, calls=4.0, watched=6, test_clips=12, attacker_steps=1, marks=2)


def test_every_variant_differs_from_the_full_one_in_one_option():
    usual = runs.options_of(runs.FULL)
    names = [runs.constant(name, value) for name, values in runs.GRID.items() for value in values]
    for method in [*runs.ABLATIONS, *names]:
        runs.estimator_of(method, 0)  # takes all values
        options = runs.options_of(method)
        changed = [name for name in options if options[name] != usual.get(name)]
        assert len(changed) == (0 if method in (runs.FULL, runs.WITHOUT_HISTORY) else 1), method
    assert isinstance(runs.estimator_of(runs.WITHOUT_HISTORY, 0), zo.SPSA)


def test_a_run_spends_its_calls_and_is_read_at_every_mark():
    torch.set_num_threads(1)
    found = runs.make(world.job(runs.FULL, world.RUN, 0, SMALL))
    assert found["queries"] == 64
    assert {"utility@0", "utility@1", "utility@2", "attacker_cmap"} <= set(found)
    assert found["loss@0"] != found["loss@1"] != found["loss@2"]


def test_the_report_stands_beside_the_papers_and_nothing_is_made_twice(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    made = []

    def make(job):
        made.append(job)
        marks = {f"{name}@{mark}": 1.0 for name in ("utility", "loss") for mark in range(2)}
        return {**marks, "utility": 40.0, "attacker_cmap": 60.0}

    monkeypatch.setattr(command, "make", make)
    for _ in range(2):
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path)])
    assert len(made) == len(set(made)) == len(runs.ABLATIONS) + sum(map(len, runs.GRID.values()))
    text = (tmp_path / "history_quick.md").read_text()
    assert "| w/o step size adjustment | 40.0 | 60.0 | 43.9 | 56.9 |" in text
    assert (tmp_path / "history_quick.png").stat().st_size > 1000
