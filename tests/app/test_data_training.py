"""A training on published data sets, from the command line, against a real service: miniature files, real calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from privacy_mllm.cli import main
from tests.app import data_fixtures as disk
from tests.app.fault_server import KEY, MODEL, RunningService, running_service

SIZE = "frames=2&size=16"
TINY = ["--pool", "4", "--batch", "2", "--privacy-batch", "2", "--calls-per-sample", "4", "--start-steps", "2"]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningService]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with running_service(tmp_path / "log.jsonl", "--logprobs") as running:
        yield running


@pytest.fixture
def hmdb(tmp_path: Path) -> Path:
    videos = {
        action: {f"{number}_{action}_x_{number}": 1 + number // 5 for number in range(8)} for action in ("run", "walk")
    }
    return disk.make_hmdb51(tmp_path / "hmdb", ".avi", videos)


@pytest.mark.slow
def test_an_anonymizer_is_trained_on_hmdb51_and_vispr_and_judged_on_their_test_splits(
    tmp_path: Path, service: RunningService, hmdb: Path
) -> None:
    vispr = disk.make_vispr(tmp_path / "vispr")
    code = main(
        [
            *("train", "--runs", str(tmp_path / "runs"), *TINY, "--attacker-steps", "2"),
            *("--data", f"hmdb51:{hmdb}?{SIZE}", "--privacy-data", f"vispr:{vispr}?attributes=wu5&size=16"),
            *("--oracle", f"openai:{MODEL}", "--base-url", service.url),
        ]
    )
    assert code == 0
    results = json.loads((tmp_path / "runs" / "train" / "results.json").read_text())
    assert set(results["rows"][0]["attacker"]) == {"gender", "face", "nudity", "skin_color", "relationship"}
    assert len(service.log()) > 8  # the probes of training, and the test clips of each method


@pytest.mark.slow
def test_an_action_that_the_reviewer_is_tested_on_is_not_trained_on(
    tmp_path: Path, service: RunningService, hmdb: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = "1_run_x_1"
    disk.write_json(tmp_path / "pa" / "PrivacyAttributes" / "run.json", {f"{video}.avi": disk.PA_CLIMBER})
    vispr = disk.make_vispr(tmp_path / "vispr")
    private = f"pa-hmdb51:{tmp_path / 'pa'}?vispr={vispr}&videos={hmdb}&{SIZE}"
    code = main(
        [
            *("train", "--runs", str(tmp_path / "runs"), *TINY, "--privacy-data", private),
            *("--data", f"hmdb51:{hmdb}?{SIZE}", "--oracle", f"openai:{MODEL}", "--base-url", service.url),
        ]
    )
    assert code == 2
    assert f"no clip in common, got 1, the first '{video}'" in capsys.readouterr().err
    assert not service.path.exists() or service.log() == []
