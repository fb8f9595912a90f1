"""The embedded world: reproducible, labelled as painted, and no easy prey for a frame difference."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from privacy_mllm.data._scene import Scene, draw_scene
from privacy_mllm.data.world import ATTRIBUTES, CANDIDATES, QUESTIONS, SPLITS, _paint, render_clips


def _scene(count: int = 64) -> Scene:
    return draw_scene(count, torch.Generator().manual_seed(0))


def _painted(scene: Scene) -> Tensor:
    return _paint(scene, 2, 32, torch.Generator().manual_seed(0))[0].int()


def _changed(before: Tensor, after: Tensor) -> Tensor:
    return (before != after).flatten(1).any(dim=1)


def test_a_scene_does_not_depend_on_how_many_are_rendered() -> None:
    few, many = render_clips("train", 5), render_clips("train", 19)
    assert torch.equal(few.frames, many.frames[:5])
    assert torch.equal(few.attributes, many.attributes[:5])
    assert few.answers == many.answers[:5]
    assert few.names == many.names[:5] == tuple(f"train-0000{i}" for i in range(5))


def test_splits_and_seeds_share_no_scene() -> None:
    worlds = [render_clips(split, 8, seed=seed).frames for split in SPLITS for seed in (0, 1)]
    pictures = {clip.numpy().tobytes() for world in worlds for clip in world}
    assert len(pictures) == 8 * len(worlds)


def test_rendering_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    render_clips("test", 1)
    assert torch.equal(before, torch.get_rng_state())


def test_clips_have_the_promised_form() -> None:
    clips = render_clips("test", 3, frames=2, size=32)
    assert clips.frames.shape == (3, 2, 3, 32, 32)
    assert clips.frames.dtype == torch.uint8
    assert clips.people is not None
    assert clips.people.shape == (3, 2, 1, 32, 32)
    assert clips.attribute_names == ATTRIBUTES
    for answers in clips.answers:
        assert tuple(answers) == QUESTIONS
        assert all(answers[question][0] in CANDIDATES[question] for question in QUESTIONS)


def test_labels_do_not_depend_on_frames_or_size() -> None:
    small, large = render_clips("test", 8, frames=1, size=16), render_clips("test", 8, frames=6, size=48)
    assert torch.equal(small.attributes, large.attributes)
    assert small.answers == large.answers


def test_no_attribute_and_no_answer_is_rare() -> None:
    scene = _scene(2000)
    rates = scene.attributes().mean(0)
    assert bool(((rates > 0.3) & (rates < 0.65)).all())
    for labels, number in ((scene.action, 10), (scene.held, 4), (scene.place, 4)):
        # Twelve standard deviations would be half of the rate itself: 0.75 is a loose bound.
        assert bool((torch.bincount(labels, minlength=number) > 0.75 * 2000 / number).all())


def test_private_attributes_count_on_anyone_in_the_picture() -> None:
    scene = _scene()
    first, other = scene.people
    long_hair = first.long_hair | (other.long_hair & scene.second)
    assert torch.equal(scene.attributes()[:, ATTRIBUTES.index("gender_cue")], long_hair.float())


@pytest.mark.parametrize("part", [field.name for field in fields(_scene(1).people[0]) if field.name != "jitter"])
def test_a_bystander_who_is_not_there_leaves_no_trace(part: str) -> None:
    scene = _scene(16)
    first, other = scene.people
    changed = replace(scene, people=(first, replace(other, **{part: getattr(other, part).roll(1)})))
    trace = _changed(_painted(scene), _painted(changed))
    assert not bool((trace & ~scene.second).any())


def test_every_private_attribute_can_be_seen() -> None:
    scene = _scene(16)
    before = _painted(scene)
    first, other = scene.people
    for part in ("front", "long_hair", "bare"):
        turned = replace(scene, people=(replace(first, **{part: ~getattr(first, part)}), other))
        assert bool(_changed(before, _painted(turned)).all()), part
    pale = replace(scene, people=(replace(first, tone=5 - first.tone), other))
    assert bool(_changed(before, _painted(pale)).all())
    carded = replace(scene, card=~scene.card, blank=scene.card)
    assert bool(_changed(before, _painted(carded)).all())
    joined = replace(scene, close=~scene.close)
    assert torch.equal(_changed(before, _painted(joined)), scene.second)


def test_people_are_in_every_frame() -> None:
    people = render_clips("test", 64).people
    assert people is not None
    share = people.float().mean(dim=(2, 3, 4)) / 255
    assert bool((share > 0.04).all())
    assert bool((share < 0.5).all())


def test_the_background_moves_too() -> None:
    clips = render_clips("test", 32)
    assert clips.people is not None
    background = (clips.people.amax(dim=1) == 0).expand(-1, 3, -1, -1)
    difference = (clips.frames[:, 0].int() - clips.frames[:, -1].int()).abs()
    noise = 2 * 0.02 * 255 / torch.pi**0.5
    assert float(difference[background].float().mean()) > 1.5 * noise


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "`split` must be one of mllm, train, validation, test, got 'dev'"),
        ({"count": -1}, "`count` must be positive, got -1"),
        ({"count": 0}, "`count` must be positive, got 0"),
        ({"frames": 0}, "`frames` must be positive, got 0"),
        ({"seed": -1}, "`seed` must not be negative, got -1"),
        ({"size": 4}, "`size` must be at least 8, got 4"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"split": "test", "count": 1}
    with pytest.raises(ValueError, match=message):
        render_clips(**(good | arguments))  # type: ignore[arg-type]
