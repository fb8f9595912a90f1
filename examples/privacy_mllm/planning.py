"""What a training would take, told before a single call is made."""

from __future__ import annotations

from argparse import Namespace

from privacy_mllm import display
from privacy_mllm.config import TrainConfig
from privacy_mllm.cost import Call, Terms, Work, estimate
from privacy_mllm.data.clips import all_questions
from privacy_mllm.data.sources import load_clips
from privacy_mllm.method import asking, count_steps
from privacy_mllm.opening import labelled_clips, without_held_out
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.waiting import Latency, Retries

METHODS = 4  # that a training judges: raw pictures, the start, the control without a query, and its own


def run(config: TrainConfig, oracle: OracleConfig, options: Namespace) -> int:
    """Print calls, tokens, price and hours; nothing is asked and nothing written.

    Args:
        config: Settings of the method.
        oracle: Settings of the black box.
        options: The assumptions of the command line, and how many clips are judged.

    Returns:
        Exit code 0.
    """
    known = load_clips(config.data, "train", config.clips)
    clips, _ = without_held_out(config, known, labelled_clips(config, known, "train", config.clips))
    judged = load_clips(config.data, "test", options.test_clips)
    work = Work(
        steps=count_steps(config, min(config.pool, len(clips))),
        probes=asking(config).probes,
        batch=asking(config).clips,
        evaluation_clips=0 if options.no_evaluation else len(judged),
        questions=len(all_questions(judged)),
        methods=METHODS - (1 if oracle.is_remote and not oracle.send_raw else 0),
        step_seconds=options.step_seconds,
    )
    display.say(
        f"{oracle.oracle}: {work.steps} steps of {work.calls_per_step} calls, then {work.evaluation_calls} to judge"
    )
    if oracle.kind != "openai":
        display.say(f"calls: {work.training_calls + work.evaluation_calls:,}, on this machine and without a price")
        return 0
    terms = Terms(
        latency=Latency({0.5: options.latency, 0.95: options.latency_95}),
        concurrency=oracle.concurrency,
        requests_per_minute=oracle.requests_per_minute,
        price_in=oracle.price_in,
        price_out=oracle.price_out,
        retries=Retries(options.failure_rate, oracle.max_retries),
    )
    call = Call(frames=clips.frames.shape[1], tokens_per_picture=options.tokens_per_picture)
    found = estimate(work, call, terms)
    for line in found.lines():
        display.say(line)
    if oracle.max_cost and found.price > oracle.max_cost:
        display.say(f"the training would end before it costs {oracle.max_cost:g}, after part of its steps")
    return 0
