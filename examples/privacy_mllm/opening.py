"""The clips and the black box that the settings of a run name."""

from __future__ import annotations

from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.sources import candidates_of, check_source, check_sources, load_clips
from privacy_mllm.data.withholding import parse_hold_out, withhold
from privacy_mllm.oracles.protocol import Oracle
from privacy_mllm.oracles.settings import OracleConfig, open_oracle


def check_may_be_sent(config: TrainConfig, settings: OracleConfig) -> None:
    """Refuse a start that shows raw pictures to a service, unless they may leave this machine.

    Args:
        config: The settings.
        settings: Those of the black box.

    Raises:
        ValueError: If pictures would be sent as they are.
    """
    if settings.is_remote and config.init == "identity" and not settings.send_raw:
        raise ValueError("`init` must be 'warm': 'identity' sends pictures as they are. Allow that with --send-raw.")


def open_clips(config: TrainConfig, settings: OracleConfig, split: str, count: int) -> tuple[Clips, Oracle]:
    """Clips of a split and the black box, checked against each other: what would fail later fails here, unpaid.

    Args:
        config: The settings.
        settings: Those of the black box.
        split: "train", "validation" or "test".
        count: How many clips at most.
    """
    clips = load_clips(config.data, split, count)
    oracle = open_oracle(settings, candidates_of(config.data))
    check_source(config.data, clips, oracle)
    return clips, oracle


def labelled_clips(config: TrainConfig, clips: Clips, split: str, count: int) -> Clips:
    """The labelled clips of a split: those with questions, or another data set's.

    Args:
        config: The settings.
        clips: Those with questions.
        split: "train", "validation" or "test".
        count: How many clips at most.
    """
    if not config.privacy_data:
        return clips
    check_sources(config.data, config.privacy_data)
    return load_clips(config.privacy_data, split, count)


def without_held_out(config: TrainConfig, clips: Clips, private: Clips) -> tuple[Clips, Clips]:
    """Training clips with questions, and labelled ones, without what the settings hold out.

    Args:
        config: The settings.
        clips: Training clips with questions.
        private: Labelled training clips; often the same.

    Raises:
        ValueError: If the clips have no such thing, or nothing else.
    """
    kind, _ = parse_hold_out(config.hold_out)
    if not kind:
        return clips, private
    same = private is clips
    if kind == "attribute":
        private = withhold(config.hold_out, private)
        return (private if same else clips), private
    clips = withhold(config.hold_out, clips)
    return clips, (clips if same else private)
