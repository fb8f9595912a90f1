"""Groups of options that several commands have."""

from __future__ import annotations

import argparse
from dataclasses import fields

from privacy_mllm.config import TrainConfig
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.presets import EMBEDDED, preset_names


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """What is compared, and how large the comparison is."""
    names = ", ".join(preset_names())
    parser.add_argument(
        "--preset",
        choices=(EMBEDDED, *preset_names()),
        default=EMBEDDED,
        metavar="NAME",
        help=f"'{EMBEDDED}', or an experiment of the paper with --data the folder of its data sets: {names}",
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each method")
    parser.add_argument("--workers", type=int, default=2, help="rows made at the same time, each on one core")
    parser.add_argument("--surrogate-steps", type=int, help="most steps of each part of a surrogate's training")
    parser.add_argument(
        "--detector", choices=("opencv",), help='what finds people to blur or blacken (extra "detect"); it misses some'
    )
    parser.add_argument("--quick", action="store_true", help="a miniature of everything, to see that it works")


def add_plan(parser: argparse.ArgumentParser) -> None:
    """What a plan assumes of the service and of this machine."""
    group = parser.add_argument_group("plan, from what you assume of the service")
    group.add_argument("--dry-run", action="store_true", help="print calls, tokens, price and hours; ask nothing")
    group.add_argument("--latency", type=float, default=1.5, help="median seconds of a call")
    group.add_argument("--latency-95", type=float, default=5.0, help="seconds that one call in twenty exceeds")
    group.add_argument("--failure-rate", type=float, default=0.01, help="share of HTTP requests that fail")
    group.add_argument("--tokens-per-picture", type=float, default=85.0, help="tokens that a picture counts for")
    group.add_argument("--step-seconds", type=float, default=0.3, help="seconds of a step on this machine")


def add_settings(parser: argparse.ArgumentParser, title: str, kind: type[OracleConfig | TrainConfig]) -> None:
    """An option for each setting, with its help and default."""
    group = parser.add_argument_group(title)
    for entry in fields(kind):
        name, help_text = f"--{entry.name.replace('_', '-')}", entry.metadata["help"].replace("%", "%%")
        of_type = type(entry.default)
        if of_type is bool:
            group.add_argument(name, action="store_true", help=help_text)
            continue
        group.add_argument(
            name,
            type=of_type,
            default=entry.default,
            choices=entry.metadata["choices"],
            metavar=None if entry.metadata["choices"] else of_type.__name__.upper(),
            help=help_text,
        )


def add_judging(parser: argparse.ArgumentParser) -> None:
    """How thoroughly a run is judged."""
    parser.add_argument("--test-clips", type=int, default=500, help="clips that are judged")
    parser.add_argument("--attacker-steps", type=int, default=200, help="steps of fine-tuning of each attacker")
    add_attackers(parser)


def add_attackers(parser: argparse.ArgumentParser) -> None:
    """Fresh attackers, and which attributes count how much."""
    parser.add_argument(
        "--attackers", type=int, default=0, metavar="N", help="fresh attackers more; the strongest counts"
    )
    parser.add_argument("--scratch-steps", type=int, default=900, help="steps of each fresh attacker")
    add_severity(parser)


def add_severity(parser: argparse.ArgumentParser) -> None:
    """Which attributes count how much."""
    help_text = "harm of attributes, as 'face=3,credit_card=5' or a TOML file; 1 for those not named"
    parser.add_argument("--severity", metavar="NAME=WEIGHT,...", help=help_text)
