"""The benchmark of trajectories: its measures are those of a hand calculation, and the command keeps what it made."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import zoopt_mo as zo
from benchmarks.ablations import Row
from benchmarks.trajectories import __main__ as command
from benchmarks.trajectories import plane, tables, world
from benchmarks.trajectories.measures import MARKS, Walk, measures
from privacy_mllm.records import StepRecord

VALLEY = "straight valley"
SMALL = replace(world.QUICK, clips=48, pool=32, calls=4.0)


def record(step, utility, privacy):
    return StepRecord(step, 32 * (step + 1), utility, privacy, 0.0, 0, 0.0, None, 1.0, 1.0, 1.0)


def test_the_measures_are_those_of_a_hand_calculation():
    """Three to the right, four up, four down again: 11 over 3. The loss falls, rises, falls."""
    walk = Walk(
        spent=np.array([0.0, 10.0, 20.0, 40.0]),
        points=np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [3.0, 0.0]]),
        losses=np.array([4.0, 2.0, 3.0, 1.0]),
        distances=np.array([10.0, 5.0, 2.0, 1.0]),
    )
    found = measures(walk, 40.0)
    assert found["path_ratio"] == round(11 / 3, 3)
    assert found["uphill"] == round(100 / 3, 2)
    assert found["arrived"] == 20.0
    assert found["distance@0"] == 10.0
    assert found[f"distance@{MARKS // 2 - 1}"] == 5.0  # at 18 queries
    assert found[f"distance@{MARKS // 2}"] == 2.0
    assert found["late_distance"] == round((100 * 2.0 + 1.0) / 101, 4)


def test_a_run_that_stays_where_it_is_has_no_ratio_and_never_arrives():
    still = Walk(np.array([0.0, 2.0]), np.ones((2, 2)), np.ones(2), np.ones(2))
    found = measures(still, 2.0)
    assert found["path_ratio"] is None
    assert found["arrived"] is None
    assert found["uphill"] == 0.0


@pytest.mark.parametrize("landscape", list(plane.LANDSCAPES))
def test_all_begin_at_the_top_left_of_a_target_that_both_can_see(landscape):
    land = plane.LANDSCAPES[landscape]
    assert land.start[0] < land.problem.minimizer[0]
    assert land.start[1] > land.problem.minimizer[1]
    assert land.loss(land.start) > land.loss(land.problem.minimizer) == 0.0
    for place in (land.start, land.problem.minimizer):
        assert all(low < value < high for value, (low, high) in zip(place, land.limits, strict=True))


@pytest.mark.parametrize("method", list(plane.METHODS))
def test_every_method_spends_no_more_than_its_queries_and_comes_nearer(method):
    walk = plane.walk(plane.job(method, VALLEY, 0, 1.0))
    assert 0 < walk.spent[-1] <= plane.LANDSCAPES[VALLEY].queries
    assert walk.distances.min() < 0.8 * walk.distances[0]


@pytest.mark.parametrize("error", [ValueError("the losses overflow"), zo.TooManyFailures("the probes' do")])
def test_a_step_that_overflows_is_the_worst_of_all(error, monkeypatch):
    def overflow(job):
        raise error

    monkeypatch.setattr(plane, "walk", overflow)
    assert plane.make(plane.job(plane.SPSA, "curved valley", 0, 1e6))["late_distance"] is None
    rows = [
        Row(plane.job(plane.SPSA, "curved valley", 0, factor), {"late_distance": late})
        for factor, late in ((1.0, 3.0), (2.0, 2.0), (4.0, None))
    ]
    assert tables.chosen_factors(rows) == {("curved valley", plane.SPSA): 2.0}


def test_no_run_has_a_seed_of_the_tuning():
    tuning = {job.seed for job in (*plane.tuning_jobs(plane.Extent()), *world.tuning_jobs(world.Extent()))}
    chosen = {(VALLEY, plane.SPSA): 4.0, (world.WORLD, plane.SPSA): 1.0}
    runs = [*plane.jobs(chosen, 10), *world.jobs(chosen, 5, world.Extent())]
    assert len(runs) == len(set(runs)) == 10 * 2 + 5
    assert not tuning & {job.seed for job in runs}


def test_in_the_world_a_point_is_the_weighted_mean_over_a_window():
    records = [record(0, 1.0, 0.1), record(1, 3.0, 0.3), record(2, 5.0, 0.1)]
    walk = world.to_walk(records, 2)
    assert walk.spent.tolist() == [64.0, 96.0]
    assert walk.points == pytest.approx(np.array([[2.0, 0.2], [4.0, 0.2]]) * world.WEIGHTS)
    usual = world.USUAL
    first = usual.utility_weight * (2.0 - usual.utility_ideal + usual.margin)
    rest = usual.augmentation * (usual.utility_weight * 2.0 + (1 - usual.utility_weight) * 0.2)
    assert walk.losses[0] == walk.distances[0] == pytest.approx(first + rest)


def test_a_training_is_measured_and_moves():
    torch.set_num_threads(1)
    jobs = [world.job(name, 0, 1.0, SMALL) for name in world.METHODS]
    rows = [Row(job, world.make(job)) for job in jobs]
    for row in rows:
        assert 0 < row.number("late_distance") < 2
        assert row.number("path_ratio") >= 1
        assert f"utility@{MARKS}" in row.found
    assert rows[0].number(f"privacy@{MARKS}") != rows[1].number(f"privacy@{MARKS}")


def test_both_protocols_stand_in_the_report_and_nothing_is_made_twice(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    made = []

    def make(job):
        made.append(job)
        later = 2.0 if job.method == plane.SPSA else 1.5
        marks = {f"{name}@{mark}": 1.0 for name in ("distance", "utility", "privacy") for mark in range(MARKS + 1)}
        return {"arrived": None, "late_distance": later / job["factor"], "path_ratio": 3.0, "uphill": 25.0, **marks}

    for part in (plane, world):
        monkeypatch.setattr(part, "make", make)
    for _ in range(2):
        command.main(["--quick", "--workers", "1", "--results", str(tmp_path)])
    tuned = 2 * len(plane.LANDSCAPES) * len(plane.METHODS) + 2 * len(world.METHODS)
    runs = 2 * 2 * len(plane.LANDSCAPES) * len(plane.METHODS) + 2 * len(world.METHODS)  # two seeds, and one
    assert len(made) == len(set(made)) == tuned + runs
    text = (tmp_path / "trajectories_quick.md").read_text()
    assert "| SPSA | 0.1 | inf | 2.000 (2.000 to 2.000) | 3.00 (3.00 to 3.00) | 25.0 (25.0 to 25.0) |" in text
    assert "| SPSA | 0.4 | inf | 0.500 (0.500 to 0.500) | 3.00 (3.00 to 3.00) | 25.0 (25.0 to 25.0) |" in text
    assert "| critical history less SPSA |  | - | -0.500 (-0.500 to -0.500) | 0.00 (0.00 to 0.00)" in text
    assert "### Privacy world. Step tuned for each method" in text
    assert (tmp_path / "trajectories_quick.png").stat().st_size > 1000


def test_a_part_that_was_not_asked_for_and_is_not_kept_is_left_out(tmp_path, monkeypatch, capsys):
    fields = {"arrived": 4.0, "late_distance": 1.0, "path_ratio": 3.0, "uphill": math.nan}
    fields |= {f"distance@{mark}": 1.0 for mark in range(MARKS + 1)}
    monkeypatch.setattr(plane, "make", lambda _job: fields)
    monkeypatch.setattr(world, "make", None)  # not to be called
    arguments = ["--quick", "--seeds", "1", "--workers", "1", "--only", "plane", "--results", str(tmp_path)]
    command.main(arguments)
    report = capsys.readouterr().out
    assert "### Curved valley. Same step for all" in report
    assert "Privacy world" not in report
