"""SelectivePrivacy: noise where it is salient, carried along by the motion."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.methods import SelectivePrivacy
from privacy_mllm.methods.flow import block_flow, carried, farneback_flow, no_flow
from privacy_mllm.methods.saliency import detail_saliency, people_saliency


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", 6, size=48)


def texture(side: int = 64) -> Tensor:
    """Noise that is smooth enough to be followed."""
    noise = torch.rand(1, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(0)) * 255
    return torch.nn.functional.interpolate(noise, size=(side, side), mode="bicubic")[0].clamp(0, 255).to(torch.uint8)


def moving(dx: int, dy: int) -> Tensor:
    """Two frames of which the second has moved by so many pixels."""
    first = texture()
    return torch.stack([first, first.roll((dy, dx), dims=(-2, -1))])


def everywhere(share: float) -> Callable[[Clips], Tensor]:
    return lambda clips: torch.full((*clips.frames.shape[:2], 1, *clips.frames.shape[-2:]), share)


@pytest.mark.parametrize("flow", [block_flow, farneback_flow])
@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -4), (-2, 2)])
def test_flow_points_back_to_the_first_frame(flow: Callable[[Tensor], Tensor], dx: int, dy: int) -> None:
    found = flow(moving(dx, dy))
    assert found.shape == (2, 2, 64, 64)
    assert torch.equal(found[0], torch.zeros(2, 64, 64))
    middle = found[1, :, 16:48, 16:48]
    expected = torch.tensor([-dx, -dy]).view(2, 1, 1)
    assert ((middle - expected).abs() < 0.5).float().mean() > 0.9


def test_flow_of_a_large_picture_is_in_its_own_pixels() -> None:
    large = torch.nn.functional.interpolate(moving(3, -2).float(), scale_factor=3.0).to(torch.uint8)
    found = block_flow(large)
    assert found.shape == (2, 2, 192, 192)
    assert found[1, :, 60:130, 60:130].flatten(1).median(dim=1).values.tolist() == [-9, 6]


def test_what_is_flat_stands_still() -> None:
    flat = torch.full((3, 3, 20, 20), 90, dtype=torch.uint8)
    assert block_flow(flat).abs().max() == 0


@given(st.integers(1, 3), st.integers(1, 70), st.integers(1, 70))
def test_flow_is_defined_at_any_size(length: int, height: int, width: int) -> None:
    frames = torch.zeros(length, 3, height, width, dtype=torch.uint8)
    assert block_flow(frames).shape == no_flow(frames).shape == (length, 2, height, width)


def test_what_comes_in_from_outside_shows_something_else() -> None:
    first = torch.tensor([[[1.0, 2.0, 3.0]]])
    flow = torch.zeros(2, 2, 1, 3)
    flow[1, 0] = -1  # everything has moved right by one
    shown = carried(first, flow, torch.full((2, 1, 1, 3), 9.0))
    assert shown[:, 0, 0].tolist() == [[1, 2, 3], [9, 1, 2]]


def test_a_half_salient_pixel_is_half_noise(clips: Clips) -> None:
    full = SelectivePrivacy(everywhere(1.0), no_flow).anonymize(clips)
    half = SelectivePrivacy(everywhere(0.5), no_flow).anonymize(clips)
    mean = (full.float() + clips.frames.float()) / 2
    assert (half.float() - mean).abs().max() <= 1
    assert torch.equal(SelectivePrivacy(everywhere(0.0), no_flow).anonymize(clips), clips.frames)


def test_noise_is_uniform_and_stands_still_without_flow(clips: Clips) -> None:
    noise = SelectivePrivacy(everywhere(1.0), no_flow).anonymize(clips)
    assert torch.equal(noise[:, 0], noise[:, 3])
    counts = torch.bincount(noise[:, 0].flatten() // 32, minlength=8).float()
    assert (counts / counts.sum() - 1 / 8).abs().max() < 0.01


def test_noise_moves_with_the_picture() -> None:
    frames = moving(4, 0)[None]
    clips = Clips(frames, torch.zeros(1, 1), ("face",), ({"what": ("that",)},), ("a",))
    noise = SelectivePrivacy(everywhere(1.0)).anonymize(clips)[0]
    moved = noise[0, :, 16:48, 12:44] == noise[1, :, 16:48, 16:48]
    assert moved.float().mean() > 0.9


def test_noise_depends_on_the_seed_and_the_clip_alone(clips: Clips) -> None:
    method = SelectivePrivacy(people_saliency)
    assert torch.equal(method.anonymize(clips)[:2], method.anonymize(clips.head(2)))
    assert not torch.equal(method.anonymize(clips), SelectivePrivacy(people_saliency, seed=1).anonymize(clips))
    noise = SelectivePrivacy(everywhere(1.0), no_flow).anonymize(clips)
    assert not torch.equal(noise[0], noise[1])


def test_people_saliency_hides_people_and_nothing_else(clips: Clips) -> None:
    assert clips.people is not None
    changed = SelectivePrivacy(people_saliency).anonymize(clips)
    outside = (clips.people == 0).expand_as(clips.frames)
    assert torch.equal(changed[outside], clips.frames[outside])
    inside = ~outside
    assert (changed[inside] != clips.frames[inside]).float().mean() > 0.95


def test_detail_saliency_is_high_where_something_moves_or_has_edges() -> None:
    frames = torch.full((1, 4, 3, 48, 48), 90, dtype=torch.uint8)
    frames[0, :, :, 30:, :] = 200  # an edge that stands still
    frames[0, 3, :, 5:15, 5:15] = 250  # something that comes in
    salient = detail_saliency(Clips(frames, torch.zeros(1, 1), ("face",), ({"what": ("that",)},), ("a",)))
    assert salient.shape == (1, 4, 1, 48, 48)
    assert 0 <= salient.min() <= salient.max() <= 1
    assert salient[0, 3, 0, 9, 9] > 0.9
    assert salient[0, 0, 0, 30, 20] > 0.9
    assert salient[0, :, 0, 20, 40].max() < 0.05


def test_saliency_outside_its_range_or_shape_is_refused(clips: Clips) -> None:
    with pytest.raises(ValueError, match=r"`saliency` must give .* in \[0, 1\], got .* from 2 to 2"):
        SelectivePrivacy(everywhere(2.0)).anonymize(clips)
    with pytest.raises(ValueError, match=r"got \[6, 4, 48, 48\]"):
        SelectivePrivacy(lambda _: torch.zeros(6, 4, 48, 48)).anonymize(clips)


def test_names_tell_the_saliency() -> None:
    names = [SelectivePrivacy().name, SelectivePrivacy(people_saliency).name, SelectivePrivacy(everywhere(1.0)).name]
    assert names == ["SelectivePrivacy (detail)", "SelectivePrivacy (people)", "SelectivePrivacy (given)"]
