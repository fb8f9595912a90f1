"""The two things that are done with a run, from data to files: train it, and judge it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from privacy_mllm import figures
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.sources import load_clips
from privacy_mllm.evaluate import ATTACKER_STEPS, Evaluator, Results, with_calls
from privacy_mllm.methods import Anonymizer, NetworkAnonymizer, Raw, baselines
from privacy_mllm.models.reviewer import Reviewer, load_reviewer
from privacy_mllm.models.unet import UNet
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.runs import Run, load_anonymizer
from privacy_mllm.train import StepRecord, Training

OURS = "trained"
START = "start"
CONTROL = "no query"
SAVE_EVERY = 25
TEST_CLIPS = 500


@dataclass(frozen=True)
class Watch:
    """What a caller wants to be told while it waits; nothing by default.

    Args:
        stage: Called with the name of a stage that begins.
        step: Called with each step's record and the number of steps in all.
        judged: Called with the name of each method that has its row.
    """

    stage: Callable[[str], None] = lambda _name: None
    step: Callable[[StepRecord, int], None] = lambda _record, _steps: None
    judged: Callable[[str], None] = lambda _method: None


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


def train_run(config: TrainConfig, runs: Path, name: str, watch: Watch) -> tuple[Run, bool]:
    """Train as the settings say and keep everything in the run's folder.

    The checkpoint is written every few steps, and when Ctrl-C stops the training, which then ends early.

    Args:
        config: The settings.
        runs: Where runs lie.
        name: Name of the run; its folder is made when the data were found right.
        watch: Whom to tell.

    Returns:
        The run, and True if its budget was spent, False if Ctrl-C came first.
    """
    watch.stage("reading training clips")
    oracle = EmbeddedOracle()
    clips = load_clips(config.data, "train", config.clips, oracle)
    training = Training(config, clips, oracle)
    run = Run.create(runs, name)
    run.write_config(config)
    watch.stage("training")
    finished = _take_steps(training, run, watch)
    records = run.read_metrics()
    if records:
        figures.draw_losses(run.path / "figures" / "losses.png", records)
    return run, finished


def _take_steps(training: Training, run: Run, watch: Watch) -> bool:
    config, steps = training.config, 0

    def save() -> None:
        calls = training.num_calls
        run.save(training.anonymizer, training.reviewer, trained_on=config.data, steps=steps, calls=calls)

    with run.metrics() as file:
        try:
            for record in training.steps():
                steps = record.step + 1
                file.write(json.dumps(asdict(record)) + "\n")
                watch.step(record, training.num_steps)
                if steps % SAVE_EVERY == 0:
                    save()
        except KeyboardInterrupt:
            return False
        finally:
            save()
    return True


def evaluate_run(run: Run, watch: Watch, judging: Judging, *, full: bool) -> Results:
    """Judge a run's anonymizer beside the controls, and write ``results.json`` and the figures.

    Args:
        run: A trained run.
        watch: Whom to tell.
        judging: How thoroughly.
        full: Whether all classical baselines stand in the table, or only raw pictures and the control.
    """
    config = run.read_config()
    oracle = EmbeddedOracle()
    watch.stage("reading clips")
    attack = load_clips(config.data, "train", config.clips, oracle)
    test = load_clips(config.data, judging.split, judging.test_clips, oracle)
    watch.stage("training the control")
    trained = load_anonymizer(run.path)
    pairs = {**train_controls(config, attack), OURS: (trained.network, run.load_reviewer())}
    networks = [NetworkAnonymizer(network, name) for name, (network, _) in pairs.items()]
    insiders = {name: reviewer for name, (_, reviewer) in pairs.items()}
    others = baselines(people=test.people is not None and attack.people is not None) if full else (Raw(),)
    watch.stage("judging")
    question = config.question or all_questions(test)[0]
    evaluator = Evaluator(attack, test, oracle, load_reviewer("reviewer"), question, judging.attacker_steps)
    results = evaluator.evaluate(
        [*others, *networks], insiders=insiders, workers=judging.workers, progress=watch.judged
    )
    results = with_calls(results, OURS, trained.calls / min(config.pool, len(attack)))
    run.write_results(results)
    _draw(run, results, test, [Raw(), *networks[1:]], question)
    return results


def train_controls(config: TrainConfig, clips: Clips) -> dict[str, tuple[UNet, Reviewer]]:
    """The two controls that never ask, each with its reviewer.

    One is the start as it is; the other has taken the same steps for privacy alone.
    """
    training = Training(config, clips, EmbeddedOracle(), ask=False)
    start = copy.deepcopy((training.anonymizer, training.reviewer))
    for _ in training.steps():
        pass
    return {START: start, CONTROL: (training.anonymizer, training.reviewer)}


def _draw(run: Run, results: Results, test: Clips, methods: list[Anonymizer], question: str) -> None:
    folder: Path = run.path / "figures"
    figures.draw_trade_off(folder / "trade_off.png", results, ours=OURS)
    figures.draw_before_after(folder / "before_after.png", test, methods, EmbeddedOracle(), question=question)
