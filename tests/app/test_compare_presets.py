"""The comparison on the paper's experiments: all methods that make sense there, and a word on those that do not."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.cli import main
from privacy_mllm.compare import Comparison, Scale
from privacy_mllm.config import TrainConfig
from privacy_mllm.contestants import _adapted
from privacy_mllm.experiment import Experiment
from privacy_mllm.figures import draw_comparison
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import surrogates
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.oracles.shared import Shared
from privacy_mllm.presets import load_preset
from privacy_mllm.results import Row
from privacy_mllm.summaries import summarize
from tests.app import data_fixtures as disk
from tests.app.tiny_vlm import save_tiny_vlm

TINY = ["--anonymizer", "unet-4", "--reviewer", "small", "--start-steps", "2", "--pool", "1", "--batch", "1"]
SHORT = [
    "--privacy-batch",
    "2",
    "--calls-per-sample",
    "2",
    "--attacker-steps",
    "1",
    "--test-clips",
    "4",
    "--guide-steps",
    "2",
]
SMALL = [*TINY, *SHORT, "--surrogate-steps", "1", "--seeds", "1"]
SURROGATES = [f"surrogate {name}" for name in ("VITA", "SPAct", "BDQ", "MPPAR", "STPrivacy")]
PLAIN = ["raw", "downsample 2x", "downsample 4x", "frame difference", "SelectivePrivacy (detail)"]
DETECTED = ["weak blur (detected)", "strong blur (detected)", "black (detected)"]
OURS = ["start", "no query", "ours, SPSA", "ours"]
MOVES = ["ours, what moves", "ours, what moves, guided"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk.make_all(tmp_path_factory.mktemp("data sets"))


@pytest.mark.slow
def test_all_methods_are_compared_on_the_published_files(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cv2")
    model, output = save_tiny_vlm(tmp_path / "model"), tmp_path / "out"
    where = ["--preset", "hmdb51-vispr", "--data", str(root), "--oracle", f"hf:{model}", "--frames", "1"]
    arguments = ["compare", *where, *SMALL, "--detector", "opencv", "-o", str(output)]
    assert main(arguments) == 0, capfd.readouterr().err
    told = capfd.readouterr().out
    assert "left out: bound: gradient known; this black box gives no gradient" in told
    assert "black (oracle silhouette), SelectivePrivacy (people); the clips do not say where people are" in told
    table = list(csv.DictReader((output / "table.csv").read_text().splitlines()))
    assert [row["method"] for row in table] == [*PLAIN, *DETECTED, *SURROGATES, *OURS, *MOVES]
    assert [row["calls"] for row in table] == ["0.00"] * 15 + ["2.00"] * 4
    assert all(math.isfinite(float(row["attacker_mean"])) for row in table)
    about = json.loads((output / "about.json").read_text())
    assert about["config"]["privacy_data"] == load_preset("hmdb51-vispr", str(root))["privacy_data"]
    assert about["scale"]["surrogate_steps"] == 1
    _assert_that_a_lost_row_is_made_again_without_a_call(arguments, output)


def _assert_that_a_lost_row_is_made_again_without_a_call(arguments: list[str], output: Path) -> None:
    lost = next((output / "rows").glob("ours.0.json"))
    before, calls = lost.read_text(), _calls(output)
    lost.unlink()
    assert main(arguments) == 0
    assert json.loads(lost.read_text()) == json.loads(before)
    assert _calls(output) == calls > 0


def _calls(output: Path) -> int:
    return sum(line.queries for line in zo.LedgerReader(output / "queries.sqlite").bill())


def open_experiment(preset: str, root: Path, folder: Path) -> Comparison:
    known = load_preset(preset, str(root))
    config = TrainConfig(**{name: known[name] for name in known if name in TrainConfig.__dataclass_fields__})
    return Comparison(config, Scale(seeds=1, test_clips=4), folder, OracleConfig(oracle="hf:nowhere"))


def test_what_makes_no_sense_is_left_out_and_named(root: Path, tmp_path: Path) -> None:
    pictures = open_experiment("okvqa-vispr", root, tmp_path / "okvqa").contestants
    assert list(pictures.makers) == [*PLAIN, *OURS]
    assert any(
        said.startswith("left out: all surrogates; `clips` must have at least two") for said in pictures.left_out
    )
    videos = open_experiment("hmdb51-vispr", root, tmp_path / "hmdb51").contestants
    assert list(videos.makers) == [*PLAIN, *SURROGATES, *OURS, *MOVES]
    assert not any("surrogate" in said or MOVES[1] in said for said in videos.left_out)


def test_surrogates_of_single_frames_have_the_network_of_ours() -> None:
    adapted = [_adapted(method, TrainConfig(anonymizer="unet-8"), 7) for method in surrogates(3)]
    of_frames = {method.recipe.name for method in adapted if getattr(method.recipe, "anonymizer", "") == "unet-8"}
    assert of_frames == {"VITA", "SPAct", "MPPAR"}
    assert all(method.recipe.steps == method.utility_steps == 7 and method.seed == 3 for method in adapted)


@pytest.mark.parametrize("anonymizer", ["motion", "regions-4"])
def test_surrogates_have_their_own_network_where_ours_learns_no_pictures(anonymizer: str) -> None:
    usual = {method.recipe.name: method.recipe for method in surrogates(0)}
    for method in (_adapted(method, TrainConfig(anonymizer=anonymizer), None) for method in surrogates(0)):
        assert method.recipe == usual[method.recipe.name]


def test_what_is_wrong_is_told_before_a_folder_is_made(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    where = ["compare", "--preset", "hmdb51-vispr", "-o", str(output)]
    assert main([*where, "--data", str(tmp_path)]) == 2
    assert "has no lists" in capsys.readouterr().err
    assert main([*where, "--data", str(root), "--hold-out", "answer=climb"]) == 2
    assert "`hold_out` must be empty in a comparison" in capsys.readouterr().err
    assert main([*where, "--data", str(root), "--oracle", "openai:gpt-4o", "--init", "identity"]) == 2
    assert "`init` must be 'warm'" in capsys.readouterr().err
    assert not output.exists()


def test_raw_pictures_stay_here_unless_they_may_leave(tmp_path: Path) -> None:
    config = TrainConfig(clips=8, pool=4, batch=2)
    desk = Experiment.open(config, OracleConfig(), tmp_path, test_clips=4).desk(None)
    for send_raw in (False, True):
        settings = OracleConfig(oracle="openai:gpt-4o", send_raw=send_raw)
        experiment = Experiment.open(config, settings, tmp_path, test_clips=4)
        assert ("raw" in experiment.evaluator(desk, Attackers()).withheld) != send_raw


def test_a_row_that_was_not_asked_is_no_point_of_the_picture(tmp_path: Path) -> None:
    asked = Row("a", 50.0, {"q": 50.0}, 60.0, 70.0, {"x": 70.0})
    silent = Row("raw", math.nan, {"q": math.nan}, 90.0, 95.0, {"x": 95.0})
    draw_comparison(tmp_path / "picture.png", summarize({"raw": [silent], "a": [asked]}), ours="a")
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_a_black_box_that_does_not_answer_ends_the_comparison_without_rows_of_no_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    nobody = ["--oracle", "openai:model", "--base-url", "http://127.0.0.1:9/v1", "--max-retries", "0"]
    arguments = ["compare", "--quick", "--seeds", "1", "--workers", "1", *nobody, "--max-failures", "1"]
    assert main([*arguments, "-o", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "call the same command again to go on" in told.err
    assert "left out: bound: gradient known" in told.out
    assert not list((tmp_path / "rows").glob("*.json"))


class OneAtATime:
    """Notes whether it is ever asked twice at once."""

    def __init__(self) -> None:
        self.name, self.num_calls, self.deterministic = "slow", 0, True
        self.concurrency: int | None = None
        self.inside = self.most = 0

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.01)
        self.inside -= 1
        self.num_calls += len(questions)
        return [Answer("yes") for _ in questions]

    def can_answer(self, question: str, answer: str) -> bool:
        return answer == "yes"


def test_a_shared_black_box_is_asked_by_one_thread_at_a_time() -> None:
    inner = OneAtATime()
    shared = Shared(inner)
    fresh = shared.always_asked()
    clip = torch.zeros(1, 1, 3, 4, 4, dtype=torch.uint8)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: (shared, fresh)[number % 2].ask(clip, ["?"]), range(8)))
    assert [answer[0].text for answer in answers] == ["yes"] * 8
    assert inner.most == 1
    assert (shared.deterministic, fresh.deterministic) == (True, False)
    assert shared.can_answer("?", "yes")
