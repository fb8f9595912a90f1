"""Judging a run: its anonymizer beside controls and baselines, into ``results.json`` and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from torch import nn

from privacy_mllm import figures
from privacy_mllm.asking import Desk
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.held_out import HeldOut
from privacy_mllm.data.people import PeopleClips, render_people
from privacy_mllm.data.sources import load_clips
from privacy_mllm.data.withholding import hold_out, parse_hold_out
from privacy_mllm.devices import repeats_exactly
from privacy_mllm.evaluate import Evaluator
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Anonymizer, NetworkAnonymizer, Raw, baselines
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.factory import fresh_reviewer
from privacy_mllm.opening import labelled_clips, open_clips, without_held_out
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.results import Results, with_calls
from privacy_mllm.reviewers.attack import FINE_TUNING_STEPS, SCRATCH_STEPS
from privacy_mllm.runs import Run, load_anonymizer
from privacy_mllm.session import CONTROL, OURS, START, Watch
from privacy_mllm.severities import check_severities
from privacy_mllm.starting import Start, make_raw_reviewer
from privacy_mllm.train import Training

TEST_CLIPS = 500
CLIPS_A_PERSON = 4


@dataclass(frozen=True)
class Judging:
    """How thoroughly a run is judged.

    Args:
        test_clips: Clips that are judged; at most those that the data holds.
        attacker_steps: Steps of fine-tuning of each attacker.
        attackers: Fresh attackers from random weights, beside those that are fine-tuned.
        scratch_steps: Steps of each of these.
        severities: How much each attribute's disclosure weighs, 1 for those without; None for no weighted figure.
        split: Split that is judged: "test", or "validation" while settings are still being chosen.
        workers: Methods judged at once.
    """

    test_clips: int = TEST_CLIPS
    attacker_steps: int = FINE_TUNING_STEPS
    attackers: int = 0
    scratch_steps: int = SCRATCH_STEPS
    severities: Mapping[str, float] | None = None
    split: str = "test"
    workers: int = 2


def evaluate_run(run: Run, watch: Watch, judging: Judging, *, full: bool) -> Results:
    """Judge a run's anonymizer beside the controls, and write ``results.json`` and the figures.

    A black box that is not on this machine is asked about anonymized pictures alone, unless the run allows raw ones;
    its answers are kept in the run's ledger too. Attackers know everything that is labelled, what training was not
    shown too.

    Args:
        run: A trained run.
        watch: Whom to tell.
        judging: How thoroughly.
        full: Whether all classical baselines stand in the table, or only raw pictures and the control.
    """
    config, settings = run.read_config()
    watch.stage("reading clips")
    known = load_clips(config.data, "train", config.clips)
    attack = labelled_clips(config, known, "train", config.clips)
    clips, private = without_held_out(config, known, attack)
    test, oracle = open_clips(config, settings, judging.split, judging.test_clips)
    private_test = labelled_clips(config, test, judging.split, judging.test_clips)
    check_severities(judging.severities or {}, private_test.attribute_names)
    start = run.load_start(config, private, watch.stage)
    watch.stage("training the control")
    trained = load_anonymizer(run.path)
    pairs = train_controls(config, clips, private, start)
    pairs[OURS] = (start.like(trained.network), run.load_reviewer(start.copy().reviewer))
    networks = [NetworkAnonymizer(network, name) for name, (network, _) in pairs.items()]
    insiders = {name: reviewer for name, (_, reviewer) in pairs.items()}
    people = all(part.people is not None for part in (test, attack, private_test))
    others = baselines(people=people) if full else (Raw(),)
    raw_reviewer = make_raw_reviewer(config, attack, watch.stage) if config.hold_out else start.raw_reviewer
    watch.stage("judging")
    question = config.question or all_questions(without_held_out(config, test, test)[0])[0]
    withheld = frozenset({Raw().name} if settings.is_remote and not settings.send_raw else ())
    ledger = None if settings.kind == "embedded" else run.open_ledger()
    exact = repeats_exactly(config.network_device)
    with Desk(oracle, ledger, max_failures=settings.max_failures, repeats_exactly=exact) as desk:
        evaluator = Evaluator(
            attack,
            test,
            desk,
            raw_reviewer,
            question,
            _attackers(config, judging),
            withheld=withheld,
            private_test=None if private_test is test else private_test,
            people=people_of(config, judging.split, judging.test_clips),
            held_out=_held_out(config, (known, test), (attack, private_test)),
        )
        results = evaluator.evaluate(
            [*others, *networks], insiders=insiders, workers=judging.workers, progress=watch.judged
        )
        results = with_calls(results, OURS, trained.calls / min(config.pool, len(clips))).weigh(judging.severities)
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


def people_of(config: TrainConfig, split: str, test_clips: int) -> PeopleClips | None:
    """The same people again and again, where the labelled clips are rendered and so can be.

    Args:
        config: The settings.
        split: "validation" or "test".
        test_clips: Clips that are judged; there is a person for five of them.
    """
    if (config.privacy_data or config.data) != "world":
        return None
    return render_people(split, max(2, test_clips // 5), clips_each=CLIPS_A_PERSON)


def _attackers(config: TrainConfig, judging: Judging) -> Attackers:
    return Attackers(
        steps=judging.attacker_steps,
        num_scratch=judging.attackers,
        scratch_steps=judging.scratch_steps,
        build=partial(fresh_reviewer, config.reviewer, device=config.network_device),
    )


def _held_out(
    config: TrainConfig, asked: tuple[Clips, Clips], labelled: tuple[Clips, Clips]
) -> tuple[str, HeldOut] | None:
    """What training was not shown, of the clips of training and test."""
    kind, _ = parse_hold_out(config.hold_out)
    if not kind:
        return None
    return kind, hold_out(config.hold_out, *(labelled if kind == "attribute" else asked))
