"""The embedded world: rendered, seeded clips of people who do something, with private attributes.

It stands in for action videos with privacy labels, so that the whole application runs on a bare machine. People are
articulated figures; camera, bystander and held card move, so that what moves is not simply what matters.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from privacy_mllm.data._canvas import Canvas
from privacy_mllm.data._figures import Body, paint_person, place_body
from privacy_mllm.data._labels import ACTIONS, ATTRIBUTES, CANDIDATES, COUNTS, OBJECTS, PLACES, QUESTIONS
from privacy_mllm.data._places import paint_card, paint_held, paint_place
from privacy_mllm.data._pose import Beat, action_pose, habit_pose
from privacy_mllm.data._scene import Scene, draw_scene
from privacy_mllm.data.clips import Answers, Clips

__all__ = [
    "ACTIONS",
    "ATTRIBUTES",
    "CANDIDATES",
    "COUNTS",
    "OBJECTS",
    "PLACES",
    "QUESTIONS",
    "SPLITS",
    "render_clips",
]

SPLITS = ("mllm", "train", "validation", "test")
"""The black box was trained on "mllm" alone; reviewers and anonymizers may learn from "train"."""

BLOCK = 8
"""Scenes are drawn and painted so many at a time: few enough to stay in the processor's cache."""

SENSOR_NOISE = 0.02


def render_clips(split: str, count: int, *, seed: int = 0, frames: int = 4, size: int = 64) -> Clips:
    """The first `count` clips of a split of the embedded world.

    Scene i of a split is the same whatever `count` is; splits and seeds never share a scene. More than 100 clips of
    4x64x64 a second on one core.

    Args:
        split: One of ``SPLITS``.
        count: Number of clips ``n``, positive.
        seed: Which world, not negative.
        frames: Frames a clip ``t``, positive; they show one period of the movement, however many there are.
        size: Height and width, at least 8.

    Returns:
        The clips, with the coverage by people.

    Raises:
        ValueError: If an argument is out of range.
    """
    _check(split, count, seed, frames, size)
    pictures = torch.empty(count, frames, 3, size, size, dtype=torch.uint8)
    people = torch.empty(count, frames, 1, size, size, dtype=torch.uint8)
    attributes, answers = torch.empty(count, len(ATTRIBUTES)), []
    for start in range(0, count, BLOCK):
        generator = _block_generator(seed, split, start // BLOCK)
        scene = draw_scene(BLOCK, generator)
        block = slice(start, min(start + BLOCK, count))
        kept = block.stop - start
        painted, covered = _paint(scene, frames, size, generator)
        pictures[block], people[block] = painted[:kept], covered[:kept]
        attributes[block] = scene.attributes()[:kept]
        answers += _answers(scene)[:kept]
    names = tuple(f"{split}-{index:05d}" for index in range(count))
    return Clips(pictures, attributes, ATTRIBUTES, tuple(answers), names, people)


def _paint(scene: Scene, frames: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures and coverage by people, as bytes."""
    time = torch.arange(frames) / frames
    canvas = Canvas(frames, size, _camera(scene, time))
    paint_place(canvas, scene)
    bystander, person = _bystander(scene, time), _person(scene, time)
    behind = paint_person(canvas, bystander, scene.people[1], scene.second)
    covered = torch.maximum(behind, paint_person(canvas, person, scene.people[0]))
    paint_card(canvas, scene, person.arm[2])
    paint_held(canvas, scene, person.other_arm[2])
    noise = torch.randn(canvas.pixels.shape, generator=generator) * SENSOR_NOISE
    return _to_bytes(canvas.pixels + noise), _to_bytes(covered)


def _camera(scene: Scene, time: Tensor) -> Tensor:
    """A steady pan and a shaking hand, ``[n, t, 2]``."""
    pan = scene.pan[:, None] * (time - time.mean())[:, None]
    turns = 1.2 + 0.8 * scene.shake.flip(1)[:, None]
    shake = (2 * math.pi * (turns * time[:, None] + scene.shake[:, None])).sin()
    return pan + (0.006 + 0.012 * scene.shake[:, None]) * shake


def _beat(scene: Scene, time: Tensor, delay: float) -> Beat:
    phase = scene.phase[:, None] + delay + 2 * math.pi * scene.speed[:, None] * time
    return Beat(phase.sin(), phase.cos(), (time - time.mean()).expand_as(phase))


def _person(scene: Scene, time: Tensor) -> Body:
    person = scene.people[0]
    return place_body(
        action_pose(scene.action, _beat(scene, time, 0.0), person.jitter),
        person,
        size=scene.size,
        x=scene.x,
        ground=scene.ground,
        facing=torch.where(scene.mirrored, -1.0, 1.0),
    )


def _bystander(scene: Scene, time: Tensor) -> Body:
    person = scene.people[1]
    pose = habit_pose(scene.habit, _beat(scene, time, 1.0), person.jitter)
    # Two who belong together touch: the inner arm reaches for the other person.
    for joint, angle in (("arm", 0.75), ("forearm", 1.0)):
        reaching = angle + 0.3 * (pose[joint] - pose[joint].mean(dim=1, keepdim=True))
        pose[joint] = torch.where(scene.close[:, None], reaching, pose[joint])
    distance = torch.where(scene.close, 0.17 + 0.03 * scene.gap, 0.27 + 0.04 * scene.gap)
    return place_body(
        pose,
        person,
        size=0.95 * scene.size,
        x=scene.x + scene.side * distance,
        ground=scene.ground,
        facing=-scene.side,
    )


def _answers(scene: Scene) -> list[Answers]:
    said = (
        [ACTIONS[action] for action in scene.action],
        [COUNTS[int(second)] for second in scene.second],
        [OBJECTS[held] for held in scene.held],
        [PLACES[place] for place in scene.place],
    )
    return [dict(zip(QUESTIONS, ((text,) for text in texts), strict=True)) for texts in zip(*said, strict=True)]


def _to_bytes(picture: Tensor) -> Tensor:
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8)


def _block_generator(seed: int, split: str, block: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{split}/{block}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _check(split: str, count: int, seed: int, frames: int, size: int) -> None:
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    for name, value in (("count", count), ("frames", frames)):
        if value < 1:
            raise ValueError(f"`{name}` must be positive, got {value}.")
    if seed < 0:
        raise ValueError(f"`seed` must not be negative, got {seed}.")
    if size < 8:
        raise ValueError(f"`size` must be at least 8, got {size}.")
