"""What the ablation benchmarks share keeps what is done, row by row, and makes it into tables."""

from __future__ import annotations

import csv
import math

import pytest

from benchmarks.ablations import Job, kept_rows, read_command, run_jobs, spread, table, write_csv, write_report

JOBS = [Job(method, "bowl", seed, (("lr", 0.5),)) for method in ("ours", "theirs") for seed in range(2)]


def make(job):
    return {"loss": float(job.seed) + float(job["lr"]), "reached": None}


def test_a_row_that_is_kept_is_not_made_again_and_other_parameters_are_another_job(tmp_path):
    file, made = tmp_path / "runs.jsonl", []

    def counting(job):
        made.append(job)
        return make(job)

    run_jobs(JOBS[:3], counting, file)
    rows = run_jobs(JOBS, counting, file)
    assert made == JOBS
    assert [row.job for row in rows] == JOBS
    assert [row.number("loss") for row in rows] == [0.5, 1.5, 0.5, 1.5]
    other = Job("ours", "bowl", 0, (("lr", 0.25),))
    assert run_jobs([other], counting, file)[0].found["loss"] == 0.25
    assert len(made) == 5


def test_a_run_that_was_killed_goes_on_after_the_last_whole_line(tmp_path):
    file = tmp_path / "runs.jsonl"
    run_jobs(JOBS, make, file)
    whole = file.read_text().splitlines(keepends=True)
    file.write_text("".join(whole[:2]) + whole[2][:30])
    assert [row.job for row in kept_rows(JOBS, file)] == JOBS[:2]
    assert [row.job for row in run_jobs(JOBS, make, file)] == JOBS
    assert [row.job for row in kept_rows(JOBS, file)] == JOBS


def test_processes_give_the_same_rows_in_the_same_order(tmp_path):
    rows = run_jobs(JOBS, make, tmp_path / "runs.jsonl", workers=2)
    assert [(row.job, row.found) for row in rows] == [(job, make(job)) for job in JOBS]


def test_jobs_that_are_alike_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`jobs` must differ"):
        run_jobs([JOBS[0], JOBS[0]], make, tmp_path / "runs.jsonl")


def test_a_spread_is_the_median_and_an_interval_that_covers_it():
    found = spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert found.median == 3.0
    assert 1.0 <= found.low < 3.0 < found.high <= 100.0
    assert spread([1.0, 2.0, math.inf]).text() == "2.0 (1.0 to ?)"
    assert spread([]).text() == "-"
    assert spread([2.0]).text() == "2.0"


def test_the_command_names_its_files_and_its_report_says_what_made_it(tmp_path):
    command = read_command("thing", "Text.", ["--quick", "--results", str(tmp_path)], seeds=10, quick_seeds=2)
    rows = run_jobs(JOBS, make, command.file("_runs.jsonl"))
    write_csv(rows, command.file(".csv"))
    text = write_report(command, [table(["method", "loss"], [["ours", "0.5"]])])
    with (tmp_path / "thing_quick.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["loss"] for line in lines] == ["0.5", "1.5", "0.5", "1.5"]
    assert (lines[0]["lr"], lines[0]["reached"]) == ("0.5", "")
    kept = (tmp_path / "thing_quick.md").read_text()
    assert text.startswith(kept)
    assert (tmp_path / "thing_quick.html").as_uri() in text.removeprefix(kept)
    assert text.startswith("`python -m benchmarks.thing --quick")
    assert "commit" in text
    assert "| method | loss |\n| --- | --- |\n| ours | 0.5 |" in text


def test_fresh_forgets_the_rows_that_were_kept(tmp_path):
    arguments = ["--results", str(tmp_path)]
    command = read_command("thing", "Text.", arguments, seeds=3, quick_seeds=1)
    assert (command.seeds, command.quick) == (3, False)
    run_jobs(JOBS, make, command.file("_runs.jsonl"))
    read_command("thing", "Text.", [*arguments, "--fresh"], seeds=3, quick_seeds=1)
    assert kept_rows(JOBS, command.file("_runs.jsonl")) == []


def test_a_count_of_seeds_below_one_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        read_command("thing", "Text.", ["--seeds", "0", "--results", str(tmp_path)], seeds=3, quick_seeds=1)
    assert "`--seeds` must be at least 1, got 0." in capsys.readouterr().err
