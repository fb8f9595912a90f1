"""What was made faster gives the same bits as the plain way, which stands here."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.data.sources import load_clips
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.methods import Blur, Downsample
from privacy_mllm.methods.flow import block_flow
from privacy_mllm.methods.pixels import in_parts
from privacy_mllm.methods.saliency import BRIGHTEST, _scaled
from privacy_mllm.oracles._remembering import Remembered
from privacy_mllm.oracles.embedded import EmbeddedOracle


def plain_flow(frames: Tensor, block: int, radius: int) -> Tensor:
    """Every shift of the whole picture, one after another; of several that are as good, the shortest."""
    grey = frames.float().mean(1, keepdim=True)
    height, width = frames.shape[-2:]
    steps = range(-radius, radius + 1)
    shifts = sorted(((x, y) for x in steps for y in steps), key=lambda shift: shift[0] ** 2 + shift[1] ** 2)
    padded = F.pad(grey[:1], (radius,) * 4, mode="replicate")
    costs = []
    for x, y in shifts:
        moved = padded[..., radius + y : radius + y + height, radius + x : radius + x + width]
        apart = F.avg_pool2d((grey - moved).abs(), block, ceil_mode=True, count_include_pad=False)
        costs.append(apart + 0.1 * torch.tensor([x, y]).float().norm())
    best = torch.tensor(shifts).float()[torch.stack(costs).argmin(dim=0)[:, 0]].permute(0, 3, 1, 2)
    return F.interpolate(best, size=(height, width))


@given(
    st.integers(1, 4), st.integers(1, 40), st.integers(1, 40), st.integers(2, 8), st.integers(1, 4), st.integers(0, 9)
)
@settings(max_examples=40, deadline=None)
def test_flow_is_that_of_one_shift_after_another(
    time: int, height: int, width: int, block: int, radius: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(256, (time, 3, height, width), dtype=torch.uint8, generator=generator)
    assert torch.equal(block_flow(frames, block=block, radius=radius), plain_flow(frames, block, radius))


def test_flow_of_moving_people_is_that_of_one_shift_after_another() -> None:
    for frames in render_clips("test", 4).frames:
        assert torch.equal(block_flow(frames), plain_flow(frames, 8, 6))


def test_salience_is_scaled_to_the_sorted_quantile() -> None:
    strength = torch.rand(3, 1, 20, 30, generator=torch.Generator().manual_seed(0)) * 255
    scaled = _scaled(strength)
    share = (scaled == 1).float().mean()
    assert share == pytest.approx(1 - BRIGHTEST, abs=2 / strength.numel())


@pytest.mark.parametrize("method", [Blur("weak"), Blur("strong", None), Downsample(2), Downsample(3)])
def test_methods_give_the_same_bits_however_many_pictures_are_changed_at_once(
    method: Blur | Downsample, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = render_clips("test", 6)
    found = []
    for pixels in (1, 3 * 64 * 64, 1 << 30):
        monkeypatch.setattr("privacy_mllm.methods.pixels.PIXELS_IN_CACHE", pixels)
        found.append(method.anonymize(clips))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_parts_are_as_many_pictures_as_stay_in_the_cache() -> None:
    sizes: list[int] = []

    def note(part: Tensor) -> Tensor:
        sizes.append(len(part))
        return part

    in_parts(note, torch.zeros(20, 3, 64, 64))
    in_parts(note, torch.zeros(2, 3, 512, 512))
    assert sizes == [8, 8, 4, 1, 1]


def test_a_clip_that_comes_again_is_not_computed_again() -> None:
    computed: list[int] = []

    def compute(clips: Tensor) -> Tensor:
        computed.extend(clips[:, 0].tolist())
        return clips.float() * 2

    clips = torch.arange(8, dtype=torch.uint8).view(4, 2)
    remembered = Remembered(compute, capacity=3)
    for rows, new in (([0, 1, 0], [0, 2]), ([1, 0], []), ([2, 3], [4, 6]), ([0, 3], []), ([1], [2])):
        computed.clear()
        assert torch.equal(remembered(clips[rows]), clips[rows].float() * 2)
        assert computed == new
    assert torch.equal(remembered(clips[:1, :1]), clips[:1, :1].float() * 2)  # Another shape is another clip.


def test_the_embedded_oracle_looks_once_at_a_clip_and_answers_as_one_that_looks_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clips = render_clips("test", 5).frames
    seen: list[int] = []
    oracle = EmbeddedOracle()
    see = oracle._model.see

    def note(part: Tensor) -> Tensor:
        seen.append(len(part))
        return see(part)

    monkeypatch.setattr(oracle._model, "see", note)
    answers = {question: oracle.ask(clips, [question] * 5) for question in QUESTIONS}
    assert sum(seen) == 5
    assert oracle.num_calls == 5 * len(QUESTIONS)
    for question, given_answers in answers.items():
        assert given_answers == EmbeddedOracle().ask(clips, [question] * 5)
        assert given_answers[3:] == EmbeddedOracle().ask(clips[3:], [question] * 2)


def test_the_world_is_rendered_once_for_training_and_judging() -> None:
    assert load_clips("world", "train", 9) is load_clips("world", "train", 9)
    assert torch.equal(load_clips("world", "train", 9).frames, render_clips("train", 9).frames)
