"""The benchmark of scalarizers: every one has its rows, hypervolumes are right, and what is kept is not made again."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.ablations import Job, Row
from benchmarks.scalarizers import __main__ as command
from benchmarks.scalarizers import analytic, tables, world
from benchmarks.scalarizers.families import FAMILIES, IN_THE_WORLD, share_led

CONCAVE = "Fonseca-Fleming (concave)"
FRONTS = analytic.Extent(
    problems=("convex pair", CONCAVE), shares=(0.5,), steps=(0.1,), budget=41, tuning_seeds=(1000,)
)
SMALL_WORLD = replace(
    world.QUICK, clips=48, pool=16, test_clips=12, attacker_steps=1, weights=(0.05,), ideals=(0.3, 1.3)
)


def of_front(family="Tchebycheff", seed=0, share=0.5, lr=0.1, problem="convex pair", **found):
    return Row(Job(family, problem, seed, (("share", share), ("lr", lr), ("budget", 41))), found)


def test_the_hypervolume_is_that_of_a_hand_calculation():
    """Under sqrt f1 + sqrt f2 = 1 lies an area of 1/6; from (1.1, 1.1) the point (1/4, 1/4) dominates 0.85^2."""
    share = analytic.share_of_volume("convex pair", np.array([[0.25, 0.25]]))
    assert share == pytest.approx(0.85**2 / (1.1**2 - 1 / 6), rel=1e-3)
    assert analytic.share_of_volume("convex pair", np.array([[np.nan, 0.0]])) == 0.0
    assert analytic.volumes([of_front(loss_1=None, loss_2=None)]) == {0: 0.0}


def test_the_area_of_the_world_counts_right_answers_and_what_attackers_miss():
    """50 % right at 50 % leakage: a quarter; 75 % right at 80 % leakage adds 0.25 by 0.2."""
    key = Job("weighted sum", world.WORLD, 0, (("weight", 0.1), ("ideal", 0.3)))
    points = [Row(key, {"utility": u, "attacker_cmap": a}) for u, a in ((50.0, 50.0), (75.0, 80.0), (40.0, 60.0))]
    assert world.volumes(points) == {0: pytest.approx(30.0)}


def test_what_leads_is_the_largest_weighted_distance():
    losses = [(1.0, 1.0), (1.0, 4.0), (1.0, 5.0), (3.0, 0.0)]
    assert share_led(losses, [0.75, 0.25], [0.0, 0.0], 0.0) == 0.5  # 3 : 1, 3 : 4, 3 : 5, 9 : 0
    assert share_led(losses, [0.75, 0.25], [0.0, 2.0], 0.0) == 1.0
    assert share_led(losses, [0.75, 0.25], [0.0, 0.0], 0.0, objective=1) == 0.5


def test_the_step_is_that_of_the_largest_hypervolume_on_seeds_that_no_run_has():
    rows = [of_front(lr=lr, loss_1=loss, loss_2=loss) for lr, loss in ((0.1, 0.4), (0.3, 0.3), (1.0, None))]
    assert analytic.chosen_steps(rows) == {("Tchebycheff", "convex pair"): 0.3}
    tuning = analytic.tuning_jobs(analytic.Extent())
    per_family = {family: sum(job.method == family for job in tuning) for family in FAMILIES}
    assert len(set(per_family.values())) == 1
    assert min(job.seed for job in tuning) >= 1000


def test_weights_are_active_where_each_objective_leads_a_fifth_of_the_steps():
    rows = [
        of_front(seed=seed, share=share, led_by_1=led)
        for share, leds in ((0.2, (0.9, 0.95)), (0.5, (0.4, 0.6)), (0.8, (0.0, 0.1)))
        for seed, led in enumerate(leds)
    ]
    assert tables.active_shares(rows, "convex pair") == [0.5]


def test_the_ideal_of_each_weight_is_the_one_that_balances_best():
    scan = [
        Row(job, {"led_by_1": led})
        for job, led in zip(
            world.scan_jobs(replace(SMALL_WORLD, weights=(0.1, 0.2))), (0.9, 0.6, 0.45, 0.1), strict=True
        )
    ]
    assert world.chosen_settings(scan) == [(0.1, 1.3), (0.2, 0.3)]


def test_on_a_concave_front_the_weighted_sum_runs_to_an_end_and_the_others_stay_between():
    ends = {}
    for family in FAMILIES:
        job = Job(family, CONCAVE, 0, (("share", 0.5), ("lr", 0.1), ("budget", 801)))
        row = Row(job, analytic.make(job))
        assert row.number("queries") == 801
        ends[family] = abs(row.number("loss_1") - row.number("loss_2"))
    assert ends["weighted sum"] > 0.8
    assert max(distance for family, distance in ends.items() if family != "weighted sum") < 0.3


@pytest.mark.slow
def test_every_scalarizer_has_its_rows_and_a_second_call_makes_nothing_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(analytic, "QUICK", FRONTS)
    monkeypatch.setattr(world, "QUICK", SMALL_WORLD)
    arguments = ["--quick", "--seeds", "1", "--workers", "1", "--results", str(tmp_path)]
    command.main(arguments)
    first = capsys.readouterr().out
    for name in ("make", "training_of"):
        monkeypatch.setattr(world, name, None)  # not to be called
    monkeypatch.setattr(analytic, "make", None)
    command.main(arguments)
    assert capsys.readouterr().out.split("commit")[1] == first.split("commit")[1]
    with (tmp_path / "scalarizers_quick.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    for setting, families in (*((problem, FAMILIES) for problem in FRONTS.problems), (world.WORLD, IN_THE_WORLD)):
        assert [line["method"] for line in lines if line["setting"] == setting] == list(families)
    judged = [line for line in lines if line["setting"] == world.WORLD]
    assert all(0 <= float(line["utility"]) <= 100 and 0 < float(line["attacker_cmap"]) <= 100 for line in judged)
    assert {line["queries"] for line in judged} == {"32"}  # two calls for each of sixteen clips
    report = (tmp_path / "scalarizers_quick.md").read_text()
    assert all(report.count(f"| {family} |") >= 3 for family in FAMILIES)
    assert "| augmented Tchebycheff |" in report
    assert "| 48.4 | 54.6 |" in report  # the paper's
    assert (tmp_path / "scalarizers_quick.png").stat().st_size > 1000


def test_a_part_that_was_not_asked_for_and_is_not_kept_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(analytic, "QUICK", FRONTS)
    monkeypatch.setattr(world, "make", None)  # not to be called
    command.main(["--quick", "--seeds", "1", "--workers", "1", "--only", "fronts", "--results", str(tmp_path)])
    report = capsys.readouterr().out
    assert "### Analytic fronts" in report
    assert "### Privacy world" not in report
