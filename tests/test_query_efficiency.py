"""The benchmark of query efficiency: its counts, its arithmetic, and that it goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.query_efficiency import jobs, mixed, tables
from benchmarks.query_efficiency.__main__ import main
from benchmarks.query_efficiency.figure import draw
from benchmarks.query_efficiency.methods import METHODS, OURS, PEERS, step_of
from benchmarks.query_efficiency.runs import Cell, Job, make, make_all, median
from benchmarks.query_efficiency.suite import HELD_OUT, NOISE, SINGLE, Oracle, Task

SMALL = Task("sphere", "none", 400)


def cell(method: str, queries, *, noise="none", protocol="tuned", problem="sphere", budget=1000) -> Cell:
    return Cell(method, Task(problem, noise, budget), protocol, 0.1, 1e-3, tuple(map(tuple, queries)), 1.0)


# --- the oracle ------------------------------------------------------------------------------------------------------


def test_the_oracle_counts_every_point_and_notes_goals_by_the_true_loss():
    oracle = Oracle(Task("sphere", "additive", 1000), seed=0)
    values = oracle.losses(np.repeat(oracle.start[None], 500, axis=0))
    assert oracle.num_queries == 500
    assert values.std() == pytest.approx(NOISE * oracle.gap, rel=0.15)
    assert values.mean() == pytest.approx(oracle.first, abs=5 * NOISE * oracle.gap / np.sqrt(500))
    assert not oracle.look(0.3 * oracle.start)  # 9 % of the gap
    assert oracle.reached == {0.1: 500}
    assert oracle.look(0.1 * oracle.start) or oracle.num_queries < 506  # looks again after 1 % more queries


def test_outliers_are_thirty_times_as_large_and_rare():
    oracle = Oracle(Task("sphere", "outliers", 10**6), seed=0)
    errors = (oracle.losses(np.repeat(oracle.start[None], 5000, axis=0)) - oracle.first) / (NOISE * oracle.gap)
    share = (np.abs(errors) > 5).mean()
    assert share == pytest.approx(0.02 * 0.87, abs=0.006)  # P(|30 z| > 5) is 0.87


@pytest.mark.parametrize("method", METHODS)
def test_every_method_improves_the_sphere_within_its_budget(method):
    oracle = Oracle(Task("sphere", "none", 2000), seed=0)
    points: list[np.ndarray] = []
    look = oracle.look

    def watch(x: np.ndarray) -> bool:
        points.append(x.copy())
        return look(x)

    oracle.look = watch  # type: ignore[method-assign]
    chosen = METHODS[method]
    chosen.run(oracle, step_of(chosen, chosen.steps[3], 1000.0), chosen.radius)
    assert 2000 <= oracle.num_queries < 2000 + 40
    final = float(oracle.problem.losses(points[-1])[0])
    assert final < 0.9 * oracle.first


# --- cells -----------------------------------------------------------------------------------------------------------


def test_a_cell_is_made_once_and_found_again(tmp_path: Path, capsys):
    file = tmp_path / "runs.jsonl"
    wanted = [Job("SPSA", SMALL, "tuned", 2), Job(OURS, SMALL, "untuned", 2)]
    first = make_all(wanted, 1, file)
    assert "[2/2]" in capsys.readouterr().out
    assert make_all(wanted, 1, file) == first
    assert capsys.readouterr().out == ""
    assert len(file.read_text().splitlines()) == 2
    assert [(c.method, c.protocol, len(c.queries)) for c in first] == [("SPSA", "tuned", 2), (OURS, "untuned", 2)]


def test_the_same_cell_is_the_same_whoever_makes_it():
    job = Job(OURS, SMALL, "same step", 2, multiple=1.0)
    assert make(job).queries == make(job).queries


def test_a_mixed_run_counts_the_queries_to_its_goal():
    found = mixed.queries("Fonseca-Fleming", OURS, seed=0, multiple=1.0, white=0.25)
    assert found is not None
    assert 20 < found < 600
    assert mixed.queries("Fonseca-Fleming", "SPSA", seed=0, multiple=1e-3, white=1e-3) is None


def test_beside_a_white_box_our_method_skips_queries_and_a_peer_does_not(monkeypatch):
    def count(name: str, seed: int) -> int:
        return mixed.queries("Fonseca-Fleming", name, seed, 1.0, 0.25) or mixed.BUDGET

    def counts() -> list[list[int]]:
        return [[count(name, seed) for seed in (0, 1)] for name in (OURS, "SPSA")]

    (ours, theirs), _ = counts(), monkeypatch.setattr(mixed, "SKIP_BELOW", {})
    ours_without, theirs_again = counts()
    assert theirs == theirs_again
    assert np.mean(ours) < 0.8 * np.mean(ours_without)


def test_held_out_problems_are_not_those_of_the_suite_and_are_run_by_the_same_protocol():
    wanted = jobs.held_out(5)
    assert not {job.task.problem for job in wanted} & set(SINGLE)
    assert {job.method for job in wanted if job.protocol == "tuned"} == set(jobs.HELD_OUT_METHODS)
    assert {(job.task.noise, job.task.budget, job.num_seeds) for job in wanted} == {
        (noise, jobs.BUDGETS[noise], 5) for noise in ("none", "additive")
    }


@pytest.mark.parametrize("problem", HELD_OUT)
def test_a_held_out_problem_starts_well_above_its_optimum(problem):
    oracle = Oracle(Task(problem, "none", 100), seed=0)
    assert oracle.start.size == 1000
    assert oracle.gap > 0
    assert not oracle.look(oracle.start)
    oracle.num_queries = 50
    oracle.look(oracle.problem.minimizer)
    assert oracle.reached == {0.1: 50, 0.03: 50}


def test_outliers_are_run_at_the_settings_tuned_without_them():
    (job,) = jobs.outliers([cell(OURS, [[1, 2]], noise="additive"), cell("SPSA", [[1, 2]], noise="additive")], 5)
    assert (job.method, job.task.noise, job.reuse, job.num_seeds) == (OURS, "outliers", (0.1, 1e-3), 5)


# --- tables ----------------------------------------------------------------------------------------------------------


def test_ratios_by_hand():
    """Medians 100 and 300 against 200 and not reached: 100 / 200, and 300 over the budget of 1000."""
    ours = {("sphere", "none"): cell(OURS, [[100, 300], [90, 200], [110, 400]])}
    theirs = {("sphere", "none"): cell("SPSA", [[200, None], [200, 900], [200, None]])}
    assert tables.ratios(ours, theirs) == {("sphere", "none", 0): 0.5, ("sphere", "none", 1): 0.3}
    assert tables.geomean([0.5, 2.0]) == 1.0
    assert tables.worst_problem(ours, theirs) == pytest.approx(np.sqrt(0.15))


def test_what_we_do_not_reach_counts_twice_the_budget_and_what_nobody_reaches_is_left_out():
    ours = {("sphere", "none"): cell(OURS, [[None, None]])}
    theirs = {("sphere", "none"): cell("SPSA", [[500, None]])}
    assert tables.ratios(ours, theirs) == {("sphere", "none", 0): 4.0}


def test_the_interval_holds_the_ratio_and_narrows_without_spread():
    spread = {("sphere", "none"): cell(OURS, [[100 + 10 * k, 200] for k in range(10)])}
    theirs = {("sphere", "none"): cell("SPSA", [[400, 400]] * 10)}
    ratio, low, high = tables.with_interval(spread, theirs)
    assert low < ratio < high
    still = {("sphere", "none"): cell(OURS, [[100, 200]] * 10)}
    assert list(tables.with_interval(still, theirs)) == pytest.approx([np.sqrt(8)] * 3)


def test_the_median_of_a_goal_that_half_of_the_seeds_miss_is_infinite():
    assert median(cell("SPSA", [[1, None], [3, None], [2, 5]]), 0) == 2
    assert median(cell("SPSA", [[1, None], [3, None], [2, 5]]), 1) == np.inf


def every_cell() -> list[Cell]:
    cells = [cell(OURS, [[100, 200]] * 3, noise=noise) for noise in ("none", "additive")]
    cells += [cell(peer, [[300, 600]] * 3, noise=noise) for noise in ("none", "additive") for peer in PEERS]
    cells += [cell(OURS, [[150, 240]] * 3, protocol="untuned"), cell(OURS, [[110, 220]] * 3, noise="outliers")]
    cells += [cell(name, [[50 if name == OURS else 200]] * 3, protocol="mixed") for name in mixed.MIXED_METHODS]
    return cells + [cell(name, [[400, 800]] * 3, protocol="same step") for name in ("SPSA", "critical history")]


def test_the_summary_by_hand():
    found = tables.summary(every_cell())
    assert found["geomean_fewer_than"] == dict.fromkeys(PEERS, 3.0)
    assert found["worst_ratio"] == 0.333
    assert found["mixed_fewer_than"] == {name: 4.0 for name in mixed.MIXED_METHODS if name != OURS}
    assert found["untuned_over_tuned_spsa"] == {"geomean": pytest.approx(0.447), "worst": 0.5}
    assert found["outliers_over_clean"] == 1.1


def test_report_table_and_picture_are_made_of_cells(tmp_path: Path):
    text = tables.report(every_cell())
    assert "100 (100-100)" in text
    assert "3.00 (3.00-3.00)" in text
    tables.write_csv(every_cell(), tmp_path / "table.csv")
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1 + 2 * len(every_cell()) - len(
        mixed.MIXED_METHODS
    )
    draw(every_cell(), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_the_command_ends_with_one_json_line(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.query_efficiency.__main__._run", lambda *_: every_cell())
    main(["--quick", "--results", str(tmp_path)])
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(row) == {
        "geomean_fewer_than",
        "worst_ratio",
        "mixed_fewer_than",
        "untuned_over_tuned_spsa",
        "outliers_over_clean",
    }
    assert {path.suffix for path in tmp_path.iterdir()} == {".txt", ".csv", ".png"}


def test_the_held_out_form_writes_its_own_table_and_the_same_keys(tmp_path: Path, monkeypatch, capsys):
    def cells_of(wanted, _workers, _file):
        return [Cell(job.method, job.task, job.protocol, 0.1, 1e-3, ((100, 200),) * 3, 1.0) for job in wanted]

    monkeypatch.setattr("benchmarks.query_efficiency.__main__.make_all", cells_of)
    main(["--held-out", "--results", str(tmp_path)])
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(row) == set(tables.summary(every_cell()))
    assert row["geomean_fewer_than"] == {method: 1.0 for method in jobs.HELD_OUT_METHODS if method != OURS}
    assert (row["mixed_fewer_than"], row["outliers_over_clean"]) == ({}, None)
    assert [path.name for path in tmp_path.iterdir()] == ["query_efficiency_held_out.txt"]
