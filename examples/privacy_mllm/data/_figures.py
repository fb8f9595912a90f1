"""Painting people: from joint angles to limbs, head, hair and clothes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data._canvas import Canvas
from privacy_mllm.data._pose import Pose
from privacy_mllm.data._scene import Person

_SKIN = torch.tensor(
    [[0.98, 0.86, 0.76], [0.93, 0.76, 0.62], [0.82, 0.62, 0.46],
     [0.62, 0.43, 0.30], [0.45, 0.29, 0.19], [0.28, 0.17, 0.11]]
)  # fmt: skip
_SHIRT = torch.tensor(
    [[0.85, 0.15, 0.15], [0.15, 0.35, 0.85], [0.15, 0.60, 0.25], [0.95, 0.85, 0.20], [0.95, 0.95, 0.95],
     [0.15, 0.15, 0.18], [0.60, 0.25, 0.65], [0.95, 0.55, 0.15], [0.55, 0.40, 0.28], [0.85, 0.70, 0.58]]
)  # fmt: skip
_PANTS = torch.tensor(
    [[0.12, 0.14, 0.30], [0.20, 0.20, 0.20], [0.35, 0.28, 0.20], [0.45, 0.45, 0.50], [0.30, 0.40, 0.25]]
)  # fmt: skip
_HAIR = torch.tensor(
    [[0.08, 0.06, 0.05], [0.30, 0.18, 0.10], [0.75, 0.60, 0.30], [0.50, 0.50, 0.50], [0.55, 0.22, 0.10]]
)  # fmt: skip
_DARK, _LIPS = torch.full((3,), 0.05), torch.tensor([0.75, 0.12, 0.15])

# Lengths in body heights.
_THIGH, _ARM, _TRUNK, _HEAD = 0.22, 0.165, 0.30, 0.085

Limb = tuple[Tensor, Tensor, Tensor]
"""Upper end, joint and lower end, each ``[n, t, 2]``."""


@dataclass(frozen=True)
class Body:
    """Where the parts of a person are: points ``[n, t, 2]``, and its height ``[n]``."""

    neck: Tensor
    hip: Tensor
    head: Tensor
    arm: Limb
    other_arm: Limb
    leg: Limb
    other_leg: Limb
    size: Tensor


def place_body(pose: Pose, person: Person, *, size: Tensor, x: Tensor, ground: Tensor, facing: Tensor) -> Body:
    """Put a person on the ground.

    Args:
        pose: Its joint angles.
        person: Its build.
        size: Body height, ``[n]``.
        x: Where it stands, ``[n]``.
        ground: Height of the ground, ``[n]``.
        facing: 1 to the right, -1 to the left, ``[n]``.
    """
    tall, way = size[:, None], facing[:, None]
    reach = torch.maximum(
        pose["thigh"].cos() + pose["shin"].cos(), pose["other_thigh"].cos() + pose["other_shin"].cos()
    )
    hip_y = ground[:, None] - (_THIGH * reach + pose["rise"]) * tall
    hip = torch.stack([x[:, None] + 0.8 * way * pose["advance"], hip_y], dim=-1)
    leaning = torch.stack([pose["lean"].sin() * way, -pose["lean"].cos()], dim=-1)
    neck = hip + leaning * _TRUNK * tall[..., None]
    upward = torch.stack([leaning[..., 0] * 1.2, torch.full_like(hip_y, -1.25)], dim=-1)
    shoulders, wide, narrow = _below(neck, 0.03 * size), 0.055 * tall * person.build[:, None] * way, 0.03 * tall * way
    arm, leg = _ARM * tall[..., None], _THIGH * tall[..., None]
    return Body(
        neck=neck,
        hip=hip,
        head=neck + upward * _HEAD * tall[..., None],
        arm=_limb(_aside(shoulders, wide), arm, pose["arm"], pose["forearm"], way),
        other_arm=_limb(_aside(shoulders, -wide), arm, pose["other_arm"], pose["other_forearm"], way),
        leg=_limb(_aside(hip, narrow), leg, pose["thigh"], pose["shin"], way),
        other_leg=_limb(_aside(hip, -narrow), leg, pose["other_thigh"], pose["other_shin"], way),
        size=size,
    )


def paint_person(canvas: Canvas, body: Body, person: Person, visible: Tensor | None = None) -> Tensor:
    """Paint a person; the returned coverage ``[n, t, 1, s, s]`` tells where it is."""
    tone = (_SKIN[person.tone] + 0.25 * person.jitter[:, 12:13]).clamp(0, 1)
    shirt = torch.where(person.bare[:, None], tone, _SHIRT[person.shirt])
    shown = torch.ones_like(person.bare) if visible is None else visible
    covered = _paint_long_hair(canvas, body, person, shown)
    far = _paint_arm(canvas, body.other_arm, body.size, tone, 0.9 * shirt, shown)
    legs = _paint_legs(canvas, body, _PANTS[person.pants], shown)
    trunk = canvas.paint(
        canvas.capsule(_below(body.neck, 0.05 * body.size), body.hip, 0.075 * body.size * person.build), shirt, shown
    )
    navel = body.hip + 0.25 * (body.neck - body.hip)
    canvas.paint(canvas.disc(navel, 0.014), 0.45 * tone, shown & person.bare)
    head = _paint_head(canvas, body, person, tone, shown)
    # Seen from behind, long hair falls over the back.
    head = torch.maximum(head, _paint_long_hair(canvas, body, person, shown & ~person.front))
    near = _paint_arm(canvas, body.arm, body.size, tone, (1.05 * shirt).clamp(max=1), shown)
    for part in (far, legs, trunk, head, near):
        covered = torch.maximum(covered, part)
    return covered


def _limb(start: Tensor, length: Tensor, upper: Tensor, lower: Tensor, way: Tensor) -> Limb:
    joint = start + length * torch.stack([upper.sin() * way, upper.cos()], dim=-1)
    return start, joint, joint + length * torch.stack([lower.sin() * way, lower.cos()], dim=-1)


def _aside(point: Tensor, distance: Tensor) -> Tensor:
    return point + torch.stack([distance, torch.zeros_like(distance)], dim=-1)


def _below(point: Tensor, distance: Tensor) -> Tensor:
    return point + torch.stack([torch.zeros_like(distance), distance], dim=-1)[:, None]


def _paint_arm(canvas: Canvas, arm: Limb, size: Tensor, tone: Tensor, sleeve: Tensor, shown: Tensor) -> Tensor:
    shoulder, elbow, hand = arm
    upper = canvas.paint(canvas.capsule(shoulder, elbow, 0.030 * size), sleeve, shown)
    return torch.maximum(upper, canvas.paint(canvas.capsule(elbow, hand, 0.026 * size), tone, shown))


def _paint_legs(canvas: Canvas, body: Body, pants: Tensor, shown: Tensor) -> Tensor:
    parts = []
    for hip, knee, foot in (body.other_leg, body.leg):
        parts.append(canvas.capsule(hip, knee, 0.034 * body.size))
        parts.append(canvas.capsule(knee, foot, 0.029 * body.size))
    return canvas.paint(torch.stack(parts).amin(0), pants, shown)


def _paint_long_hair(canvas: Canvas, body: Body, person: Person, shown: Tensor) -> Tensor:
    radius = _HEAD * body.size
    hair = canvas.capsule(body.head, _below(body.head, 1.8 * radius), 1.15 * radius)
    return canvas.paint(hair, _HAIR[person.hair], shown & person.long_hair)


def _paint_head(canvas: Canvas, body: Body, person: Person, tone: Tensor, shown: Tensor) -> Tensor:
    radius, hair, front = _HEAD * body.size, _HAIR[person.hair], shown & person.front
    neck = canvas.paint(canvas.capsule(body.neck, body.head, 0.03 * body.size), tone, shown)
    skull = canvas.disc(body.head, radius, squash=0.88)
    head = canvas.paint(skull, tone, shown)
    top = (canvas.y - (body.head[..., 1] - 0.35 * radius[:, None])[..., None, None]).expand_as(skull)
    canvas.paint(torch.maximum(skull - 0.012, top), hair, front)
    canvas.paint(skull - 0.010, hair, shown & ~person.front)
    apart = torch.tensor([0.38, 0.0]) * radius[:, None, None]
    eyes = torch.minimum(canvas.disc(body.head + apart, 0.012), canvas.disc(body.head - apart, 0.012))
    canvas.paint(eyes, _DARK, front)
    canvas.paint(canvas.box(_below(body.head, 0.58 * radius), 0.42 * radius, 0.009), _LIPS, front)
    return torch.maximum(neck, head)
