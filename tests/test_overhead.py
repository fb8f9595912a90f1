"""The benchmark of overhead: its ratios, its counts, what it says of peers that fail, and that its report is whole."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks.overhead import jobs, memory, timing, worker
from benchmarks.overhead.__main__ import main
from benchmarks.overhead.jobs import Job
from benchmarks.overhead.ours import OURS, fresh_theta
from benchmarks.overhead.peers import mezo_loop
from benchmarks.overhead.rows import Row, rows_of
from benchmarks.overhead.timing import Step, side_by_side

# --- time ------------------------------------------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_step_over_the_passes_around_it(monkeypatch):
    """Steps of 2, 8 and 3 s between passes of 1, 3, 1, ... s: ratios 2/2, 8/2 and 3/2, and the median is 1.5."""
    clock, steps, passes = [0.0], iter([2.0, 8.0, 3.0]), iter([1.0, 3.0] * 3)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def run() -> None:
        clock[0] += next(steps)

    found = side_by_side(lambda: next(passes), {"it": Step(run, warmup=0)}, seconds=0.0, most=3)
    assert (found["it"].seconds, found["it"].passes) == (2.0, 1.0)  # no time was given: one round
    clock, steps, passes = [0.0], iter([2.0, 8.0, 3.0]), iter([1.0, 3.0] * 3)
    found = side_by_side(lambda: next(passes), {"it": Step(run, warmup=0)}, seconds=100.0, most=3)
    assert (found["it"].seconds, found["it"].passes) == (3.0, 1.5)


def test_steps_that_one_call_takes_together_share_its_time(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def run() -> None:
        clock[0] += 6.0
        calls.append(clock[0])

    found = side_by_side(lambda: 1.0, {"it": Step(run, warmup=5, per_call=3)}, seconds=9.0, most=1)
    assert found["it"].seconds == 2.0
    assert len(calls) == 3  # two warm it up


def test_a_pass_leaves_theta_as_it_is_and_takes_time():
    theta = fresh_theta(1000)
    assert timing.pass_timer(theta)() > 0
    assert torch.equal(theta, fresh_theta(1000))


# --- methods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", OURS)
def test_a_warm_step_asks_the_queries_it_is_said_to(name, dtype):
    step = OURS[name](fresh_theta(1000, dtype))
    for _ in range(step.warmup):
        step.run()
    asked = [step.run() for _ in range(2)]
    assert asked == [step.queries, step.queries]


def test_the_history_is_full_when_it_is_timed():
    step = OURS["critical_history"](fresh_theta(1000), 3)
    for _ in range(step.warmup):
        step.run()
    assert step.slot_bytes is not None
    assert step.slot_bytes() == 8 * 16  # 16 words of 64 bits hold 1000 signs


def test_mezos_loop_comes_back_to_theta_and_moves_it_by_the_update_alone():
    theta = fresh_theta(1000, torch.float64)
    mezo_loop(theta).run()
    moved = (theta - fresh_theta(1000, torch.float64)).detach()
    assert 0 < moved.abs().max() < 1e-5


# --- peers and limits ------------------------------------------------------------------------------------------------


def test_every_peer_takes_steps_at_ten_parameters():
    job = Job("small", "small", methods=[(name, None) for name in jobs.SMALL], seconds=0.0)
    rows = rows_of(job, jobs.run_apart(job))
    assert {row.method for row in rows} == set(jobs.SMALL)
    assert all(row.microseconds is not None and row.microseconds > 1 for row in rows), rows
    assert {row.method: row.queries for row in rows}["pycma_separable"] == 10  # 4 + 3 ln 10, rounded down


def test_a_peer_that_cannot_allocate_is_a_row_and_no_crash():
    job = Job("passes", p=1_000_000, methods=[("qiskit_spsa", None)], seconds=0.0)
    (row,) = rows_of(job, jobs.run_apart(job))
    assert row.passes is None
    assert row.note is not None
    assert row.note.startswith("cannot allocate (Unable to allocate 7.28 TiB")


def test_a_peer_that_takes_too_long_is_given_up():
    job = Job("passes", p=1000, methods=[("nevergrad_spsa", None)], timeout=0.05)
    assert jobs.run_apart(job) == "took longer than 0 s"


def test_a_worker_that_fails_otherwise_stops_the_benchmark_with_its_words():
    with pytest.raises(RuntimeError, match="KeyError: 'nobody'"):
        jobs.run_apart(Job("passes", p=1000, methods=[("nobody", None)]))


@pytest.mark.parametrize("kind", ["timed", "small"])
def test_a_peer_that_is_not_installed_is_named(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "nevergrad", None)
    job = Job("small", kind, methods=[("nevergrad_spsa", None)], seconds=0.0)
    (row,) = rows_of(job, worker.do(job))
    assert (row.method, row.note) == ("nevergrad_spsa", "not installed: nevergrad")


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not memory.RESET.exists(), reason="the peak is read from /proc")
def test_the_peak_sees_what_was_freed_again():
    """In a fresh process, as the benchmark measures: one that has run for long has memory at hand."""
    script = """
import torch
from benchmarks.overhead import memory
before = memory.start_peak()
freed = torch.ones(25_000_000)  # 100 MB
del freed
print(memory.peak_bytes() - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=jobs.ROOT)
    assert 90e6 < int(done.stdout) < 130e6


def test_what_is_beyond_the_copy_of_theta_is_not_below_zero():
    row = Row("memory", "spsa", 10, 1, "float32", peak_mb=52.0, theta_mb=40.0)
    assert row.extra_mb == 12.0
    assert dataclasses.replace(row, peak_mb=30.0).extra_mb == 0.0
    assert dataclasses.replace(row, peak_mb=None).extra_mb is None


# --- the whole -------------------------------------------------------------------------------------------------------


def test_the_plan_holds_every_size_with_all_threads_and_the_huge_one_only_if_asked():
    planned = list(jobs.plan([10**4, 10**6, 10**7], [1, 2], seconds=2.0, huge=False))
    passes = {(job.p, job.threads) for job in planned if job.section == "passes"}
    assert passes == {(p, threads) for p in (10**4, 10**6, 10**7) for threads in (1, 2)}
    other = {(job.p, job.dtype) for job in planned if job.section == "dtypes"}
    assert other == {(p, dtype) for p in (10**6, 10**7) for dtype in ("float64", "float16", "bfloat16")}
    assert max(job.p for job in planned) == 10**7
    assert max(job.p for job in jobs.plan([1000], [1], seconds=0.1, huge=True)) == 10**8


def run_here(job: Job) -> jobs.Found:
    """The library's own steps in this process; peers as if none were installed."""
    if job.kind == "timed" and job.methods[0][0] in jobs.PEERS:
        return "not installed: peer"
    own = [method for method in job.methods if method[0] not in jobs.PEERS]
    return worker.do(dataclasses.replace(job, methods=own, seconds=0.05))


def test_the_command_leaves_tables_a_picture_and_one_line_of_json(tmp_path: Path, capsys):
    main(["--quick", "--sizes", "1000", "3000", "--threads", "1", "--results", str(tmp_path)], run=run_here)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(said["p"]) == {"1000", "3000"}
    at = said["p"]["3000"]
    for name in ("spsa_passes", "critical_history_passes", "recommended_passes", "mezo_loop_passes"):
        assert at[name] > 1
    assert at["history_bytes_per_slot"] == 8 * 47
    assert min(said["small_us"], said["small_critical_history_us"], said["import_s"]) > 0

    text = (tmp_path / "overhead_quick.md").read_text(encoding="utf-8")
    assert text.startswith("`python -m benchmarks.overhead --quick --sizes 1000 3000")
    assert "| torchzero SPSA | not installed: peer | not installed: peer |" in text
    for heading in ("Passes of a step", "Other types", "Memory", "Parts of a step", "Processor microseconds at p = 10"):
        assert f"### {heading}" in text
    with (tmp_path / "overhead_quick.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    slots = [row for row in rows if row["section"] == "history"]
    assert [row["count"] for row in slots] == ["1", "3", "10", "30"]
    assert all(float(row["passes"]) > 0 for row in slots)
    assert (tmp_path / "overhead_quick.png").stat().st_size > 10_000
