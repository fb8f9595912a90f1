"""A network as an anonymizer: in batches, in its own mode, and never silently broken."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import data
from torch import Tensor, nn

from privacy_mllm.concurrency import in_order
from privacy_mllm.data.clips import Clips
from privacy_mllm.methods import NetworkAnonymizer, Remarking


class Half(nn.Module):
    """Halves every pixel, and records what it is fed."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.seen: list[torch.Size] = []

    def forward(self, frames: Tensor) -> Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        self.seen.append(frames.shape)
        return frames / 2


def make_clips(count: int = 2, frames: int = 4, size: int = 64) -> Clips:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (count, frames, 3, size, size), dtype=torch.uint8, generator=generator)
    names = tuple(f"clip {index}" for index in range(count))
    return Clips(pictures, torch.zeros(count, 1), ("face",), ({"what": ("that",)},) * count, names)


def test_network_runs_in_batches_and_gets_its_modes_back() -> None:
    network = Half().train()
    network.norm.eval()
    clips = make_clips(3, 4, 16)
    changed = NetworkAnonymizer(network, "half", batch_size=5).anonymize(clips)
    assert torch.equal(changed, (clips.frames.float() / 2).round().to(torch.uint8))
    assert [len(shape) and shape[0] for shape in network.seen] == [5, 5, 2]
    assert network.training
    assert not network.norm.training
    assert not changed.is_inference()


@pytest.mark.parametrize(
    ("count", "height", "width"),
    [(7, 16, 16), (40, 24, 24), (3, 100, 100), (2, 101, 99), (1, 300, 400), (2, 1, 40_000)],
)
def test_no_call_of_the_network_sees_more_pixels_than_the_limit(count: int, height: int, width: int) -> None:
    network = Half()
    method = NetworkAnonymizer(network, "half", max_pixels=10_000)
    frames = torch.full((count, 1, 3, height, width), 200, dtype=torch.uint8)
    clips = replace(make_clips(count, 1), frames=frames)
    assert torch.equal(method.anonymize(clips), torch.full_like(frames, 100))
    pixels = [shape[0] * shape[2] * shape[3] for shape in network.seen]
    assert max(pixels) <= 10_000
    assert sum(shape[0] for shape in network.seen) == count


def test_a_picture_of_twelve_megapixels_passes_the_network_within_the_limit() -> None:
    network = Half()
    picture = torch.full((3, 3000, 4000), 200, dtype=torch.uint8)
    assert bool((NetworkAnonymizer(network, "half")(picture) == 100).all())
    (seen,) = network.seen
    assert 0.99 * 2**20 < seen[2] * seen[3] <= 2**20


def test_a_network_in_several_threads_keeps_evaluating_until_the_last_is_done() -> None:
    class Slow(Half):
        def forward(self, frames: Tensor) -> Tensor:
            changed = super().forward(frames)
            time.sleep(float(frames[0, 0, 0, 0]) / 20)
            assert not self.norm.training
            return changed

    network = Slow().train()
    method = NetworkAnonymizer(network, "slow")
    pictures = [torch.full((3, 8, 8), brightness, dtype=torch.uint8) for brightness in (0, 255, 0, 200)]
    changed = list(in_order(method, pictures, 2))
    assert [int(picture[0, 0, 0]) for picture in changed] == [0, 128, 0, 100]
    assert network.training
    assert network.norm.training


def test_network_gets_its_mode_back_after_a_failure() -> None:
    network = nn.Sequential(nn.Flatten()).train()
    with pytest.raises(RuntimeError, match=r"flat turned pictures \[8, 3, 64, 64\] into \[8, 12288\]"):
        NetworkAnonymizer(network, "flat").anonymize(make_clips())
    assert network.training


def test_network_that_breaks_is_not_taken_for_a_picture() -> None:
    class Broken(nn.Module):
        def forward(self, frames: Tensor) -> Tensor:
            return frames * float("nan")

    with pytest.raises(RuntimeError, match="broken gave pixels that are not finite"):
        NetworkAnonymizer(Broken(), "broken").anonymize(make_clips())


@pytest.mark.parametrize("value", [0, -1])
def test_network_refuses_limits_that_are_not_positive(value: int) -> None:
    with pytest.raises(ValueError, match=f"`batch_size` must be positive, got {value}"):
        NetworkAnonymizer(nn.Identity(), "same", batch_size=value)
    with pytest.raises(ValueError, match=f"`max_pixels` must be positive, got {value}"):
        NetworkAnonymizer(nn.Identity(), "same", max_pixels=value)


def test_network_sees_a_large_picture_reduced_and_says_so() -> None:
    network = Half()
    method = NetworkAnonymizer(network, "half", max_pixels=128 * 128)
    assert isinstance(method, Remarking)
    photograph = torch.from_numpy(data.astronaut()).permute(2, 0, 1)
    changed = method(photograph)
    assert changed.shape == (3, 512, 512)
    assert network.seen == [(1, 3, 128, 128)]
    assert method.remark(512, 512) == "the network saw it reduced from 512x512 to 128x128 pixels"
    assert method.remark(100, 50) is None


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_network_never_sees_more_than_the_limit(height: int, width: int) -> None:
    remark = NetworkAnonymizer(nn.Identity(), "same", max_pixels=10_000).remark(height, width)
    if remark is None:
        assert height * width <= 10_000
    else:
        seen = remark.split()[-2].split("x")
        assert int(seen[0]) * int(seen[1]) <= 10_000
