"""Anonymizers: the trained network, the classical baselines and the trained ones, all behind one protocol."""

from __future__ import annotations

from privacy_mllm.methods.black import Black
from privacy_mllm.methods.blur import Blur
from privacy_mllm.methods.detectors import Detector, OpenCVDetector
from privacy_mllm.methods.downsample import Downsample
from privacy_mllm.methods.frame_difference import FrameDifference
from privacy_mllm.methods.network import NetworkAnonymizer
from privacy_mllm.methods.protocol import Anonymizer, PictureMethod, Remarking, Trainable
from privacy_mllm.methods.raw import Raw
from privacy_mllm.methods.saliency import people_saliency
from privacy_mllm.methods.selective import SelectivePrivacy
from privacy_mllm.methods.surrogates import Surrogate, fit_all, surrogates

__all__ = [
    "Anonymizer",
    "Black",
    "Blur",
    "Detector",
    "Downsample",
    "FrameDifference",
    "NetworkAnonymizer",
    "OpenCVDetector",
    "PictureMethod",
    "Raw",
    "Remarking",
    "SelectivePrivacy",
    "Surrogate",
    "Trainable",
    "baselines",
    "fit_all",
    "surrogates",
]


def baselines(*, people: bool) -> tuple[Anonymizer, ...]:
    """The baselines of the table that need no training; :func:`surrogates` are those that do.

    Args:
        people: Whether the clips say where people are; without it, those that must know are left out.
    """
    anywhere: tuple[Anonymizer, ...] = (
        Raw(),
        Downsample(2),
        Downsample(4),
        FrameDifference(),
        SelectivePrivacy(),
    )
    at_people: tuple[Anonymizer, ...] = (
        Blur("weak"),
        Blur("strong"),
        Black("box"),
        Black("silhouette"),
        SelectivePrivacy(people_saliency),
    )
    return anywhere + at_people if people else anywhere
