"""Training as a run: from data to the files of its folder, and on again after a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

import zoopt_mo as zo
from privacy_mllm import figures
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.opening import check_may_be_sent, labelled_clips, open_clips, without_held_out
from privacy_mllm.oracles.protocol import Answer, Oracle
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.records import StepRecord
from privacy_mllm.runs import Run
from privacy_mllm.starting import Start, build_start
from privacy_mllm.train import Training

OURS = "trained"
START = "start"
CONTROL = "no query"
CTRL_C = "Ctrl-C"
SAVE_EVERY = 25


@dataclass(frozen=True)
class Watch:
    """What a caller wants to be told while it waits; nothing by default.

    Args:
        stage: Called with the name of a stage that begins.
        begin: Called with the run's folder, before its first step.
        step: Called with each step's record and the number of steps in all.
        judged: Called with the name of each method that has its row.
        say: Called with a sentence that the user should read.
    """

    stage: Callable[[str], None] = lambda _name: None
    begin: Callable[[Path], None] = lambda _folder: None
    step: Callable[[StepRecord, int], None] = lambda _record, _steps: None
    judged: Callable[[str], None] = lambda _method: None
    say: Callable[[str], None] = lambda _sentence: None


def train_run(
    config: TrainConfig, runs: Path, name: str, watch: Watch, oracle_config: OracleConfig | None = None
) -> tuple[Run, str | None]:
    """Train as the settings say and keep everything in the run's folder.

    Every answer is in the run's ledger as soon as it comes. The checkpoint is written every few steps, and when Ctrl-C
    or too many failed calls stop the training, which :func:`resume_run` then goes on with.

    Args:
        config: The settings.
        runs: Where runs lie.
        name: Name of the run; its folder is made when the data were found right.
        watch: Whom to tell.
        oracle_config: The black box; the embedded one by default.

    Returns:
        The run, and None if its budget was spent, else what stopped it: ``CTRL_C``, or the failure in words.
    """
    settings = OracleConfig() if oracle_config is None else oracle_config
    check_may_be_sent(config, settings)
    watch.stage("reading training clips")
    clips, private, oracle = _open(config, settings)
    config = with_known_loss(config, settings, clips, oracle, watch)
    untrained = build_start(config, private)
    # Where this is well the settings are right, and a folder may be made.
    Training(config, clips, oracle, private=private, start=untrained, limits=settings).desk.close()
    run = Run.create(runs, name)
    run.write_config(config, settings)
    return run, _train(run, clips, private, oracle, watch, untrained)


def resume_run(run: Run, watch: Watch) -> str | None:
    """Go on with a run that was stopped or killed, to the same end; no paid call is paid again.

    Args:
        run: The run.
        watch: Whom to tell.

    Returns:
        None if its budget was spent, else what stopped it: ``CTRL_C``, or the failure in words.
    """
    config, settings = run.read_config()
    watch.stage("reading training clips")
    return _train(run, *_open(config, settings), watch)


def _open(config: TrainConfig, settings: OracleConfig) -> tuple[Clips, Clips, Oracle]:
    """Training clips with questions, labelled ones, and the black box."""
    clips, oracle = open_clips(config, settings, "train", config.clips)
    private = labelled_clips(config, clips, "train", config.clips)
    return *without_held_out(config, clips, private), oracle


def with_known_loss(
    config: TrainConfig, settings: OracleConfig, clips: Clips, oracle: Oracle, watch: Watch
) -> TrainConfig:
    """Where a service returns no log-probabilities, the settings with the next best loss; found by one call.

    Args:
        config: The settings.
        settings: Those of the black box.
        clips: Clips with questions; none is shown.
        oracle: The black box.
        watch: Whom to tell.
    """
    if settings.kind != "openai" or config.utility_loss != "logprob":
        return config
    answer = probe(oracle, clips.frames.shape[1:], config.question or all_questions(clips)[0])
    if answer.logprobs is not None:
        watch.say("the service returns log-probabilities: they are the loss of utility")
        return config
    other = "rank" if answer.ranked else "text"
    watch.say(f"the service returns no log-probabilities: the loss of utility is {other!r} instead")
    return replace(config, utility_loss=other)


def probe(oracle: Oracle, shape: torch.Size, question: str) -> Answer:
    """One answer about a picture of noise, which shows nobody; it costs a call.

    Args:
        oracle: The black box.
        shape: Shape of a clip, ``[t, 3, h, w]``.
        question: What is asked.
    """
    noise = torch.randint(256, (1, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return oracle.ask(noise, [question])[0]


def _train(
    run: Run, clips: Clips, private: Clips, oracle: Oracle, watch: Watch, untrained: Start | None = None
) -> str | None:
    config, settings = run.read_config()
    start = run.load_start(config, private, watch.stage, untrained)
    with run.open_ledger() as ledger:
        training = Training(config, clips, oracle, private=private, start=start, ledger=ledger, limits=settings)
        with training.desk:
            run.load_state(training)
            if training.must_prepare:
                watch.stage("training the guide")
                training.prepare()
            watch.stage("training")
            watch.begin(run.path)
            stopped_by = _take_steps(training, run, watch)
    records = run.read_metrics()
    if records:
        figures.draw_losses(run.path / "figures" / "losses.png", records)
    if stopped_by is None and training.ended_by:
        watch.say(f"the training ended after {training.num_taken} of {training.num_steps} steps: {training.ended_by}")
    advice = training.differences.advice()
    if advice:
        watch.say(advice)
    return stopped_by


def _take_steps(training: Training, run: Run, watch: Watch) -> str | None:
    """Take the steps that are left; what is kept is always the state between two steps."""
    try:
        with run.metrics(training.num_taken) as file:
            for record in training.steps():
                file.write(json.dumps(asdict(record)) + "\n")
                watch.step(record, training.num_steps)
                if training.num_taken % SAVE_EVERY == 0:
                    run.save(training)
    except KeyboardInterrupt:
        return CTRL_C
    except zo.TooManyFailures as error:
        return str(error)
    finally:
        if training.has_state:
            run.save(training)
    return None
