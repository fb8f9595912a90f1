"""Anonymizers: the trained network and the classical baselines, all behind one protocol."""

from __future__ import annotations

from privacy_mllm.methods.black import Black
from privacy_mllm.methods.blur import Blur
from privacy_mllm.methods.downsample import Downsample
from privacy_mllm.methods.frame_difference import FrameDifference
from privacy_mllm.methods.network import NetworkAnonymizer
from privacy_mllm.methods.protocol import Anonymizer, PictureMethod, Remarking
from privacy_mllm.methods.raw import Raw

__all__ = [
    "Anonymizer",
    "Black",
    "Blur",
    "Downsample",
    "FrameDifference",
    "NetworkAnonymizer",
    "PictureMethod",
    "Raw",
    "Remarking",
    "baselines",
]


def baselines(*, people: bool) -> tuple[Anonymizer, ...]:
    """The baselines of the table that need no training.

    Args:
        people: Whether the clips say where people are; without it, those that must know are left out.
    """
    anywhere: tuple[Anonymizer, ...] = (Raw(), Downsample(2), Downsample(4), FrameDifference())
    at_people: tuple[Anonymizer, ...] = (Blur("weak"), Blur("strong"), Black("box"), Black("silhouette"))
    return anywhere + at_people if people else anywhere
