"""Loading a model for the oracle over transformers: its name, and what an error tells the user to do."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from privacy_mllm.oracles import _hf_loading
from privacy_mllm.oracles.hugging_face import HuggingFaceOracle, ModelLoadError
from tests.app.tiny_vlm import save_tiny_vlm

ACTION = "what does the person do"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vlm(tmp_path_factory.mktemp("models") / "tiny")


def oracle(folder: Path, **options: Any) -> HuggingFaceOracle:
    return HuggingFaceOracle(folder, **{"candidates": {ACTION: ("run", "running")}, "device": "cpu", **options})


def test_the_name_tells_models_and_settings_apart_and_holds_no_path(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)
    retrained = save_tiny_vlm(tmp_path / "retrained" / folder.name, seed=2)
    name = oracle(folder).name
    assert oracle(moved).name == name
    assert str(folder.parent) not in name
    assert folder.name in name
    others = [
        oracle(retrained),
        oracle(folder, candidates={ACTION: ("run", "walk")}),
        oracle(folder, candidates=None),
        oracle(folder, length_normalised=True),
        oracle(folder, num_frames=1),
    ]
    assert len({name, *(other.name for other in others)}) == 6


def test_large_weights_are_told_apart_by_their_first_and_last_bytes(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    found = []
    for place, value in ((0, 0), (0, 1), (3 << 20, 1)):
        content = bytearray((3 << 20) + 1)
        content[place] = value
        weights.write_bytes(content)
        found.append(_hf_loading.fingerprint(tmp_path))
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"num_frames": 0}, "`num_frames` must be at least 1, got 0"),
        ({"max_new_tokens": -1}, "`max_new_tokens` must be at least 1, got -1"),
        ({"candidates": {ACTION: ("run",)}}, "`candidates` must hold at least two answers"),
        ({"video": True}, "`video` must be False for LlavaProcessor, which takes pictures only"),
    ],
)
def test_settings_that_do_not_fit_are_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        oracle(folder, **options)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    for model in (tmp_path / "none", str(tmp_path / "none"), "./none", "a/b/c"):
        with pytest.raises(FileNotFoundError, match=r"`model` must be a folder or a hub id .* got '.*': no folder"):
            HuggingFaceOracle(model)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="holds no model for pictures and text that transformers can load"):
        HuggingFaceOracle(tmp_path)


def test_a_hub_out_of_reach_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ModelLoadError, match=r"fetch it first \(`hf download nobody/no-such-model`\) and give its folder"
    ):
        HuggingFaceOracle("nobody/no-such-model")


def test_a_model_that_needs_torchvision_says_where_it_comes_from(folder: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("torchvision") is not None:
        pytest.skip("torchvision is installed")
    video = shutil.copytree(folder, tmp_path / "video")
    settings = json.loads((folder / "processor_config.json").read_text())
    settings |= {
        "processor_class": "VideoLlavaProcessor",
        "video_processor": {"video_processor_type": "VideoLlavaVideoProcessor"},
    }
    (video / "processor_config.json").write_text(json.dumps(settings))
    with pytest.raises(
        ImportError, match=r"needs torchvision in the build that matches torch .* pip install torchvision"
    ):
        HuggingFaceOracle(video)


def test_a_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r'pip install "zoopt-mo\[hf\]"'):
        HuggingFaceOracle(folder)
