"""How good a set of weights is, and whether two sets agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from safetensors.torch import load_file
from torch import Tensor, nn

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.methods.network import NetworkAnonymizer
from privacy_mllm.metrics import accuracy, class_mean_average_precision
from privacy_mllm.models.reviewer import Reviewer
from privacy_mllm.models.tiny_mllm import TinyMLLM
from privacy_mllm.models.unet import UNet
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.reviewing import review, train_reviewer
from privacy_mllm.weights import NAMES

Network = TypeVar("Network", bound=nn.Module)

TOLERANCE = 5.0
"""Two files agree if their networks' qualities differ by at most so many percent points: a retraining with another
order of additions lies well within."""


@dataclass(frozen=True)
class Agreement:
    """How one file of two sets of weights compares.

    Args:
        name: The file.
        identical: Whether all bytes are the same.
        max_difference: Largest absolute difference of a weight.
        qualities: What each network reaches, in percent: accuracy of the action for the model, cMAP for a reviewer (on
            raw clips; for the warm one on its own U-Net's output), 100 minus the mean absolute error for a U-Net.
    """

    name: str
    identical: bool
    max_difference: float
    qualities: tuple[float, float]

    @property
    def agrees(self) -> bool:
        """Whether the two networks are the same or do the same within the tolerance."""
        return self.identical or abs(self.qualities[0] - self.qualities[1]) <= TOLERANCE

    def __str__(self) -> str:
        """One line for a terminal."""
        if self.identical:
            return f"{self.name}: the same, bit for bit"
        first, second = self.qualities
        verdict = "agrees" if self.agrees else "DIFFERS"
        return f"{self.name}: {verdict}, {first:.1f} and {second:.1f} % (weights up to {self.max_difference:.2g} apart)"


def compare_weights(a: Path, b: Path, *, num_clips: int = 200) -> list[Agreement]:
    """Whether two folders of weights agree, file by file.

    Args:
        a: A folder that ``pretrain`` wrote, or the shipped one.
        b: Another.
        num_clips: Clips of the split "test" on which the networks are compared.

    Returns:
        One entry a network.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    clips = render_clips("test", num_clips)
    return [_compare(name, a, b, clips) for name in NAMES]


def measure(
    folder: Path, test_clips: int, attacker_clips: int, attacker_steps: int, report: Callable[[str, int, int], None]
) -> dict[str, dict[str, float]]:
    """What a folder of weights reaches on the split "test", in percent.

    Args:
        folder: Where the weights are.
        test_clips: Number of clips judged.
        attacker_clips: Number of clips of the split "train" that the attackers learn from.
        attacker_steps: Steps of the attackers, fine-tuned from the reviewer.
        report: Called with the stage, the steps done and the steps in all.
    """
    test, known = render_clips("test", test_clips), render_clips("train", attacker_clips)
    oracle = EmbeddedOracle(_load(TinyMLLM(), folder, "tiny_mllm"))
    reviewer, warm = (_load(Reviewer(), folder, name) for name in ("reviewer", "reviewer_warm"))

    def attack(seen: Clips, learnt: Clips, init: Reviewer) -> float:
        attacker = train_reviewer(learnt.frames, learnt.attributes, steps=attacker_steps, seed=100, init=init)
        return _cmap(attacker, seen)

    results = {
        "raw": {**_utility(oracle, test), **_leakage(reviewer, test), "attacker_cmap": attack(test, known, reviewer)}
    }
    report("attackers", 1, 4)
    for done, name in enumerate(("unet_identity", "unet_warm"), start=2):
        network = NetworkAnonymizer(_load(UNet(), folder, name), name)
        seen, learnt = (clips.with_frames(network.anonymize(clips)) for clips in (test, known))
        results[name] = {
            **_utility(oracle, seen),
            "frozen_cmap": _cmap(reviewer, seen),
            "attacker_cmap": attack(seen, learnt, reviewer),
        }
        report("attackers", done, 4)
    # An attacker that starts from the reviewer that was trained along reads more than one that starts from raw clips.
    results["unet_warm"] |= {
        "reviewer_warm_cmap": _cmap(warm, seen),
        "attacker_from_reviewer_warm_cmap": attack(seen, learnt, warm),
    }
    report("attackers", 4, 4)
    return {part: {key: round(value, 1) for key, value in values.items()} for part, values in results.items()}


def _leakage(reviewer: Reviewer, clips: Clips) -> dict[str, float]:
    leakage = class_mean_average_precision(review(reviewer, clips.frames), clips.attributes)
    per_class = dict(zip(clips.attribute_names, leakage.per_class, strict=True))
    return {"blind": leakage.chance, "frozen_cmap": leakage.value, **per_class}


def _utility(oracle: EmbeddedOracle, clips: Clips) -> dict[str, float]:
    return {question: _accuracy(oracle, clips, question) for question in QUESTIONS}


def _accuracy(oracle: EmbeddedOracle, clips: Clips, question: str) -> float:
    said = [answer.text for answer in oracle.ask(clips.frames, [question] * len(clips))]
    return accuracy(said, [answers[question] for answers in clips.answers])


def _cmap(reviewer: Reviewer, clips: Clips) -> float:
    return class_mean_average_precision(review(reviewer, clips.frames), clips.attributes).value


def _compare(name: str, a: Path, b: Path, clips: Clips) -> Agreement:
    first, second = ((folder / f"{name}.safetensors") for folder in (a, b))
    identical = first.read_bytes() == second.read_bytes()
    quality = _quality(name, a, clips)
    return Agreement(
        name=name,
        identical=identical,
        max_difference=_max_difference(load_file(first), load_file(second)),
        qualities=(quality, quality if identical else _quality(name, b, clips)),
    )


def _max_difference(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    if a.keys() != b.keys() or any(a[key].shape != b[key].shape for key in a):
        return float("inf")
    return max(float((a[key].double() - b[key].double()).abs().max()) for key in a)


def _quality(name: str, folder: Path, clips: Clips) -> float:
    if name == "tiny_mllm":
        return _accuracy(EmbeddedOracle(_load(TinyMLLM(), folder, name)), clips, QUESTIONS[0])
    if name == "reviewer":
        return _cmap(_load(Reviewer(), folder, name), clips)
    unet = "unet_warm" if name == "reviewer_warm" else name
    output = NetworkAnonymizer(_load(UNet(), folder, unet), unet).anonymize(clips)
    if name == "reviewer_warm":
        return _cmap(_load(Reviewer(), folder, name), clips.with_frames(output))
    return 100 - 100 * float((output.float() - clips.frames.float()).abs().mean()) / 255


def _load(network: Network, folder: Path, name: str) -> Network:
    network.load_state_dict(load_file(folder / f"{name}.safetensors"))
    return network.eval()
