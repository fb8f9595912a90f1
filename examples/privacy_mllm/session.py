"""The things that are done with a run, from data to files: plan it, train it, go on with it, judge it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

import zoopt_mo as zo
from privacy_mllm import figures
from privacy_mllm.asking import Desk
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.sources import candidates_of, check_source, check_sources, load_clips
from privacy_mllm.evaluate import ATTACKER_STEPS, Evaluator, Results, with_calls
from privacy_mllm.methods import Anonymizer, NetworkAnonymizer, Raw, baselines
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Answer, Oracle
from privacy_mllm.oracles.settings import OracleConfig, open_oracle
from privacy_mllm.records import StepRecord
from privacy_mllm.runs import Run, load_anonymizer
from privacy_mllm.starting import Start, build_start
from privacy_mllm.train import Training

OURS = "trained"
START = "start"
CONTROL = "no query"
CTRL_C = "Ctrl-C"
SAVE_EVERY = 25
TEST_CLIPS = 500


@dataclass(frozen=True)
class Watch:
    """What a caller wants to be told while it waits; nothing by default.

    Args:
        stage: Called with the name of a stage that begins.
        step: Called with each step's record and the number of steps in all.
        judged: Called with the name of each method that has its row.
        say: Called with a sentence that the user should read.
    """

    stage: Callable[[str], None] = lambda _name: None
    step: Callable[[StepRecord, int], None] = lambda _record, _steps: None
    judged: Callable[[str], None] = lambda _method: None
    say: Callable[[str], None] = lambda _sentence: None


@dataclass(frozen=True)
class Judging:
    """How thoroughly a run is judged.

    Args:
        test_clips: Clips that are judged; at most those that the data holds.
        attacker_steps: Steps of fine-tuning of each attacker.
        split: Split that is judged: "test", or "validation" while settings are still being chosen.
        workers: Methods judged at once.
    """

    test_clips: int = TEST_CLIPS
    attacker_steps: int = ATTACKER_STEPS
    split: str = "test"
    workers: int = 2


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
    if settings.is_remote and config.init == "identity" and not settings.send_raw:
        raise ValueError("`init` must be 'warm': 'identity' sends pictures as they are. Allow that with --send-raw.")
    watch.stage("reading training clips")
    clips, oracle = _open(config, settings, "train", config.clips)
    private = _private(config, clips, "train", config.clips)
    config = _with_known_loss(config, settings, clips, oracle, watch)
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
    clips, oracle = _open(config, settings, "train", config.clips)
    return _train(run, clips, _private(config, clips, "train", config.clips), oracle, watch)


def _open(config: TrainConfig, settings: OracleConfig, split: str, count: int) -> tuple[Clips, Oracle]:
    """Clips of a split and the black box, checked against each other: what would fail later fails here, unpaid."""
    clips = load_clips(config.data, split, count)
    labelled = clips if split == "train" else load_clips(config.data, "train", config.clips)
    oracle = open_oracle(settings, candidates_of(config.data, labelled))
    check_source(config.data, clips, oracle)
    return clips, oracle


def _private(config: TrainConfig, clips: Clips, split: str, count: int) -> Clips:
    """The labelled clips of a split: those with questions, or another data set's."""
    if not config.privacy_data:
        return clips
    check_sources(config.data, config.privacy_data)
    return load_clips(config.privacy_data, split, count)


def _with_known_loss(
    config: TrainConfig, settings: OracleConfig, clips: Clips, oracle: Oracle, watch: Watch
) -> TrainConfig:
    """Where a service returns no log-probabilities, the settings with the next best loss; found by one call."""
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
    watch.stage("training")
    with run.open_ledger() as ledger:
        training = Training(config, clips, oracle, private=private, start=start, ledger=ledger, limits=settings)
        with training.desk:
            run.load_state(training)
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


def evaluate_run(run: Run, watch: Watch, judging: Judging, *, full: bool) -> Results:
    """Judge a run's anonymizer beside the controls, and write ``results.json`` and the figures.

    A black box that is not on this machine is asked about anonymized pictures alone, unless the run allows raw ones;
    its answers are kept in the run's ledger too.

    Args:
        run: A trained run.
        watch: Whom to tell.
        judging: How thoroughly.
        full: Whether all classical baselines stand in the table, or only raw pictures and the control.
    """
    config, settings = run.read_config()
    watch.stage("reading clips")
    clips = load_clips(config.data, "train", config.clips)
    attack = _private(config, clips, "train", config.clips)
    test, oracle = _open(config, settings, judging.split, judging.test_clips)
    private_test = _private(config, test, judging.split, judging.test_clips)
    start = run.load_start(config, attack, watch.stage)
    watch.stage("training the control")
    trained = load_anonymizer(run.path)
    pairs = train_controls(config, clips, attack, start)
    pairs[OURS] = (start.like(trained.network), run.load_reviewer(start.copy().reviewer))
    networks = [NetworkAnonymizer(network, name) for name, (network, _) in pairs.items()]
    insiders = {name: reviewer for name, (_, reviewer) in pairs.items()}
    people = all(part.people is not None for part in (test, attack, private_test))
    others = baselines(people=people) if full else (Raw(),)
    watch.stage("judging")
    question = config.question or all_questions(test)[0]
    withheld = frozenset({Raw().name} if settings.is_remote and not settings.send_raw else ())
    ledger = None if settings.kind == "embedded" else run.open_ledger()
    with Desk(oracle, ledger, max_failures=settings.max_failures) as desk:
        evaluator = Evaluator(
            attack,
            test,
            desk,
            start.raw_reviewer,
            question,
            judging.attacker_steps,
            withheld=withheld,
            private_test=private_test,
        )
        results = evaluator.evaluate(
            [*others, *networks], insiders=insiders, workers=judging.workers, progress=watch.judged
        )
        results = with_calls(results, OURS, trained.calls / min(config.pool, len(clips)))
        run.write_results(results)
        folder = run.path / "figures"
        figures.draw_trade_off(folder / "trade_off.png", results, ours=OURS)
        shown: list[Anonymizer] = [Raw(), *networks[1:]]
        figures.draw_before_after(folder / "before_after.png", test, shown, desk, question=question, withheld=withheld)
    if ledger is not None:
        ledger.close()
    return results


def train_controls(
    config: TrainConfig, clips: Clips, private: Clips, start: Start
) -> dict[str, tuple[nn.Module, AttributeNetwork]]:
    """The two controls that never ask, each with its reviewer.

    One is the start as it is; the other has taken the same steps for privacy alone.
    """
    training = Training(config, clips, EmbeddedOracle(), private=private, start=start.copy(), ask=False)
    for _ in training.steps():
        pass
    first = start.copy()
    return {START: (first.anonymizer, first.reviewer), CONTROL: (training.anonymizer, training.reviewer)}
