"""How the joints of a person stand while it does something: angles over time.

Angles are in radians from straight down, positive to the front; `advance` and `rise` move the whole body, in body
heights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data._labels import ACTIONS

ANGLES = ("arm", "forearm", "other_arm", "other_forearm", "thigh", "shin", "other_thigh", "other_shin", "lean")
REST = {
    "arm": 0.15, "forearm": 0.2, "other_arm": -0.15, "other_forearm": -0.2,
    "thigh": 0.1, "shin": 0.1, "other_thigh": -0.1, "other_shin": -0.1,
    "lean": 0.0, "advance": 0.0, "rise": 0.0,
}  # fmt: skip
"""Standing at ease."""

Pose = dict[str, Tensor]
"""One tensor ``[n, t]`` for each name of ``REST``."""


@dataclass(frozen=True)
class Beat:
    """Where in its movement each person is, all ``[n, t]``: sine and cosine of the phase, time in [-.5, .5]."""

    s: Tensor
    c: Tensor
    time: Tensor

    @property
    def up(self) -> Tensor:
        """The positive half of the wave."""
        return self.s.clamp(min=0)

    @property
    def down(self) -> Tensor:
        """The negative half of the wave, turned positive."""
        return (-self.s).clamp(min=0)

    @property
    def swell(self) -> Tensor:
        """The wave between 0 and 1."""
        return 0.5 + 0.5 * self.s


Joints = dict[str, Tensor | float]


def _waving(b: Beat) -> Joints:
    return {"arm": 2.3, "forearm": 2.9 + 0.65 * b.s}


def _clapping(b: Beat) -> Joints:
    arm, forearm = 0.55 + 0.25 * b.s, -1.3 + 1.1 * b.swell
    return {"arm": arm, "forearm": forearm, "other_arm": -arm, "other_forearm": -forearm}


def _walking(b: Beat) -> Joints:
    swing = 0.45 * b.s
    return {
        "arm": swing, "forearm": swing + 0.15, "other_arm": -swing, "other_forearm": 0.15 - swing,
        "thigh": -swing, "shin": -swing - 0.2 * (b.c > 0), "other_thigh": swing, "other_shin": swing - 0.2 * (b.c < 0),
        "advance": 0.10 * b.time,
    }  # fmt: skip


def _running(b: Beat) -> Joints:
    leg = 0.95 * b.s
    return {
        "arm": b.s, "forearm": b.s + 1.5, "other_arm": -b.s, "other_forearm": 1.5 - b.s,
        "thigh": 0.2 - leg, "shin": -leg - 0.7, "other_thigh": leg + 0.2, "other_shin": leg - 0.7,
        "lean": 0.28, "advance": 0.22 * b.time,
    }  # fmt: skip


def _jumping(b: Beat) -> Joints:
    arm, forearm, thigh, shin = 0.5 + 1.9 * b.up, 0.6 + 2.0 * b.up, 0.15 + 0.35 * b.up, 0.15 + 0.2 * b.up
    return {
        "arm": arm, "forearm": forearm, "other_arm": -arm, "other_forearm": -forearm,
        "thigh": thigh, "shin": shin, "other_thigh": -thigh, "other_shin": -shin, "rise": 0.20 * b.up,
    }  # fmt: skip


def _squatting(b: Beat) -> Joints:
    deep = b.swell
    return {
        "arm": 0.3 + 1.2 * deep, "forearm": 0.3 + 1.3 * deep, "other_arm": 0.1 + 1.2 * deep,
        "other_forearm": 0.1 + 1.3 * deep, "thigh": 0.15 + 1.15 * deep, "shin": 0.1 - 0.75 * deep,
        "other_thigh": 0.05 + 1.15 * deep, "other_shin": -0.75 * deep, "lean": 0.35 * deep,
    }  # fmt: skip


def _punching(b: Beat) -> Joints:
    return {
        "arm": 0.4 + 1.15 * b.up, "forearm": 2.3 - 0.75 * b.up,
        "other_arm": 0.3 + 1.25 * b.down, "other_forearm": 2.3 - 0.75 * b.down,
        "thigh": 0.35, "shin": 0.25, "other_thigh": -0.35, "other_shin": -0.35,
    }  # fmt: skip


def _kicking(b: Beat) -> Joints:
    return {
        "arm": 0.5 - 0.9 * b.up, "forearm": 1.2 - 0.6 * b.up, "other_arm": -0.4 + 0.9 * b.up,
        "other_forearm": 0.4 + 0.9 * b.up, "thigh": 0.1 + 1.5 * b.up, "shin": -0.5 + 2.0 * b.up,
        "other_thigh": 0.0, "other_shin": -0.05, "lean": -0.2 * b.up,
    }  # fmt: skip


def _sitting(b: Beat) -> Joints:
    return {
        "arm": 0.5, "forearm": 1.1, "other_arm": 0.4, "other_forearm": 1.0,
        "thigh": 1.45, "shin": 0.05 * b.s, "other_thigh": 1.35, "other_shin": 0.05 + 0.05 * b.c,
    }  # fmt: skip


def _lifting(b: Beat) -> Joints:
    arm, forearm = 0.9 + 1.9 * b.swell, 1.6 + 1.5 * b.swell
    return {
        "arm": arm, "forearm": forearm, "other_arm": -arm, "other_forearm": -forearm,
        "thigh": 0.2, "shin": 0.12, "other_thigh": -0.2, "other_shin": -0.12,
    }  # fmt: skip


def _swaying(b: Beat) -> Joints:
    sway = 0.10 * b.s
    return {"arm": 0.2 + sway, "forearm": 0.3 + 2 * sway, "other_arm": -0.2 + sway, "lean": sway}


def _stepping(b: Beat) -> Joints:
    swing = 0.18 * b.s
    return {
        "arm": swing, "forearm": swing + 0.1, "other_arm": -swing, "other_forearm": 0.1 - swing,
        "thigh": -swing, "shin": -swing, "other_thigh": swing, "other_shin": swing, "advance": 0.08 * b.time,
    }  # fmt: skip


def _bobbing(b: Beat) -> Joints:
    return {"rise": 0.025 * b.s, "forearm": 0.4 + 0.2 * b.c, "lean": 0.05 * b.c}


_ACTIONS: dict[str, Callable[[Beat], Joints]] = {
    "waving": _waving, "clapping": _clapping, "walking": _walking, "running": _running, "jumping": _jumping,
    "squatting": _squatting, "punching": _punching, "kicking": _kicking, "sitting": _sitting, "lifting": _lifting,
}  # fmt: skip
_HABITS = (_swaying, _stepping, _bobbing)


def action_pose(action: Tensor, beat: Beat, jitter: Tensor) -> Pose:
    """The pose of people who act: `action` ``[n]`` indexes ``ACTIONS``, `jitter` ``[n, 16]`` makes each one its own."""
    return _select([_ACTIONS[name] for name in ACTIONS], action, beat, 0.8 * jitter)


def habit_pose(habit: Tensor, beat: Beat, jitter: Tensor) -> Pose:
    """The pose of people who merely stand by, and move a little all the same."""
    return _select(list(_HABITS), habit, beat, jitter)


def _select(choices: list[Callable[[Beat], Joints]], chosen: Tensor, beat: Beat, jitter: Tensor) -> Pose:
    every = []
    for choice in choices:
        joints = REST | choice(beat)
        every.append(torch.stack([torch.as_tensor(joints[name]).expand_as(beat.s) for name in REST]))
    picked = torch.stack(every)[chosen, :, torch.arange(len(chosen))]
    pose = dict(zip(REST, picked.unbind(1), strict=True))
    for index, name in enumerate(ANGLES):
        pose[name] = pose[name] + jitter[:, index, None]
    return pose
