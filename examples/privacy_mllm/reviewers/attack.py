"""Attackers that are trained after the anonymizer is done: what they read is what it leaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from privacy_mllm.metrics import CMAP, class_mean_average_precision
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.reviewer import Reviewer
from privacy_mllm.reviewing import review, train_reviewer

FINE_TUNING_STEPS = 200
SCRATCH_STEPS = 900
"""From scratch takes longer: 200 steps read 69 of the 91 points on raw pictures that fine-tuning reads."""


@dataclass(frozen=True)
class Attack:
    """One trained attacker and what it reads.

    Args:
        name: Where it began: the name of its start, or "scratch-1" and so on.
        leakage: What it reads off the judged clips.
        attacker: The network, in evaluation mode.
        logits: Its verdicts on these clips, ``[n, k]``.
    """

    name: str
    leakage: CMAP
    attacker: AttributeNetwork
    logits: Tensor


def attack(
    known: tuple[Tensor, Tensor],
    judged: tuple[Tensor, Tensor],
    *,
    starts: Mapping[str, AttributeNetwork],
    num_scratch: int = 0,
    build: Callable[[int], AttributeNetwork] = Reviewer,
    steps: int = FINE_TUNING_STEPS,
    scratch_steps: int = SCRATCH_STEPS,
    seed: int = 0,
) -> list[Attack]:
    """Train attackers on labelled anonymized clips, and let them read others.

    Args:
        known: Anonymized clips with which attackers are trained, ``uint8 [n, t, 3, h, w]``, and their attributes
            ``[n, k]``.
        judged: Others that they read, and their attributes.
        starts: Networks that are fine-tuned, by name: the reviewer of raw pictures, one that learned along. They are
            left unchanged.
        num_scratch: Attackers from random weights, with seeds `seed` and up.
        build: From the number of attributes to a network with random weights.
        steps: Steps of fine-tuning.
        scratch_steps: Steps from scratch.
        seed: Seed of the batches, and of random weights.

    Returns:
        The attacks: those of `starts` in their order, then those from scratch.

    Raises:
        ValueError: If there is no attacker.
    """
    if num_scratch < 0:
        raise ValueError(f"`num_scratch` must not be negative, got {num_scratch}.")
    if not starts and num_scratch == 0:
        raise ValueError("`starts` must hold a network where `num_scratch` is 0, got none.")
    trained = {name: train_reviewer(*known, steps=steps, seed=seed, init=start) for name, start in starts.items()}
    for number in range(num_scratch):
        trained[f"scratch-{number + 1}"] = train_reviewer(
            *known, steps=scratch_steps, seed=seed + number, init=None, build=build
        )
    return [_judged(name, attacker, *judged) for name, attacker in trained.items()]


def worst_attack(attacks: Sequence[Attack]) -> Attack:
    """The attack that reads most; the first of several that read the same.

    It is chosen by the clips on which it is reported, so that with many attackers the number is a little too high: for
    a leakage that is the safe side.

    Args:
        attacks: At least one.

    Raises:
        ValueError: If there is none.
    """
    if not attacks:
        raise ValueError("`attacks` must not be empty.")
    return max(attacks, key=lambda one: one.leakage.value)


def _judged(name: str, attacker: AttributeNetwork, frames: Tensor, attributes: Tensor) -> Attack:
    logits = review(attacker, frames)
    return Attack(name, class_mean_average_precision(logits, attributes), attacker, logits)
