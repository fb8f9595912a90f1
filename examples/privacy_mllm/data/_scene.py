"""What there is in a block of clips, drawn at random; nothing here is painted yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data._labels import ACTIONS, OBJECTS, PLACES

NUM_TONES, NUM_SHIRTS, NUM_PANTS, NUM_HAIRS = 6, 10, 5, 5
NUM_HABITS = 3
"""What a bystander does: sways, steps on the spot, or bobs."""


@dataclass(frozen=True)
class Person:
    """What one person of each clip looks like; all ``[n]`` but `jitter` ``[n, 16]``."""

    tone: Tensor
    front: Tensor
    long_hair: Tensor
    bare: Tensor
    shirt: Tensor
    pants: Tensor
    hair: Tensor
    build: Tensor
    jitter: Tensor


@dataclass(frozen=True)
class Scene:
    """A block of scenes; all ``[n]`` but `people`, `card_place`, `pan`, `shake` ``[n, 2]`` and `paint` ``[n, 12]``."""

    action: Tensor
    held: Tensor
    place: Tensor
    second: Tensor
    close: Tensor
    card: Tensor
    blank: Tensor
    card_held: Tensor
    card_place: Tensor
    mirrored: Tensor
    phase: Tensor
    speed: Tensor
    size: Tensor
    x: Tensor
    ground: Tensor
    habit: Tensor
    side: Tensor
    gap: Tensor
    pan: Tensor
    shake: Tensor
    paint: Tensor
    people: tuple[Person, Person]

    def attributes(self) -> Tensor:
        """The private attributes of each clip, in the order of ``ATTRIBUTES``, ``float32 [n, 6]``."""
        first, other = self.people
        anyone = [
            mine | (theirs & self.second)
            for mine, theirs in (
                (first.tone >= NUM_TONES // 2, other.tone >= NUM_TONES // 2),
                (first.front, other.front),
                (first.long_hair, other.long_hair),
                (first.bare, other.bare),
            )
        ]
        return torch.stack([*anyone, self.second & self.close, self.card], dim=1).float()


def draw_scene(count: int, generator: torch.Generator) -> Scene:
    """Random scenes.

    Args:
        count: Number of scenes ``n``.
        generator: Source of randomness.
    """
    draw = _Draw(count, generator)
    card = draw.coin(0.4)
    held_beside = draw.coin(0.5)
    # A card that hangs or lies keeps to the top or to the lower corners, where it hides little of the person.
    top = draw.coin(0.5)
    low_x = 0.5 + torch.where(draw.coin(0.5), 1.0, -1.0) * draw.between(0.26, 0.36)
    card_x = torch.where(top, draw.between(0.16, 0.84), low_x)
    card_y = torch.where(top, draw.between(0.11, 0.17), draw.between(0.78, 0.88))
    return Scene(
        action=draw.one_of(len(ACTIONS)),
        held=draw.one_of(len(OBJECTS)),
        place=draw.one_of(len(PLACES)),
        second=draw.coin(0.55),
        close=draw.coin(0.65),
        card=card,
        blank=draw.coin(0.5) & ~card,
        card_held=held_beside,
        card_place=torch.stack([card_x, card_y], dim=1),
        mirrored=draw.coin(0.5),
        phase=draw.between(0, 2 * math.pi),
        speed=draw.between(0.85, 1.2),
        size=draw.between(0.66, 0.80),
        x=draw.between(0.42, 0.58),
        ground=draw.between(0.90, 0.96),
        habit=draw.one_of(NUM_HABITS),
        side=torch.where(draw.coin(0.5), 1.0, -1.0),
        gap=draw.between(0, 1),
        pan=torch.stack([draw.between(-0.12, 0.12), draw.between(-0.04, 0.04)], dim=1),
        shake=torch.rand(count, 2, generator=generator),
        paint=torch.rand(count, 12, generator=generator),
        people=(draw.person(bare=0.33), draw.person(bare=0.17)),
    )


class _Draw:
    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator = count, generator

    def between(self, low: float, high: float) -> Tensor:
        return torch.rand(self.count, generator=self.generator) * (high - low) + low

    def coin(self, chance: float) -> Tensor:
        return torch.rand(self.count, generator=self.generator) < chance

    def one_of(self, number: int) -> Tensor:
        return torch.randint(number, (self.count,), generator=self.generator)

    def person(self, *, bare: float) -> Person:
        # "On anyone": a little below one half each, so that about half of the clips show it.
        dark = self.coin(0.38)
        return Person(
            tone=self.one_of(NUM_TONES // 2) + NUM_TONES // 2 * dark,
            front=self.coin(0.42),
            long_hair=self.coin(0.38),
            bare=self.coin(bare),
            shirt=self.one_of(NUM_SHIRTS),
            pants=self.one_of(NUM_PANTS),
            hair=self.one_of(NUM_HAIRS),
            build=self.between(0.85, 1.15),
            jitter=torch.randn(self.count, 16, generator=self.generator) * 0.08,
        )
