"""The anonymizers: against hand-worked numbers, on clips and on pictures of any size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage import data
from torch import Tensor, nn

from privacy_mllm.data.clips import Clips
from privacy_mllm.methods import (
    Anonymizer,
    Black,
    Blur,
    Downsample,
    FrameDifference,
    NetworkAnonymizer,
    PictureMethod,
    Raw,
    baselines,
)
from privacy_mllm.methods.blur import gaussian_blur, gaussian_weights
from privacy_mllm.methods.downsample import shrink
from privacy_mllm.methods.pixels import composite, reference_size

PICTURE_METHODS: list[PictureMethod] = [
    Downsample(2),
    Downsample(4),
    Blur("weak"),
    Blur("strong"),
    Black(),
    NetworkAnonymizer(nn.AvgPool2d(3, 1, 1), "mean"),
]


def make_clips(count: int = 2, frames: int = 4, size: int = 64, people: bool = True) -> Clips:
    """Random clips whose people are two rectangles that do not touch."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (count, frames, 3, size, size), dtype=torch.uint8, generator=generator)
    where = torch.zeros(count, frames, 1, size, size, dtype=torch.uint8)
    where[..., 10:20, 5:9] = 255
    where[..., 15:16, 9:12] = 100
    where[..., 40:50, 40:60] = 255
    return Clips(
        frames=pictures,
        attributes=torch.zeros(count, 1),
        attribute_names=("face",),
        answers=({"what": ("that",)},) * count,
        names=tuple(f"clip {index}" for index in range(count)),
        people=where if people else None,
    )


def photograph() -> Tensor:
    return torch.from_numpy(data.astronaut()).permute(2, 0, 1).contiguous()


@pytest.mark.parametrize("method", baselines(people=True), ids=lambda method: method.name)
@pytest.mark.parametrize("shape", [(2, 4, 64), (1, 1, 64), (3, 2, 7), (1, 1, 1)])
def test_baselines_keep_shape_and_input(method: Anonymizer, shape: tuple[int, int, int]) -> None:
    clips = make_clips(*shape)
    before = clips.frames.clone()
    changed = method.anonymize(clips)
    assert changed.shape == before.shape
    assert changed.dtype == torch.uint8
    assert torch.equal(clips.frames, before)


def test_baselines_have_distinct_names() -> None:
    names = [method.name for method in baselines(people=True)]
    assert len(set(names)) == len(names) == 10


def test_baselines_without_people_run_without_people() -> None:
    clips = make_clips(people=False)
    assert [method.anonymize(clips).shape for method in baselines(people=False)] == [clips.frames.shape] * 5


@pytest.mark.parametrize("method", [Black("box"), Black("silhouette"), Blur("weak", "box"), Blur("strong")])
def test_methods_that_need_people_say_so(method: Anonymizer) -> None:
    with pytest.raises(ValueError, match=r"must know where people are.*no `people` masks.*folder people/"):
        method.anonymize(make_clips(people=False))


def test_raw_is_the_input() -> None:
    clips = make_clips()
    assert torch.equal(Raw().anonymize(clips), clips.frames)


def test_silhouette_is_black_exactly_where_any_of_a_person_shows() -> None:
    clips = make_clips()
    assert clips.people is not None
    expected = clips.frames.masked_fill(clips.people > 0, 0)
    assert torch.equal(Black("silhouette").anonymize(clips), expected)


def test_each_person_has_an_own_box() -> None:
    clips = make_clips()
    expected = clips.frames.clone()
    expected[..., 10:20, 5:12] = 0  # The arm in row 15 widens the box.
    expected[..., 40:50, 40:60] = 0
    assert torch.equal(Black("box").anonymize(clips), expected)


def test_nobody_in_the_picture_leaves_it_unchanged() -> None:
    clips = make_clips()
    assert clips.people is not None
    empty = replace(clips, people=torch.zeros_like(clips.people))
    for method in (Black("box"), Black("silhouette"), Blur("strong", "box")):
        assert torch.equal(method.anonymize(empty), clips.frames)


def test_blur_changes_people_only() -> None:
    clips = make_clips()
    changed = Blur("strong", "box").anonymize(clips)
    outside = Black("box").anonymize(clips.with_frames(torch.full_like(clips.frames, 255))) == 255
    assert torch.equal(changed[outside], clips.frames[outside])
    inside = changed[..., 42:48, 42:58].float()
    # A mean over many random pixels has far less spread than the pixels.
    assert inside.std() < clips.frames[..., 42:48, 42:58].float().std() / 5


@pytest.mark.parametrize(("taps", "edge", "centre"), [(21, 0.03425, 0.05647), (13, 0.06878, 0.08234)])
def test_gaussian_weights(taps: int, edge: float, centre: float) -> None:
    weights = gaussian_weights(taps, 10.0)
    assert weights[0].item() == pytest.approx(edge, abs=5e-6)
    assert weights[taps // 2].item() == pytest.approx(centre, abs=5e-6)
    assert weights.sum().item() == pytest.approx(1)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([13, 21]))
def test_blur_mirrors_at_the_border_at_any_size(height: int, width: int, taps: int) -> None:
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height * 41 + width))
    weights = gaussian_weights(taps, 10.0).numpy()
    expected = picture.numpy().astype(np.float64)
    for axis in (2, 3):
        # scipy's "mirror" repeats no border pixel: the same as torch's "reflect".
        expected = ndimage.correlate1d(expected, weights, axis=axis, mode="mirror")
    assert np.allclose(gaussian_blur(picture, taps, 10.0).numpy(), expected, atol=1e-5)


def test_shrinking_takes_block_means_where_it_can() -> None:
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(shrink(picture, 2)[0, 0], torch.tensor([[2.5, 4.5], [10.5, 12.5]]))
    assert shrink(picture[..., :3], 2).shape == (1, 1, 2, 2)


def test_downsampled_blocks_are_enlarged_linearly() -> None:
    picture = torch.zeros(3, 2, 4, dtype=torch.uint8)
    picture[:, :, 2:] = 200
    # Two block means, 0 and 200, spread over four columns at 0, 1/4, 3/4 and 1 of the way.
    assert Downsample(2)(picture)[0].tolist() == [[0, 50, 150, 200]] * 2


@pytest.mark.parametrize("factor", [1, 0, -2])
def test_downsample_refuses_a_factor_that_loses_nothing(factor: int) -> None:
    with pytest.raises(ValueError, match=f"`factor` must be an integer of at least 2, got {factor}"):
        Downsample(factor)


def test_frame_difference_paints_what_moves() -> None:
    frames = torch.full((1, 5, 3, 8, 8), 90, dtype=torch.uint8)
    for time in range(5):
        frames[0, time, 1, 0, time] = 200  # One green pixel walks to the right.
    clips = replace(make_clips(1, 5, 8), frames=frames)
    expected = torch.full_like(frames, 255)
    for time in range(5):
        expected[0, time, :, 0, time] = 0
    assert torch.equal(FrameDifference().anonymize(clips), expected)


def test_frame_difference_of_a_picture_is_blank() -> None:
    assert bool((FrameDifference().anonymize(make_clips(frames=1)) == 255).all())


def test_frame_difference_refuses_a_threshold_beyond_bytes() -> None:
    with pytest.raises(ValueError, match="`threshold` must be between 1 and 255, got 256"):
        FrameDifference(threshold=256)


@pytest.mark.parametrize("method", PICTURE_METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("size", [(512, 512), (301, 45), (1, 9)])
def test_picture_methods_change_only_under_the_mask(method: PictureMethod, size: tuple[int, int]) -> None:
    picture = photograph()[:, : size[0], : size[1]]
    mask = torch.zeros(1, *size)
    mask[:, : size[0] // 2 + 1, : size[1] // 2] = 1
    changed = method(picture, mask)
    assert changed.shape == picture.shape
    assert changed.dtype == torch.uint8
    outside = (mask == 0).expand_as(picture)
    assert torch.equal(changed[outside], picture[outside])


@pytest.mark.parametrize("method", PICTURE_METHODS[:-1], ids=lambda method: method.name)
def test_a_photograph_changes_as_much_as_a_small_copy_of_it(method: PictureMethod) -> None:
    large, mask = photograph(), torch.ones(1, 512, 512)
    loss = (method(large, mask).float() - large.float()).abs().mean()
    small = large[:, ::3, ::3].contiguous()
    loss_small = (method(small, mask[:, ::3, ::3]).float() - small.float()).abs().mean()
    assert loss == pytest.approx(loss_small.item(), rel=0.5)


def test_large_pictures_are_changed_at_the_reference_size() -> None:
    assert reference_size(3000, 4000) == (224, 299)
    assert reference_size(4000, 3000) == (299, 224)
    assert reference_size(64, 48) == (64, 48)


def test_black_without_a_mask_is_refused() -> None:
    assert Black().needs_mask
    with pytest.raises(ValueError, match="must be told what to hide: give boxes or masks"):
        Black()(photograph())


def test_a_soft_mask_mixes() -> None:
    picture = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    mask = torch.tensor([[[0.0, 0.25], [0.5, 1.0]]])
    assert composite(picture, torch.zeros_like(picture), mask)[0].tolist() == [[100, 75], [50, 0]]


@pytest.mark.parametrize("shape", [(1, 2, 3), (3, 2, 2), (2, 2)])
def test_a_mask_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`mask` must have shape \[1, 2, 2\], got"):
        composite(torch.zeros(3, 2, 2, dtype=torch.uint8), torch.zeros(3, 2, 2), torch.zeros(shape))


@pytest.mark.parametrize("method", PICTURE_METHODS, ids=lambda method: method.name)
def test_pictures_of_another_kind_are_refused(method: PictureMethod) -> None:
    with pytest.raises(TypeError, match=r"must be uint8, got torch\.float32"):
        method(torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match=r"shape \[\.\.\., 3, h, w\], got \[1, 4, 4\]"):
        method(torch.zeros(1, 4, 4, dtype=torch.uint8))


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(ValueError, match='`strength` must be "weak" or "strong", got \'huge\''):
        Blur("huge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='`region` must be "box" or "silhouette", got \'face\''):
        Black("face").anonymize(make_clips())  # type: ignore[arg-type]
