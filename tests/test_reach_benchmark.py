"""The benchmark of the reach: fronts are read at the same leakage, and the command keeps what it made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ablations import Job, Row
from benchmarks.reach import __main__ as command
from benchmarks.reach import fronts, runs, tables
from privacy_mllm.config import settings_of
from privacy_mllm.models.motion import Motion

SMALL = replace(
    runs.quick(runs.EXTENTS[runs.UNET]), clips=48, pool=16, calls=2.0, test_clips=12, tuning_clips=12, attacker_steps=1
)


def test_a_front_is_read_between_its_points_in_proportion():
    points = [(70.0, 20.0), (80.0, 60.0), (78.0, 30.0), (90.0, 50.0), (75.0, 40.0)]
    # (78, 30) and (90, 50) are dominated.
    assert fronts.utility_at(points, 75.0) == 40.0
    assert fronts.utility_at(points, 77.5) == pytest.approx(50.0)
    assert fronts.utility_at(points, 72.5) == pytest.approx(30.0)
    assert fronts.utility_at(points, 95.0) == 60.0
    assert np.isnan(fronts.utility_at(points, 69.0))
    # Strips of 5, 5 and 20 percent, as high as the front.
    assert fronts.area(points) == pytest.approx(0.05 * 20 + 0.05 * 40 + 0.2 * 60)


@given(st.lists(st.tuples(st.floats(50, 100), st.floats(0, 100)), min_size=1, max_size=8), st.floats(50, 100))
def test_more_leakage_never_gives_fewer_right_answers_and_a_point_never_hurts(points, level):
    now, later = fronts.utility_at(points, level), fronts.utility_at(points, level + 1)
    assert np.isnan(now) or later >= now - 1e-9
    assert fronts.area([*points, (60.0, 50.0)]) >= fronts.area(points) - 1e-9


def test_a_share_of_the_bounds_gain_is_taken_seed_by_seed():
    bound = {0: [(70.0, 20.0), (80.0, 70.0)], 1: [(70.0, 20.0), (80.0, 40.0)]}
    method = {0: [(70.0, 20.0), (80.0, 45.0)], 1: [(70.0, 20.0), (80.0, 40.0)]}
    found = tables.share_of_bound(method, bound, 80.0, 20.0)
    assert (found.median, found.low, found.high) == (75.0, 50.0, 100.0)
    assert np.isnan(tables.share_of_bound(method, {0: [(70.0, 10.0)], 1: [(70.0, 10.0)]}, 80.0, 20.0).median)


def test_tuning_takes_the_step_with_the_most_right_answers_less_leakage_over_its_seeds():
    worth = {(1.0, 0): (40, 60), (3.0, 0): (90, 80), (1.0, 1): (40, 60), (3.0, 1): (10, 80)}
    rows = [
        Row(Job("SPSA", runs.TUNING, seed, (("factor", factor),)), {"utility": right, "attacker_cmap": leak})
        for (factor, seed), (right, leak) in worth.items()
    ]
    assert runs.chosen_factors(rows) == {"SPSA": 1.0}
    assert runs.chosen_factors(rows[:2]) == {"SPSA": 3.0}


def test_a_run_spends_its_calls_and_a_guide_is_trained_once_a_seed(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(runs, "_guides", {})
    chosen = dict.fromkeys(runs.ESTIMATORS, 1.0)
    jobs = [job for job in runs.jobs(SMALL, chosen, 2) if job.method == runs.TAUGHT]
    assert len(jobs) == 2 * len(SMALL.weights)
    found = runs.make(jobs[0])
    assert found["calls"] == 2.0
    assert {"utility", "attacker_cmap", "frozen_cmap"} < set(found)
    (kept,) = runs._guides.values()
    prepared = kept["network"]
    first = {name: value.clone() for name, value in prepared.items()}
    assert runs.make(jobs[0]) == found  # with the guide that was kept
    assert all(torch.equal(first[name], value) for name, value in prepared.items())


def test_no_query_and_the_bound_ask_nothing_and_a_heuristic_is_judged_as_it_is():
    jobs = {job.method: job for job in runs.jobs(SMALL, dict.fromkeys(runs.ESTIMATORS, 1.0), 1)}
    assert set(jobs) == {*runs.ESTIMATORS, runs.NO_QUERY, runs.START}
    for method in (runs.NO_QUERY, runs.BOUND):
        assert runs.make(jobs[method])["calls"] == 0.0
    beside = runs.heuristic_jobs(SMALL)
    assert [job.method for job in beside] == list(runs.HEURISTICS)
    raw, start = (Row(job, runs.make(job)).number("utility") for job in (beside[0], jobs[runs.START]))
    assert raw > start


def test_each_kind_of_anonymizer_has_its_settings_and_they_share_what_needs_no_training():
    motion = replace(runs.quick(runs.EXTENTS[runs.MOTION]), clips=48, pool=16, calls=2.0, test_clips=12)
    assert runs.heuristic_jobs(motion) == runs.heuristic_jobs(replace(motion, anonymizer="small"))
    jobs = runs.jobs(motion, dict.fromkeys(motion.methods, 3.0), 2)
    assert not {*jobs} & {*runs.jobs(replace(motion, anonymizer="small"), dict.fromkeys(motion.methods, 3.0), 2)}
    (job,) = (job for job in jobs if job.method == runs.SPSA and job.seed == 1 and job["weight"] == motion.weights[0])
    training = runs.training_of(job, runs._with_anonymizer("motion-6", 48, 16, 2.0, 12, "test"))
    assert isinstance(training.anonymizer, Motion)
    settings = settings_of("motion") | {"reviewer_refreshes": motion.refreshes, "utility_weight": motion.weights[0]}
    settings |= {name: 3 * unit for name, unit in runs.UNITS["motion-6"].items()}
    assert {name: getattr(training.config, name) for name in settings} == settings
    assert training.config.utility_weight == motion.weights[0]


def test_the_command_tunes_then_compares_and_makes_nothing_twice(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    made = []

    def make(job):
        made.append(job)
        weight = float(dict(job.parameters).get("weight", 0.1))
        gain = {runs.BOUND: 100.0, runs.TAUGHT: 90.0, runs.SPSA: 80.0}.get(job.method, 50.0)
        right = 20.0 if job.method == runs.START else 20.0 + gain * weight
        leak = 65.0 if job.method == runs.START else 70.0 + 50 * weight
        return {"utility": right, "attacker_cmap": leak, "frozen_cmap": 45.0, "calls": 3.0}

    monkeypatch.setattr(command, "make", make)
    for _ in range(2):
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path)])
    extents = [runs.quick(extent) for extent in runs.EXTENTS.values()]
    tuned = [len(extent.methods) * len(extent.factors) for extent in extents]
    compared = [len(extent.fronts) * len(extent.weights) + len(extent.controls) + 1 + 1 for extent in extents]
    assert len(made) == len(set(made)) == sum(tuned) + sum(compared) + len(runs.HEURISTICS)
    text = (tmp_path / "reach_quick.md").read_text()
    assert f"| {runs.TAUGHT} | - | - | 90 | 90 |" in text
    assert f"| {runs.SPSA} | - | - | 80 | 80 |" in text
    assert f"| {runs.BOUND} | 0.4 | 60.0 | 90.0 |" in text
    assert (tmp_path / "reach_quick.png").stat().st_size > 1000


def test_one_kind_alone_stands_by_itself_and_the_other_is_taken_from_what_is_kept(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(command, "make", lambda _: {"utility": 30.0, "attacker_cmap": 70.0, "frozen_cmap": 45.0})
    for part, others in ((runs.MOTION, False), (runs.UNET, True)):
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path), "--only", part])
        text = (tmp_path / "reach_quick.md").read_text()
        assert "### motion" in text
        assert ("### U-Net" in text) == others
