"""The benchmark of durability in short: kills, faults, speed and executors, with real processes on loopback."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import zoopt_mo as zo
from benchmarks.durability import faults, kills, run
from benchmarks.durability.executors import ledger_milliseconds, run_everywhere
from benchmarks.durability.serving import Running
from benchmarks.durability.throughput import measure_throughput
from zoopt_mo.ledger import Entry, Place

pytestmark = pytest.mark.slow  # child processes, real servers; some forty seconds in all


def test_a_run_killed_at_random_moments_ends_as_if_nobody_had_killed_it(tmp_path: Path):
    found = kills.kill_runs(tmp_path, kills=4, steps=8, seed=3)
    assert found.kills == 4
    assert found.bit_identical
    assert found.lost == 0
    assert max(found.asked_again) <= run.CONCURRENCY
    assert sum(found.phases.values()) == 4
    assert found.queries == 8 * 2 * run.BATCH


def test_a_lost_answer_and_one_asked_twice_are_found_out(tmp_path: Path):
    log = [
        {"sha256": name, "time": when} for name, when in (("a", 1.0), ("b", 2.0), ("a", 5.0), ("c", 6.0), ("a", 9.0))
    ]
    with zo.Ledger(tmp_path / "ledger.sqlite", run="run") as ledger:
        for item, name in enumerate(("a", "b", "d")):
            place = Place("answers", 0, 0, item)
            ledger.record(Entry(place, name, reply={"sha256": name, "loss": 1.0}, value=1.0))

    class Told(Running):
        def log(self):
            return log

    found = kills.Killings()
    kills._count(found, tmp_path, Told("", tmp_path), [4.0, 8.0], {"a", "b", "c"})
    assert found.lost == 2  # "c" is not in the ledger, "d" was never asked
    assert found.asked_again == [1, 1]
    assert found.most_asked == 3


def test_the_bill_is_the_services_own_while_requests_fail_in_every_way(tmp_path: Path):
    bills = faults.run_with_faults(tmp_path / "faults", steps=4, seed=0)
    assert bills.are_equal, bills.lines()
    assert bills.attempts[0] > bills.queries == 4 * 2 * 8
    assert 0 < bills.failed < bills.queries
    assert len(bills.faults) == 8


@pytest.mark.parametrize("name", ["attempts", "tokens", "cost", "cut"])
def test_a_bill_that_differs_by_one_is_found_out(name: str):
    pairs: dict = {"attempts": (9, 9), "tokens": (90, 90), "cost": (1.0, 1.0), "cut": (1, 1)}
    rest: dict = {"steps": 1, "queries": 8, "failed": 1, "cut_tokens": 5, "faults": Counter(hang=1), "seconds": 1.0}
    assert faults.Bills(**pairs, **rest).are_equal
    pairs[name] = (pairs[name][0], pairs[name][1] + 1)
    assert not faults.Bills(**pairs, **rest).are_equal


def test_serial_threads_and_processes_end_alike(tmp_path: Path):
    ends = run_everywhere(tmp_path / "run", ["serial", "threads", "processes"], steps=3)
    assert len(ends) == 3
    assert len(set(ends.values())) == 1


def test_most_of_a_services_speed_gets_through(tmp_path: Path):
    ratios = measure_throughput(tmp_path / "throughput", queries=128)
    assert ratios.keys() == {"threads", "openai package on threads", "asyncio"}
    assert all(1.0 <= ratio < 2.0 for ratio in ratios.values()), ratios  # others may keep the processors busy


def test_the_ledger_takes_less_than_a_millisecond_a_query(tmp_path: Path):
    assert 0 < ledger_milliseconds(tmp_path / "ledgers", queries=800, repeats=3) < 1.0
