"""The embedded world's people, each in several clips: who is it, rather than what can be seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from privacy_mllm.data._labels import ATTRIBUTES
from privacy_mllm.data._scene import Person, Scene, draw_scene
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import BLOCK, SPLITS, _answers, _block_generator, _paint


@dataclass(frozen=True)
class PeopleClips:
    """Clips with the identity of the person who acts in each.

    Args:
        clips: The clips.
        people: Number of that person, ``int64 [n]``.
    """

    clips: Clips
    people: Tensor


def render_people(
    split: str, num_people: int, *, clips_each: int = 4, seed: int = 0, frames: int = 4, size: int = 64
) -> PeopleClips:
    """Clips in which the same people act again, in another place, with another action and another bystander.

    A person keeps build, skin, hair, clothes and manner of moving; whether the face is turned to the camera is drawn
    anew in each clip. The scenes are none of those of :func:`privacy_mllm.data.world.render_clips`.

    Args:
        split: One of :data:`privacy_mllm.data.world.SPLITS`; their people differ.
        num_people: Number of people, 2 or more.
        clips_each: Clips of each person, 2 or more.
        seed: Which world, not negative.
        frames: Frames a clip.
        size: Height and width, at least 8.

    Returns:
        ``num_people * clips_each`` clips: one of everybody, then another of everybody, and so on.

    Raises:
        ValueError: If an argument is out of range.
    """
    _check(split, num_people, clips_each)
    rounds = [
        [_render_block(seed, split, block, number, frames, size) for block in range(-(-num_people // BLOCK))]
        for number in range(clips_each)
    ]
    parts = [_join(blocks, num_people) for blocks in rounds]
    names = tuple(
        f"{split}-person-{person:05d}-{number}" for number in range(clips_each) for person in range(num_people)
    )
    clips = Clips(
        frames=torch.cat([part.frames for part in parts]),
        attributes=torch.cat([part.attributes for part in parts]),
        attribute_names=ATTRIBUTES,
        answers=tuple(answers for part in parts for answers in part.answers),
        names=names,
        people=torch.cat([part.people for part in parts if part.people is not None]),
    )
    return PeopleClips(clips, torch.arange(num_people).repeat(clips_each))


def _render_block(seed: int, split: str, block: int, number: int, frames: int, size: int) -> Clips:
    """The clips of one round for `BLOCK` people."""
    looks = draw_scene(BLOCK, _block_generator(seed, f"{split}/people", block)).people[0]
    generator = _block_generator(seed, f"{split}/people/{number}", block)
    scene = _with_person(draw_scene(BLOCK, generator), looks)
    pictures, covered = _paint(scene, frames, size, generator)
    names = tuple(map(str, range(BLOCK)))
    return Clips(pictures, scene.attributes(), ATTRIBUTES, tuple(_answers(scene)), names, covered)


def _with_person(scene: Scene, looks: Person) -> Scene:
    person, bystander = scene.people
    return replace(scene, people=(replace(looks, front=person.front), bystander))


def _join(blocks: list[Clips], count: int) -> Clips:
    def joined(name: str) -> Tensor:
        return torch.cat([getattr(block, name) for block in blocks])

    answers = tuple(answer for block in blocks for answer in block.answers)
    names = tuple(str(index) for index in range(len(answers)))
    parts = joined("frames"), joined("attributes"), ATTRIBUTES, answers, names, joined("people")
    return Clips(*parts).head(count)


def _check(split: str, num_people: int, clips_each: int) -> None:
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    for name, value in (("num_people", num_people), ("clips_each", clips_each)):
        if value < 2:
            raise ValueError(f"`{name}` must be 2 or more, got {value}.")
