"""What attackers read off a method's pictures; the strongest of them counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.people import PeopleClips
from privacy_mllm.devices import device_of
from privacy_mllm.methods.anonymized import anonymized
from privacy_mllm.methods.protocol import Anonymizer
from privacy_mllm.metrics import reidentify, report_leakage
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.new_head import NewHead
from privacy_mllm.models.reviewer import Reviewer
from privacy_mllm.reviewers import Attack
from privacy_mllm.reviewers.attack import FINE_TUNING_STEPS, SCRATCH_STEPS, attack
from privacy_mllm.reviewing import embed

CLIPS_FOR_BITS = 4
"""The fewest clips on which scores are calibrated on one half and judged on the other."""


@dataclass(frozen=True)
class Attackers:
    """Who attacks each method's pictures.

    Args:
        steps: Steps of fine-tuning.
        num_scratch: Fresh attackers from random weights, beside those that are fine-tuned.
        scratch_steps: Steps of each of these.
        build: From the number of attributes to their network.
        seed: Seed of batches and random weights.
    """

    steps: int = FINE_TUNING_STEPS
    num_scratch: int = 0
    scratch_steps: int = SCRATCH_STEPS
    build: Callable[[int], AttributeNetwork] = Reviewer
    seed: int = 0

    def attack(self, known: Clips, judged: Clips, starts: Mapping[str, AttributeNetwork]) -> list[Attack]:
        """Train all attackers on clips of a method, and let them read others.

        Args:
            known: Anonymized clips with their attributes.
            judged: Others.
            starts: Networks that are fine-tuned, by name. One that names other attributes gets a new last layer.
        """
        count = len(known.attribute_names)
        return attack(
            (known.frames, known.attributes),
            (judged.frames, judged.attributes),
            starts={name: _for_attributes(start, count, self.seed) for name, start in starts.items()},
            num_scratch=self.num_scratch,
            build=self.build,
            steps=self.steps,
            scratch_steps=self.scratch_steps,
            seed=self.seed,
        )


def measures(best: Attack, attacks: list[Attack], judged: Clips) -> dict[str, Any]:
    """The fields of a row that say what the strongest attacker reads.

    Args:
        best: The strongest attack.
        attacks: All of them.
        judged: The clips that were read.
    """
    names, leakage = judged.attribute_names, best.leakage
    row: dict[str, Any] = {
        "attacker_cmap": leakage.value,
        "attacker": dict(zip(names, leakage.per_class, strict=True)),
        "attacks": {one.name: one.leakage.value for one in attacks},
        "strongest": best.name,
        "chance": dict(zip(names, leakage.per_class_chance, strict=True)),
    }
    if len(judged) < CLIPS_FOR_BITS:
        return row
    report = report_leakage(best.logits, judged.attributes, names)
    found = zip(names, report.information.bits, report.information.prior, strict=True)
    there = [(name, bits, prior) for name, bits, prior in found if not math.isnan(row["attacker"][name])]
    return {
        **row,
        "bits": {name: bits for name, bits, _ in there},
        "prior_bits": {name: prior for name, _, prior in there},
    }


def reidentified(method: Anonymizer, people: PeopleClips, attackers: list[AttributeNetwork]) -> tuple[float, float]:
    """How often a clip's nearest other clip shows the same person, and how often by chance; in percent.

    All clips are anonymized: it is asked whether what was sent can be linked. Each clip of everybody is in turn looked
    for among everybody's other clips, by the features of each attacker; the one that finds most counts.

    Args:
        method: What to judge.
        people: Clips, one of everybody, then another of everybody, and so on.
        attackers: Networks by whose features clips are compared.
    """
    shown = anonymized(method, people.clips).frames
    return max(_found_again(embed(attacker, shown), people.people) for attacker in attackers)


def _found_again(features: Tensor, who: Tensor) -> tuple[float, float]:
    count = len(who.unique())
    rounds = torch.arange(len(who)).div(count, rounding_mode="floor")
    found = [
        reidentify(features[rounds == turn], who[rounds == turn], features[rounds != turn], who[rounds != turn])
        for turn in rounds.unique()
    ]
    return fmean(one.rank1 for one in found), fmean(one.chance_rank1 for one in found)


def _for_attributes(network: AttributeNetwork, count: int, seed: int) -> AttributeNetwork:
    """The network, under a new last layer where it names another number of attributes."""
    blank = torch.zeros(1, 3, 64, 64, device=device_of(network))
    with torch.no_grad():
        return network if network.eval()(blank).shape[1] == count else NewHead(network, count, seed=seed)
