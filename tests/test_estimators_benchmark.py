"""The benchmark of estimators: every method runs within its calls, and levels count at no more leakage."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from benchmarks.ablations import Row
from benchmarks.estimators import __main__ as command
from benchmarks.estimators import methods, tables, world
from privacy_mllm.config import TrainConfig
from tests.test_history_benchmark import SMALL


def row(method="SPSA", factor=1.0, setting=world.RUN, **found):
    return Row(world.job(method, setting, 0, SMALL, ("factor", factor)), found)


def test_a_level_counts_from_the_first_mark_at_no_more_leakage():
    run = row(**{"utility@0": 10.0, "utility@1": 30.0, "utility@2": 20.0, "attacker_cmap": 60.0})
    assert tables.calls_to(run, 30.0, 60.0) == 2.0
    assert tables.calls_to(run, 10.0, 60.0) == 0.0
    assert tables.calls_to(run, 31.0, 60.0) == math.inf
    assert tables.calls_to(run, 10.0, 59.9) == math.inf


def test_the_chosen_step_has_the_most_right_answers_at_the_end():
    tuning = [row(factor=f, setting=world.TUNING, **{"utility@2": u}) for f, u in ((0.3, 1.0), (1.0, 3.0), (3.0, 2.0))]
    assert tables.chosen_factors(tuning) == {"SPSA": 1.0}


def test_the_guide_learns_for_as_long_as_the_settings_say_in_the_full_form_and_less_in_the_quick_one():
    full, quick = (world.guide_steps(extent.clips) for extent in (world.Extent(), world.QUICK))
    assert full == TrainConfig().guide_steps
    assert 0 < quick < full / 5
    job = world.job(methods.GUIDED, world.TUNING, 0, world.QUICK, ("factor", 1.0))
    assert world.training_of(job, None, lr=0.1, name=methods.GUIDED).config.guide_steps == quick


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_spends_no_more_than_its_calls_and_moves(method):
    torch.set_num_threads(1)
    size = replace(SMALL, calls=14.0) if method in methods.SEARCHES else SMALL
    found = methods.make(world.job(method, world.TUNING, 0, size, ("factor", 1.0)))
    queries = found["queries"]
    assert isinstance(queries, int)
    assert 0 < queries <= size.calls * size.pool
    assert found["loss@2"] != found["loss@0"]
    assert "attacker_cmap" not in found


def test_both_protocols_share_the_runs_of_the_shared_step(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    made = []

    def make(job):
        made.append(job)
        marks = {f"{name}@{mark}": 25.0 * job["factor"] for name in ("utility", "loss") for mark in range(3)}
        return {**marks, "utility": 40.0, "attacker_cmap": 60.0}

    monkeypatch.setattr(command, "make", make)
    for _ in range(2):
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path)])
    assert len(made) == len(set(made)) == 4 * len(methods.METHODS)  # two trials, the shared step, the tuned one
    text = (tmp_path / "estimators_quick.md").read_text()
    assert "| SPSA | 1 | 40.0 | 60.0 | 0 | inf | inf | 35.7 | 57.5 | 136 |" in text
    assert "| SPSA | 3 | 40.0 | 60.0 | 0 | 0 | 0 | 35.7 | 57.5 | 136 |" in text
