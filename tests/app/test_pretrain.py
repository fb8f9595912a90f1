"""The shipped weights: they are what the manifest says, and the command that makes them works."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from privacy_mllm._weights_quality import compare_weights
from privacy_mllm.pretrain import FULL, MANIFEST, QUICK, make_reviewer_and_unets, pretrain
from privacy_mllm.weights import NAMES

SHIPPED = Path(str(resources.files("privacy_mllm.weights")))


@pytest.fixture(scope="module")
def stages() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, stages: list[tuple[str, int, int]]) -> Path:
    out = tmp_path_factory.mktemp("pretrain") / "weights"
    pretrain(out, quick=True, progress=lambda *said: stages.append(said))
    return out


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return dict(json.loads((SHIPPED / MANIFEST).read_text()))


def test_a_quick_run_writes_every_file_and_reports_every_stage(quick: Path, stages: list[tuple[str, int, int]]) -> None:
    assert sorted(path.name for path in quick.iterdir()) == sorted([MANIFEST, *(f"{n}.safetensors" for n in NAMES)])
    for name in NAMES:
        made, shipped = load_file(quick / f"{name}.safetensors"), load_file(SHIPPED / f"{name}.safetensors")
        assert {key: value.shape for key, value in made.items()} == {k: v.shape for k, v in shipped.items()}
    assert {stage for stage, _, _ in stages} == {"tiny_mllm", "reviewer", "unet_identity", "unet_warm", "attackers"}
    assert all(0 < done <= total for _, done, total in stages)


def test_the_same_seed_gives_the_same_bytes_whatever_the_global_random_state(quick: Path, tmp_path: Path) -> None:
    torch.manual_seed(12345)
    make_reviewer_and_unets(tmp_path, QUICK, lambda *_: None)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (quick / path.name).read_bytes()


def test_comparing_weights_tells_same_from_different(quick: Path) -> None:
    same = compare_weights(SHIPPED, SHIPPED, num_clips=48)
    assert [entry.name for entry in same] == list(NAMES)
    assert all(entry.identical and entry.agrees and entry.max_difference == 0 for entry in same)
    different = {entry.name: entry for entry in compare_weights(SHIPPED, quick, num_clips=48)}
    assert not any(entry.identical for entry in different.values())
    assert all(entry.max_difference > 0 for entry in different.values())
    assert not different["tiny_mllm"].agrees
    assert not different["reviewer"].agrees
    assert str(same[0]) == "tiny_mllm: the same, bit for bit"
    assert str(different["tiny_mllm"]).startswith("tiny_mllm: DIFFERS, ")


def test_the_manifest_describes_the_shipped_files(manifest: dict[str, Any]) -> None:
    assert manifest["recipe"] == vars(FULL)
    for name in NAMES:
        content = (SHIPPED / f"{name}.safetensors").read_bytes()
        assert manifest["files"][f"{name}.safetensors"] == {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    assert sum(entry["bytes"] for entry in manifest["files"].values()) < 2.5e6


def test_the_shipped_weights_measured_what_the_application_needs(manifest: dict[str, Any]) -> None:
    measured = manifest["measured"]
    warm, raw = measured["unet_warm"], measured["raw"]
    assert raw["what is the person doing"] >= 85
    assert raw["what is the person holding"] >= 80
    assert raw["frozen_cmap"] >= 88
    assert warm["what is the person doing"] <= 25
    assert warm["attacker_cmap"] <= 62
    assert raw["attacker_cmap"] - warm["attacker_from_reviewer_warm_cmap"] >= 15
