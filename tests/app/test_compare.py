"""The comparison of all methods: every row there, kept as it comes, and made once."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from privacy_mllm.cli import main
from privacy_mllm.compare import Comparison, Scale
from privacy_mllm.comparing import QUICK, QUICK_CONFIG
from privacy_mllm.data.world import render_clips
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.summaries import Spread
from privacy_mllm.train import Training
from privacy_mllm.utility import utility_loss

METHODS = {"raw", "downsample 4x", "strong blur (box)", "surrogate VITA", "surrogate SPAct", "surrogate BDQ"} | {
    "surrogate MPPAR",
    "surrogate STPrivacy",
    "black (oracle silhouette)",
    "start",
    "no query",
    "ours",
    "ours, SPSA",
    "bound: gradient known",
}


@pytest.mark.slow
def test_a_comparison_has_every_method_and_goes_on_where_it_was(tmp_path: Path) -> None:
    arguments = ["compare", "--quick", "--seeds", "1", "-o", str(tmp_path)]
    assert main(arguments) == 0
    first = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert {row["method"] for row in first} >= METHODS
    assert {row["calls"] for row in first if row["method"].startswith("ours")} == {"4.00"}
    assert all(float(row[f"{figure}_mean"]) >= 0 for row in first for figure in ("bits", "person"))
    assert {row["weighted_mean"] for row in first} == {""}
    assert all(float(row["calls"]) == 0 for row in first if not row["method"].startswith("ours"))
    assert '<th scope="row">ours</th>' in (tmp_path / "report.html").read_text(encoding="utf-8")
    with Image.open(tmp_path / "comparison.png") as picture:
        assert min(picture.size) > 500
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "rows").iterdir()}
    lost = tmp_path / "rows" / "no-query.0.json"
    lost.unlink()
    assert main(arguments) == 0
    changed = {file.name for file in (tmp_path / "rows").iterdir() if file.stat().st_mtime_ns != kept[file]}
    assert changed == {lost.name}
    assert list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines())) == first


def test_rows_of_other_settings_do_not_stand_beside_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "about.json").write_text(json.dumps({"config": {}, "scale": {}}))
    assert main(["compare", "--quick", "-o", str(tmp_path)]) == 2
    assert "holds rows of other settings" in capsys.readouterr().err


def test_rows_that_an_earlier_version_kept_are_shown_without_what_they_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison = Comparison(QUICK_CONFIG, replace(QUICK, seeds=1), tmp_path)
    about = json.loads((tmp_path / "about.json").read_text())
    for later in ("attackers", "scratch_steps"):
        del about["scale"][later]
    del about["config"]["hold_out"]
    (tmp_path / "about.json").write_text(json.dumps(about))
    row = {
        "action": 50.0,
        "answers": {"a": 60.0},
        "frozen_cmap": 70.0,
        "attacker_cmap": 80.0,
        "attacker": {"face": 80.0},
    }
    for name in comparison.contestants.makers:
        comparison._file(name, 0).write_text(json.dumps({"method": name, **row}))
    assert main(["compare", "--quick", "--seeds", "1", "-o", str(tmp_path), "--severity", "face=2"]) == 0
    shown = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert {(line["attacker_mean"], line["bits_mean"], line["worst"]) for line in shown} == {("80.00", "", "")}
    assert "bits" not in capsys.readouterr().out
    assert main(["compare", "--quick", "--seeds", "1", "-o", str(tmp_path), "--attackers", "1"]) == 2
    assert "holds rows of other settings" in capsys.readouterr().err


def test_the_full_comparison_has_three_seeds_and_the_settings_of_training() -> None:
    assert Scale() == Scale(seeds=3, clips=1500, test_clips=500, attacker_steps=200, workers=2, surrogate_steps=None)


def test_the_spread_over_seeds_by_hand() -> None:
    assert Spread.of([1.0, 2.0, 6.0]) == Spread(3.0, 1.0, 6.0)
    assert str(Spread.of([1.0, 2.0, 6.0])) == "3.0 ±2"
    assert str(Spread.of([4.0])) == "4.0"
    assert Spread.of([92.6, 92.6, 92.6]) == Spread(92.6, 92.6, 92.6)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_a_mean_never_rounds_beyond_its_range(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread.low <= spread.mean <= spread.high


def test_the_known_loss_is_the_loss_that_the_answers_give() -> None:
    clips, oracle = render_clips("test", 12), EmbeddedOracle()
    questions = [list(answers)[number % 4] for number, answers in enumerate(clips.answers)]
    targets = [answers[question] for answers, question in zip(clips.answers, questions, strict=True)]
    pictures = (clips.frames.float() / 255).requires_grad_()
    known = oracle.known_loss(pictures, questions, targets)
    known.backward()
    asked = utility_loss(oracle.ask(clips.frames, questions), targets, "logprob").mean()
    torch.testing.assert_close(known.detach(), asked, rtol=1e-4, atol=1e-5)
    assert pictures.grad is not None
    assert float(pictures.grad.abs().sum()) > 0


def test_the_bound_asks_nothing_and_lowers_the_loss_of_utility() -> None:
    oracle, clips = EmbeddedOracle(), render_clips("train", QUICK_CONFIG.clips)
    training = Training(QUICK_CONFIG, clips, oracle, known=oracle.known_loss)
    records = list(training.steps())
    assert oracle.num_calls == training.num_calls == 0
    assert all(record.utility > 0 for record in records)
    assert len(training.objectives) == 2
