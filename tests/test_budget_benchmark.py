"""The benchmark of budgets compares seed by seed and tunes on other seeds than it tests on."""

from __future__ import annotations

import csv
import json
import math

import pytest

import zoopt_mo as zo
from benchmarks.budget import __main__ as command
from benchmarks.budget import compare, reuse, samples, stopping

NAMES = ("stopping", "default", "bowl", "queries")


def test_a_ratio_is_the_geometric_mean_over_seeds_with_students_interval():
    """Ratios 1/2, 1/2 and 4 have the mean 1; logarithms of deviation 1.2009, t of 2 degrees 4.3027."""
    row = compare.row_of(NAMES, [1.0, 2.0, 12.0], [2.0, 4.0, 3.0])
    half = 4.3027 * math.log(2) * math.sqrt(3) / math.sqrt(3)
    assert row.ratio == 1.0
    assert row.low == pytest.approx(math.exp(-half), abs=1e-3)
    assert row.high == pytest.approx(math.exp(half), rel=1e-3)
    assert row.verdict == "no difference shown"


@pytest.mark.parametrize(("ours", "verdict"), [([1.0, 1.1, 0.9], "better"), ([4.0, 4.1, 3.9], "worse")])
def test_a_verdict_needs_an_interval_on_one_side(ours, verdict):
    assert compare.row_of(NAMES, ours, [2.0, 2.0, 2.0]).verdict == verdict


def test_the_step_is_tuned_on_seeds_that_are_not_tested():
    asked: list[tuple[float, int]] = []

    def run(lr: float, seed: int) -> float:
        asked.append((lr, seed))
        return math.nan if lr > 2 else 1 + abs(lr - 1.0) + seed  # a step of 3 diverges

    assert compare.tuned(run, [0.5, 1.0, 3.0], range(3)) == [1.0, 2.0, 3.0]
    assert {seed for lr, seed in asked if lr != 1.0} == set(compare.TUNING_SEEDS)
    assert not set(compare.TUNING_SEEDS) & set(range(100))


def test_a_stopped_run_takes_fewer_queries_and_the_same_seeds_give_the_same():
    whole = stopping._run("bowl, soon settled", 0, None)
    stopped = stopping._run("bowl, soon settled", 0, zo.StableTrajectory())
    assert stopped[0] < 0.5 * whole[0] == 0.5 * (stopping.BUDGET + 1)
    assert stopped[1] == whole[1]
    assert stopped == stopping._run("bowl, soon settled", 0, zo.StableTrajectory())


def test_samples_and_reuse_end_within_their_budgets():
    assert 0 < samples._run("few hard samples", 0.3, False, 0.04, 0) < samples.BUDGET
    assert samples._run("all alike", 1.0, False, 1e-9, 0) == samples.BUDGET
    start = float(reuse.PROBLEMS["bowl"][0].losses(reuse.PROBLEMS["bowl"][0].start(0))[0])
    assert reuse._run("bowl", 400, reuse.VARIANTS["blend 0.6 to 0.3"], 0.4, 0) < 0.1 * start


def test_the_command_writes_its_table_and_ends_with_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "PARTS", (_rows,))
    command.main(["--quick", "--results", str(tmp_path)])
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert json.loads(last) == {"better": 1, "worse": 0}
    with (tmp_path / "budget_quick.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["problem"], row["ratio"], row["verdict"]) == ("bowl", "0.5", "better")
    assert "0.50 to 0.50  better" in (tmp_path / "budget_quick.txt").read_text()


def _rows(seeds: range) -> list[compare.Row]:
    return [compare.row_of(NAMES, [1.0] * len(seeds), [2.0] * len(seeds))]
