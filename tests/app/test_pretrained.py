"""Weights from files of others: what loads, what is replaced, and what is refused and why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from privacy_mllm.models.factory import build_anonymizer, build_reviewer
from privacy_mllm.models.pretrained import load_pretrained, read_weights
from privacy_mllm.models.resnet import ResNet50
from privacy_mllm.models.reviewer import Reviewer


@pytest.fixture(scope="module")
def imagenet() -> dict[str, Tensor]:
    """Stands for public weights of a thousand classes."""
    network = build_reviewer("resnet50", 1000, seed=1)
    return network.state_dict()


def _save(state: Any, folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".safetensors"):
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("name", ["resnet50-0676ba61.pth", "model.safetensors"])
def test_public_weights_load_and_the_head_is_replaced(name: str, imagenet: dict[str, Tensor], tmp_path: Path) -> None:
    path = _save(imagenet, tmp_path, name)
    network = build_reviewer("resnet50", 7, weights=path, seed=2)
    loaded, fresh = network.state_dict(), build_reviewer("resnet50", 7, seed=2).state_dict()
    body = [key for key in loaded if not key.startswith("fc.")]
    assert all(torch.equal(loaded[key], imagenet[key]) for key in body)
    assert torch.equal(loaded["fc.weight"], fresh["fc.weight"])
    assert loaded["fc.weight"].shape == (7, 2048)


def test_a_head_of_the_same_number_of_classes_is_kept(tmp_path: Path) -> None:
    state = Reviewer(4).state_dict()
    network = Reviewer(4)
    assert load_pretrained(network, _save(state, tmp_path, "a.pth"), head="head.2")
    assert torch.equal(network.state_dict()["head.2.bias"], state["head.2.bias"])
    assert not load_pretrained(Reviewer(5), tmp_path / "a.pth", head="head.2")


@pytest.mark.parametrize("wrapping", ["state_dict", "model"])
def test_weights_wrapped_by_a_training_script_load(wrapping: str, tmp_path: Path) -> None:
    state = Reviewer(4).state_dict()
    parallel = {f"module.{key}": value for key, value in state.items()}
    network = build_reviewer("small", 4, weights=_save({wrapping: parallel, "epoch": 3}, tmp_path, "a.pth"), seed=9)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_old_files_without_counts_of_batches_load(imagenet: dict[str, Tensor], tmp_path: Path) -> None:
    old = {key: value for key, value in imagenet.items() if not key.endswith("num_batches_tracked")}
    assert len(old) == 267
    network = ResNet50(1000)
    assert load_pretrained(network, _save(old, tmp_path, "old.pth"), head="fc")
    assert torch.equal(network.conv1.weight, imagenet["conv1.weight"])


def test_weights_that_do_not_fit_are_refused_whole_and_the_keys_are_named(tmp_path: Path) -> None:
    network = Reviewer(4)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    good = {key: value + 1 for key, value in before.items()}

    def refuse(state: dict[str, Tensor], message: str) -> None:
        path = _save(state, tmp_path, "a.pth")
        with pytest.raises(ValueError, match=message):
            load_pretrained(network, path, head="head.2")
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())

    stem = {key: value for key, value in good.items() if key != "stem.0.weight"}
    refuse(stem, re.escape("a.pth does not fit: it lacks stem.0.weight."))
    refuse(stem | {"conv1.weight": torch.zeros(1)}, "lacks stem.0.weight and has the unknown conv1.weight")
    refuse({"head.2.weight": torch.zeros(9, 192), "head.2.bias": torch.zeros(9)}, r"lacks .*, .*, .* and \d+ more")
    wide = good | {"stem.0.weight": torch.zeros(32, 3, 5, 5)}
    refuse(wide, r"stem.0.weight has shape \[32, 3, 5, 5\], the network \[16, 3, 5, 5\]")
    refuse(
        good | {"head.2.weight": torch.zeros(4, 99)},
        r"head.2.weight has shape \[4, 99\], which is not \[classes, 192\]",
    )


def test_an_anonymizers_weights_must_fit_to_the_last_layer(tmp_path: Path) -> None:
    state = build_anonymizer("unet-4", seed=1).state_dict()
    network = build_anonymizer("unet-4", weights=_save(state, tmp_path, "unet.safetensors"))
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    with pytest.raises(ValueError, match=r"outc.weight has shape \[3, 4, 1, 1\], which is not"):
        build_anonymizer("unet-8", weights=tmp_path / "unet.safetensors")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code in the file was run')",))


def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path = _save({"conv1.weight": Evil()}, tmp_path, "evil.pth")
    with pytest.raises(ValueError, match=r"evil.pth is not a file of weights: Weights only load failed"):
        read_weights(path)


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_broken_files_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is not a file of weights"):
        read_weights(tmp_path / name)


def test_files_of_anything_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must hold named tensors, got Tensor"):
        read_weights(_save(torch.zeros(2), tmp_path, "a.pth"))
    with pytest.raises(ValueError, match="must hold tensors alone, got int under 'epoch'"):
        read_weights(_save({"epoch": 3}, tmp_path, "b.pth"))
    with pytest.raises(FileNotFoundError, match=r"there are no weights at .*c.pth"):
        read_weights(tmp_path / "c.pth")
    with pytest.raises(ValueError, match="`head` must name a layer with weights, got 'fc'"):
        load_pretrained(Reviewer(4), _save(Reviewer(4).state_dict(), tmp_path, "d.pth"), head="fc")
