"""Where a training begins: the anonymizer, its reviewer, and the reviewer of raw pictures; no call is made for them.

For the small networks and the attributes of the rendered world all three come with the package. Others are made from
the labelled pictures of the run: a reviewer learns to read them raw, the anonymizer to give its input back, and then,
for a warm start, both learn against each other.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

import zoopt_mo as zo
from privacy_mllm._unet_training import train_identity, train_warm
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import ATTRIBUTES
from privacy_mllm.devices import check_device, device_of
from privacy_mllm.methods.network import NetworkAnonymizer
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.factory import build_anonymizer, build_reviewer
from privacy_mllm.models.precision import precision_of, set_precision
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.reviewers.attack import FINE_TUNING_STEPS
from privacy_mllm.reviewing import train_reviewer
from privacy_mllm.weights import load_weights

Say = Callable[[str], None]


@dataclass(frozen=True)
class Start:
    """The networks at the start of a training.

    Args:
        anonymizer: The network that is to be trained.
        reviewer: The reviewer that learns along with it.
        raw_reviewer: The reviewer that has seen raw pictures only, from which attackers start.
    """

    anonymizer: nn.Module
    reviewer: AttributeNetwork
    raw_reviewer: AttributeNetwork

    def copy(self) -> Start:
        """The same networks, apart from these."""
        return copy.deepcopy(self)

    def to(self, device: str, precision: str = "float32") -> Start:
        """The same networks, moved there.

        Args:
            device: Where to.
            precision: How they compute from now on.

        Raises:
            ValueError: If this machine has no such device.
        """
        for network in vars(self).values():
            set_precision(network.to(check_device(device)), precision)
        return self

    def like(self, network: nn.Module) -> nn.Module:
        """Another network, where these are and computing as they do.

        Args:
            network: The network; it is moved.
        """
        return set_precision(network.to(device_of(self.anonymizer)), precision_of(self.anonymizer))

    def state_dict(self) -> dict[str, Any]:
        """Their weights."""
        return {name: network.state_dict() for name, network in vars(self).items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take weights back.

        Args:
            state: What :meth:`state_dict` gave.
        """
        for name, network in vars(self).items():
            network.load_state_dict(state[name])


def is_shipped(config: TrainConfig, clips: Clips) -> bool:
    """Whether the start of a training comes with the package.

    Args:
        config: The settings.
        clips: The labelled clips.
    """
    return config.anonymizer == "small" and not _saw_too_much(config) and _is_shipped_reviewer(config, clips)


def _saw_too_much(config: TrainConfig) -> bool:
    """Whether the package's networks were shown what is held out: they saw every place and action, and no question."""
    return bool(config.hold_out) and not config.hold_out.startswith("question=")


def build_start(config: TrainConfig, clips: Clips) -> Start:
    """The networks without their training.

    Args:
        config: The settings.
        clips: The labelled clips, which say how many attributes there are.
    """
    weights = Path(config.reviewer_weights) if config.reviewer_weights else None
    reviewer = build_reviewer(config.reviewer, len(clips.attribute_names), seed=config.seed, weights=weights)
    start = Start(build_anonymizer(config.anonymizer, seed=config.seed), reviewer, copy.deepcopy(reviewer))
    return start.to(config.network_device, config.precision)


def make_start(
    config: TrainConfig, clips: Clips, say: Say = lambda _name: None, untrained: Start | None = None
) -> Start:
    """The networks at the start of a training, those of the package where they fit.

    Args:
        config: The settings.
        clips: The labelled clips that the reviewer learns from.
        say: Told what is being made.
        untrained: The networks of :func:`build_start`, where they are built already; one of them is trained in place.
    """
    if is_shipped(config, clips):
        return _shipped(config).to(config.network_device, config.precision)
    start = build_start(config, clips) if untrained is None else untrained
    if config.hides_as_it_is:
        fits = not _saw_too_much(config)
        raw = make_raw_reviewer(config, clips, say) if fits else _train_raw(config, clips, start.reviewer, say)
        return _start_as_it_is(config, clips, start.anonymizer, raw, say)
    raw = _train_raw(config, clips, start.reviewer, say)
    frames, attributes, steps = clips.frames, clips.attributes, config.start_steps
    say("training the anonymizer to keep its input")
    anonymizer = train_identity(frames, steps=steps, seed=config.seed, network=start.anonymizer)
    reviewer = copy.deepcopy(raw)
    if config.init == "warm":
        say("training the warm start")
        train_warm(anonymizer, reviewer, frames, attributes, steps=steps, seed=config.seed)
    return _rested(Start(anonymizer, reviewer, raw))


def _train_raw(config: TrainConfig, clips: Clips, untrained: AttributeNetwork, say: Say) -> AttributeNetwork:
    """The reviewer of raw pictures, trained now."""
    say("training the reviewer of raw pictures")
    frames, attributes = clips.frames, clips.attributes
    return train_reviewer(frames, attributes, steps=config.start_steps, seed=config.seed, init=untrained)


def _start_as_it_is(config: TrainConfig, clips: Clips, anonymizer: nn.Module, raw: AttributeNetwork, say: Say) -> Start:
    """The start of an anonymizer that hides before any training; its reviewer has to learn to read it."""
    say("training the reviewer on what the anonymizer shows")
    frames = NetworkAnonymizer(anonymizer, config.anonymizer).anonymize(clips)
    steps = min(FINE_TUNING_STEPS, config.start_steps)
    reviewer = train_reviewer(frames, clips.attributes, steps=steps, seed=config.seed, init=raw)
    return _rested(Start(anonymizer, reviewer, raw))


def _rested(start: Start) -> Start:
    """The same without gradients, which what follows would add to."""
    for network in vars(start).values():
        network.zero_grad()
    return start


def load_or_make_start(
    file: Path, config: TrainConfig, clips: Clips, say: Say = lambda _name: None, untrained: Start | None = None
) -> Start:
    """The networks at the start of a training: kept ones, else made now and kept, unless the package has them.

    Args:
        file: Where they are kept.
        config: The settings.
        clips: The labelled clips that the reviewer learns from.
        say: Told what is being made.
        untrained: The networks of :func:`build_start`, where they are built already; they are used up.
    """
    if is_shipped(config, clips):
        return make_start(config, clips)
    if not file.is_file():
        start = make_start(config, clips, say, untrained)
        zo.save_checkpoint(file, start.state_dict())
        return start
    start = build_start(config, clips) if untrained is None else untrained
    start.load_state_dict(zo.load_checkpoint(file))
    return start


def make_raw_reviewer(config: TrainConfig, clips: Clips, say: Say = lambda _name: None) -> AttributeNetwork:
    """The reviewer of raw pictures alone, as :func:`make_start` makes it, whatever the settings hold out.

    Args:
        config: The settings.
        clips: The labelled clips that it learns from.
        say: Told what is being made.
    """
    if _is_shipped_reviewer(config, clips):
        return set_precision(load_reviewer("reviewer").to(check_device(config.network_device)), config.precision)
    return _train_raw(config, clips, build_start(config, clips).reviewer, say)


def _is_shipped_reviewer(config: TrainConfig, clips: Clips) -> bool:
    small = config.reviewer == "small" and not config.reviewer_weights
    return small and clips.attribute_names == tuple(ATTRIBUTES)


def _shipped(config: TrainConfig) -> Start:
    anonymizer = build_anonymizer("small", seed=config.seed)
    anonymizer.load_state_dict(load_weights(f"unet_{config.init}"))
    learned = "reviewer_warm" if config.init == "warm" else "reviewer"
    return Start(anonymizer, load_reviewer(learned), load_reviewer("reviewer"))
