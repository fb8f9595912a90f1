"""The paper's experiments by name: the whole way, on tiny data sets in the published formats and a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from privacy_mllm.cli import main
from privacy_mllm.config import TrainConfig
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.presets import load_preset, preset_names
from privacy_mllm.runs import Run, load_anonymizer
from tests.app import data_fixtures as disk
from tests.app.tiny_vlm import save_tiny_vlm

TINY = ["--anonymizer", "unet-4", "--reviewer", "small", "--start-steps", "2", "--pool", "1", "--batch", "1"]
SHORT = ["--privacy-batch", "2", "--calls-per-sample", "6", "--attacker-steps", "2", "--test-clips", "4"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data sets, each in its folder."""
    return disk.make_all(tmp_path_factory.mktemp("data sets"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vlm(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_names_settings_that_exist(name: str) -> None:
    preset = load_preset(name, "/data")
    method = {key: value for key, value in preset.items() if key in TrainConfig.__dataclass_fields__}
    oracle = {key: value for key, value in preset.items() if key in OracleConfig.__dataclass_fields__}
    assert {*method, *oracle} == set(preset)
    assert TrainConfig(**method).data.partition(":")[2].startswith("/data/")
    assert OracleConfig(**oracle).kind in ("hf", "openai")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ucf101-vispr", "hmdb51-vispr", "hmdb51-pa-hmdb51", "okvqa-vispr"])
def test_a_preset_runs_from_the_published_files_to_the_table(
    name: str, root: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video = [] if name.startswith("okvqa") else ["--frames", "1"]
    arguments = ["--preset", name, "--data", str(root), "--oracle", f"hf:{model}", *video, *TINY, *SHORT]
    assert main(["train", *arguments, "--runs", str(tmp_path)]) == 0, capfd.readouterr().err
    run = Run(tmp_path / "train")
    config, oracle = run.read_config()
    assert config.data == load_preset(name, str(root))["data"]
    assert (config.anonymizer, oracle.model) == ("unet-4", str(model))  # what is typed counts more
    results = json.loads((run.path / "results.json").read_text())
    assert [row["method"] for row in results["rows"]] == ["raw", "start", "no query", "trained"]
    trained = load_anonymizer(run.path)
    assert trained.calls == 6
    assert trained.trained_on == config.data


def test_an_unknown_preset_and_a_missing_data_set_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--preset", "kinetics"]) == 2
    assert "`preset` must be one of hmdb51-pa-hmdb51, " in capsys.readouterr().err
    assert main(["train", "--preset", "ucf101-vispr", "--data", str(tmp_path), "--runs", str(tmp_path / "runs")]) == 2
    assert "classInd.txt is missing" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
