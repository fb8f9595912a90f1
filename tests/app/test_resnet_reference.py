"""ResNet-50 against the independent implementation in transformers, weight by weight."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from privacy_mllm.models.resnet import MEAN, STD, ResNet50

transformers = pytest.importorskip("transformers", reason="the reference implementation is in the extra hf")

_PARTS = {"convolution": ("conv", "0"), "normalization": ("bn", "1")}  # in a block, and in its shortcut


def _their_name(ours: str) -> str:
    """``layer2.0.conv3.weight`` -> ``resnet.encoder.stages.1.layers.0.layer.2.convolution.weight``."""
    if ours.startswith("fc."):
        return ours.replace("fc.", "classifier.1.")
    for theirs, (part, place) in _PARTS.items():
        if ours.startswith(f"{part}1."):
            return ours.replace(f"{part}1.", f"resnet.embedder.embedder.{theirs}.")
        block = re.fullmatch(rf"layer(\d)\.(\d)\.(?:{part}(\d)|downsample\.{place})\.(\w+)", ours)
        if block:
            stage, layer, number, rest = block.groups()
            within = f"layer.{int(number) - 1}" if number else "shortcut"
            return f"resnet.encoder.stages.{int(stage) - 1}.layers.{layer}.{within}.{theirs}.{rest}"
    raise KeyError(ours)


def test_resnet_50_computes_what_transformers_computes() -> None:
    generator = torch.Generator().manual_seed(0)
    ours = ResNet50(7)
    with torch.no_grad():
        for name, buffer in ours.named_buffers():  # fresh statistics would hide a swapped layer
            if name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
            if name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    theirs = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=7)).eval()
    theirs.load_state_dict({_their_name(name): value for name, value in ours.state_dict().items()})
    pictures = torch.rand(2, 3, 70, 64, generator=generator)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    with torch.no_grad():
        logits: Tensor = theirs((pictures - mean) / std).logits
        assert torch.allclose(ours.eval()(pictures), logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
        assert float(logits.abs().max()) > 0.01
