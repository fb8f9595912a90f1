"""Painting what is around the people: the place, what a hand holds, and the card."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from privacy_mllm.data._canvas import Canvas
from privacy_mllm.data._scene import Scene

FAR = 0.6
"""What is far away follows the camera by this factor."""

_ABOVE = torch.tensor([[0.75, 0.70, 0.62], [0.55, 0.75, 0.95], [0.60, 0.80, 0.98], [0.62, 0.64, 0.68]])
_BELOW = torch.tensor([[0.50, 0.36, 0.25], [0.30, 0.58, 0.28], [0.92, 0.84, 0.62], [0.32, 0.32, 0.34]])
_LANDMARK = torch.tensor([[0.70, 0.88, 0.98], [0.12, 0.42, 0.15], [0.15, 0.42, 0.75], [0.55, 0.32, 0.28]])
_INDOORS, _PARK, _BEACH = 0, 1, 2
_BALL, _CUP, _STICK = 1, 2, 3
_HELD = torch.tensor([[0.0, 0.0, 0.0], [0.80, 0.95, 0.15], [0.97, 0.97, 1.0], [0.55, 0.33, 0.12]])
_OUTLINE, _GOLD, _INK = torch.full((3,), 0.08), torch.tensor([0.95, 0.80, 0.25]), torch.full((3,), 0.05)


def paint_place(canvas: Canvas, scene: Scene) -> None:
    """Sky or wall, ground, a landmark, and a texture that shows when the camera moves."""
    canvas.look(parallax=FAR)
    above = (_ABOVE[scene.place] + 0.15 * (scene.paint[:, 0:3] - 0.5)).clamp(0, 1)
    below = (_BELOW[scene.place] + 0.12 * (scene.paint[:, 3:6] - 0.5)).clamp(0, 1)
    horizon = 0.55 + 0.15 * scene.paint[:, 6]
    everywhere = torch.full_like(canvas.x + canvas.y, -1.0)
    canvas.paint(everywhere, above)
    canvas.paint(everywhere + 1 + horizon[:, None, None, None] - canvas.y, below)
    canvas.paint(_landmark(canvas, scene, horizon), _LANDMARK[scene.place])
    turns = 2 * math.pi * (2.5 + 4 * scene.paint[:, 8:10])[:, :, None, None, None]
    texture = (canvas.x * turns[:, 0] + 6 * scene.paint[:, 10, None, None, None]).sin() * (canvas.y * turns[:, 1]).sin()
    strength = (0.03 + 0.07 * scene.paint[:, 11])[:, None, None, None]
    canvas.pixels = canvas.pixels + (strength * texture).unsqueeze(2)
    canvas.look()


def paint_held(canvas: Canvas, scene: Scene, hand: Tensor) -> None:
    """What the person holds, with a dark outline so that it can be read before any shirt."""
    ball = canvas.disc(hand, 0.055)
    cup = canvas.box(hand, 0.042, 0.055)
    stick = canvas.box(hand, 0.016, 0.17)
    held = scene.held[:, None, None, None]
    shape = torch.where(held == _BALL, ball, torch.where(held == _CUP, cup, stick))
    something = scene.held > 0
    canvas.paint(shape - 0.012, _OUTLINE, something)
    canvas.paint(shape, _HELD[scene.held], something)


def paint_card(canvas: Canvas, scene: Scene, hand: Tensor) -> None:
    """A bank card, or a blank box of the same size and colours; in the person's hand or fixed in the scene."""
    centre = torch.where(scene.card_held[:, None, None], hand, scene.card_place[:, None])
    colour = torch.tensor([0.2, 0.3, 0.55]) + torch.tensor([0.6, 0.5, 0.4]) * scene.paint[:, [3, 5, 1]]
    canvas.paint(canvas.box(centre, 0.115, 0.075), colour, scene.card | scene.blank)
    canvas.paint(canvas.box(centre - torch.tensor([0.065, 0.018]), 0.024, 0.021), _GOLD, scene.card)
    digits = canvas.box(centre + torch.tensor([0.0, 0.038]), 0.095, 0.013)
    canvas.paint(torch.maximum(digits, 0.012 * canvas.stripes(centre, 134.0)), _INK, scene.card)


def _landmark(canvas: Canvas, scene: Scene, horizon: Tensor) -> Tensor:
    """A window, a tree, the sea or a house."""
    x = 0.15 + 0.7 * scene.paint[:, 7]

    def at(across: Tensor, down: Tensor | float) -> Tensor:
        return torch.stack([across, torch.as_tensor(down).expand_as(across)], dim=-1)[:, None]

    window = canvas.box(at(x, 0.28), 0.12, 0.12)
    tree = canvas.disc(at(x, 0.33), 0.15)
    sea = canvas.box(at(torch.full_like(x, 0.5), horizon - 0.05), 0.9, 0.05)
    house = canvas.box(at(x, 0.35), 0.16, 0.25)
    place = scene.place[:, None, None, None]
    outdoors = torch.where(place == _PARK, tree, torch.where(place == _BEACH, sea, house))
    return torch.where(place == _INDOORS, window, outdoors)
