"""The benchmarks of the flagship: their tables are whole, and a stopwatch counts every second once."""

from __future__ import annotations

import csv
import json
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import flagship
from benchmarks.demo_profile import Stopwatch


@pytest.mark.slow
def test_the_table_has_every_rate_and_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av")
    monkeypatch.setattr(flagship, "SIDE", 64)
    monkeypatch.setattr(flagship, "CLIPS", 8)
    monkeypatch.setattr(
        sys, "argv", ["flagship", "--frames", "4", "--workers", "2", "--results", str(tmp_path / "out.csv")]
    )
    flagship.main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert all(float(row["wall_ms"]) > 0 and float(row["processor_ms"]) > 0 for row in rows)
    assert last["anonymize_fps"] == float(rows[0]["per_second"])
    assert last["anonymize_fps_idle"] == pytest.approx(2e3 / float(rows[0]["processor_ms"]), abs=0.1)


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_stopwatch_counts_what_is_called_inside_once_and_in_every_thread() -> None:
    def outer() -> None:
        spin(0.02)
        place.inner()

    place = SimpleNamespace(inner=lambda: spin(0.05), outer=outer)
    stopwatch = Stopwatch()
    stopwatch.watch(place, "inner", "inside")
    stopwatch.watch(place, "outer", "outside")
    threads = [threading.Thread(target=place.outer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stopwatch.seconds["inside"] == pytest.approx(0.10, abs=0.02)
    assert stopwatch.seconds["outside"] == pytest.approx(0.04, abs=0.02)


def test_a_stopwatch_counts_what_fails() -> None:
    def fail() -> None:
        spin(0.02)
        raise LookupError("failed")

    place = SimpleNamespace(fail=fail)
    stopwatch = Stopwatch()
    stopwatch.watch(place, "fail", "failing")
    with pytest.raises(LookupError, match="failed"):
        place.fail()
    assert stopwatch.seconds["failing"] >= 0.02
