"""The benchmark of devices: what it counts, and that it runs wherever torch does."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
import torch

import zoopt_mo as zo
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import library
from benchmarks.gpu.flagship import FORMATS, Judge, Way, World, random_clips, ways
from benchmarks.gpu.timing import measure, peak_bandwidth
from privacy_mllm.models.factory import build_anonymizer

CPU = torch.device("cpu")
TINY = World(width=4, reviewer="small", side=32, frames=2, batch=2)


def test_two_queries_must_move_forty_bytes_a_parameter():
    """By hand: 2 probes and a restore read and write 4 bytes (24), gradient 4, update 12."""
    assert library.bytes_to_move(10, 2) == 400
    assert library.bytes_to_move(10, 16) - library.bytes_to_move(10, 2) == 10 * 14 * 8


def test_a_library_row_counts_the_queries_of_its_own_step():
    rows = {row["name"]: row for row in library.library_rows(1000, CPU, seconds=0.02)}
    assert set(rows) == {"pass", "spsa", "critical_history", "recommended"}
    assert (rows["spsa"]["queries"], rows["critical_history"]["queries"]) == (2, 2)
    for name in ("spsa", "critical_history", "recommended"):
        row = rows[name]
        assert row["bytes_to_move"] == library.bytes_to_move(1000, row["queries"])
        assert row["bytes_a_second"] == pytest.approx(row["bytes_to_move"] * row["steps_a_second"])
        assert row["passes"] == pytest.approx(row["seconds"] / rows["pass"]["seconds"])
        assert row["share_of_peak"] is None  # a processor does not tell its memory's best speed


def test_an_estimator_that_does_not_fit_is_a_row_that_says_so(monkeypatch):
    def too_large() -> zo.Estimator:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 4 GiB.")

    monkeypatch.setattr(library, "ESTIMATORS", {"spsa": (too_large, 1), "more": library.ESTIMATORS["spsa"]})
    rows = list(library.library_rows(100, CPU, seconds=0.01))
    assert [row["name"] for row in rows] == ["pass", "spsa", "more"]
    assert rows[1]["failed"] == "CUDA out of memory"
    assert rows[2]["steps_a_second"] > 0


def test_a_slow_run_is_timed_once_and_warms_up_no_longer_than_it_may():
    calls: list[float] = []

    def run() -> None:
        calls.append(0.05)
        time.sleep(0.05)

    timing = measure(run, CPU, seconds=0.01, warmup=10)
    assert timing.runs == 1
    assert len(calls) == 2
    assert timing.seconds >= 0.05
    assert timing.peak_bytes is None


def test_the_judge_answers_as_the_clips_are_bright():
    judge, clips = Judge(), random_clips(TINY)
    dark, bright = torch.zeros_like(clips.frames[:1]), torch.full_like(clips.frames[:1], 255)
    (first,), (second,) = judge.ask(dark, ["what"]), judge.ask(bright, ["what"])
    assert first.logprobs is not None
    assert second.logprobs is not None
    assert first.logprobs["light"] < second.logprobs["light"]
    assert judge.num_calls == 2


def test_the_order_of_numbers_inside_a_u_net_changes_its_picture_by_rounding_alone():
    network = build_anonymizer("unet-8")
    pictures = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    plain = network(pictures)
    vars(network)["memory_format"] = FORMATS["channels last"]
    torch.testing.assert_close(network(pictures), plain, rtol=1e-4, atol=1e-5)


def test_all_ways_are_both_precisions_in_both_layouts():
    assert len(set(ways(CPU))) == 4
    assert Way(CPU, "bfloat16", "channels last") in set(ways(CPU))


def test_the_benchmark_keeps_its_rows_and_ends_with_one_json_line(tmp_path: Path, monkeypatch, capsys):
    file = tmp_path / "gpu.csv"
    words = ["--quick", "--seconds", "0.02", "--device", "cpu", "--size", "1000", "--width", "4", "--reviewer", "small"]
    words += ["--side", "32", "--frames", "2", "--batch", "2", "--commit", "abc", "--results", str(file)]
    monkeypatch.setattr("sys.argv", ["gpu", *words])
    command.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found["p1000"]) == {"pass", "spsa", "critical_history", "recommended"}
    assert set(found["training_steps_a_second"]) == set(found["anonymize_pictures_a_second"])
    assert len(found["training_steps_a_second"]) == 4
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 4 + 8
    assert {row["commit"] for row in rows} == {"abc"}
    assert all(row["device"] and row["command"].endswith("gpu.csv") for row in rows)
    assert float(rows[4]["steps_a_second"]) == pytest.approx(
        found["training_steps_a_second"]["cpu float32, as it is"], rel=1e-3
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_tells_its_memory_s_best_speed_and_a_pass_stays_below_it():
    device = torch.device("cuda")
    best = peak_bandwidth(device)
    assert best is not None
    row = next(library.library_rows(50_000_000, device, seconds=0.2))
    assert 0.3 * best < row["bytes_a_second"] < best
