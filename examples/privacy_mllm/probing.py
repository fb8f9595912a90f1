"""One question to the black box, to see what it says, how fast, and what that costs."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

from torch import Tensor

import zoopt_mo as zo
from privacy_mllm import display
from privacy_mllm.data.world import CANDIDATES, render_clips
from privacy_mllm.media.pictures import read_picture
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.oracles.settings import OracleConfig, open_oracle


def run(config: OracleConfig, options: Namespace) -> int:
    """Ask once and tell.

    Args:
        config: The black box.
        options: ``picture``, ``question`` and ``answers`` of the command line.

    Returns:
        Exit code: 0 for an answer, 1 where the call failed.

    Raises:
        ValueError: If the user's picture would leave the machine unasked.
    """
    if options.picture is not None and config.is_remote and not config.send_raw:
        raise ValueError(f"`picture` {options.picture} would be sent as it is to {config.base_url}: add --send-raw.")
    clip = _clip_of(options.picture)
    question = options.question or next(iter(CANDIDATES))
    answers = [answer.strip() for answer in options.answers.split(",") if answer.strip()]
    known = {} if options.question else {question: CANDIDATES[question]}
    oracle = open_oracle(config, {question: tuple(answers)} if answers else known)
    started = time.perf_counter()
    display.say(f"oracle    {oracle.name}")
    display.say(f"question  {question}")
    try:
        (answer,) = oracle.ask(clip[None], [question])
    except zo.QueryError as error:
        display.say(f"failed    {error}")
        _tell_usage(error.usage, time.perf_counter() - started)
        return 1
    _tell(answer)
    _tell_usage(answer.usage, time.perf_counter() - started)
    return 0


def _clip_of(picture: Path | None) -> Tensor:
    """The user's picture, or a rendered one that shows nobody; ``uint8 [t, 3, h, w]``."""
    if picture is None:
        return render_clips("test", 1).frames[0]
    return read_picture(picture)[None]


def _tell(answer: Answer) -> None:
    display.say(f"answer    {answer.text}")
    if len(answer.ranked) > 1:
        display.say(f"ranked    {', '.join(answer.ranked)}")
    if answer.logprobs is None:
        display.say("logprobs  none came: train with --utility-loss rank, similarity or text")
        return
    best = sorted(answer.logprobs.items(), key=lambda pair: -pair[1])
    display.say("logprobs  " + ", ".join(f"{label} {value:.2f}" for label, value in best[:5]))


def _tell_usage(usage: zo.Usage, seconds: float) -> None:
    display.say(f"latency   {seconds:.2f} s")
    display.say(f"attempts  {usage.attempts}")
    display.say(f"tokens    {usage.tokens_in} in, {usage.tokens_out} out")
    display.say(f"cost      {usage.cost:.6f}")
