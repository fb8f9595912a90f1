"""A network of ours says where the black box's loss may fall, and the black box's probes what that is worth."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.contestants import ALONE, GATED, HISTORY, OURS, Contestants
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.devices import to_pictures
from privacy_mllm.experiment import Experiment
from privacy_mllm.guiding import Guide
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.train import Training

TINY = TrainConfig(
    clips=24, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0, estimator="prior-guided", guide_steps=4
)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


def theta_of(training: Training) -> torch.Tensor:
    return zo.Parameters(training.anonymizer).flat()


def test_the_guide_learns_every_question_of_raw_and_of_anonymized_clips(clips: Clips) -> None:
    anonymizer = Training(TINY, clips, EmbeddedOracle()).anonymizer
    guide = Guide(clips, QUESTIONS[0], 0.5, steps=50, refreshes=0, seed=0, device=torch.device("cpu"))
    shown = to_pictures(clips.frames, "cpu")
    with torch.no_grad():
        hidden = anonymizer(shown.flatten(0, 1)).view(shown.shape)
    cases = [(pictures, question) for pictures in (shown, hidden) for question in QUESTIONS]

    def losses() -> list[float]:
        with torch.no_grad():
            return [
                float(guide.loss(pictures, [question] * 24, [answers[question] for answers in clips.answers]))
                for pictures, question in cases
            ]

    before = losses()
    guide.prepare(anonymizer)
    assert all(now < 0.75 * then for now, then in zip(losses(), before, strict=True))


def test_a_step_costs_two_pairs_of_half_a_batch_and_the_guide_costs_nothing(clips: Clips) -> None:
    oracle = EmbeddedOracle()
    training = Training(TINY, clips, oracle)
    training.prepare()
    assert oracle.num_calls == 0
    records = list(training.steps())
    assert [record.calls for record in records] == [8, 16, 24, 32, 40, 48]
    assert oracle.num_calls == training.num_calls == 48
    assert all(math.isfinite(record.utility) for record in records)


def test_one_pair_lies_along_the_guides_gradient_and_the_other_across_it(clips: Clips) -> None:
    training = Training(TINY, clips, EmbeddedOracle())
    training.prepare()
    training._draw()
    theta = zo.Parameters(training.anonymizer)
    loss = training.showing.loss()
    guess = torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(training.anonymizer.parameters()))])
    probes = [probe.dense() for probe in training.utility.plan(theta)]
    cosines = [float(torch.cosine_similarity(probe, guess, dim=0)) for probe in probes]
    assert cosines == pytest.approx([1.0, -1.0, 0.0, 0.0], abs=1e-4)
    first = TINY.guide_radius * math.sqrt(len(guess))
    assert float(probes[0].norm()) == pytest.approx(first, rel=0.01)


def test_the_guide_moves_on_with_the_anonymizer_if_it_may(clips: Clips) -> None:
    changed = []
    for refreshes in (0, 1):
        training = Training(replace(TINY, guide_refreshes=refreshes), clips, EmbeddedOracle())
        training.prepare()
        assert training.guide is not None
        before = zo.Parameters(training.guide.network).flat().clone()
        next(iter(training.steps()))
        changed.append(not torch.equal(zo.Parameters(training.guide.network).flat(), before))
    assert changed == [False, True]


def test_a_question_that_is_put_to_few_clips_is_asked_by_a_plain_pair(clips: Clips) -> None:
    main, rare = QUESTIONS[0], "is it raining"
    answers = tuple({main: said[main]} if row < 23 else {rare: ("no",)} for row, said in enumerate(clips.answers))
    training = Training(TINY, replace(clips, answers=answers), EmbeddedOracle())
    training.prepare()
    training._draw()
    assert training.guide is not None
    assert list(training.guide.answers) == [main]
    theta = zo.Parameters(training.anonymizer)
    assert len(training.utility.plan(theta)) == 4
    training.showing.batch = replace(training._batch, questions=[rare] * 2, targets=[("no",)] * 2)
    assert len(training.utility.plan(theta)) == 2


@pytest.mark.parametrize("answers", [{"what is it": ("a dog",)}, None], ids=["one answer", "asked too seldom"])
def test_a_main_question_that_no_guide_can_learn_is_refused(
    clips: Clips, answers: dict[str, tuple[str]] | None
) -> None:
    said = tuple(answers or {f"question {row}": ("yes",)} for row in range(len(clips)))
    with pytest.raises(ValueError, match="the main question must be put to 10% of the training clips and have two"):
        Training(TINY, replace(clips, answers=said), EmbeddedOracle())


def test_a_corrected_guide_is_weighed_by_a_plain_pair_and_moves_the_step(clips: Clips) -> None:
    asked, moved = list[torch.Tensor](), list[torch.Tensor]()
    for steps in (4, 5):  # two guides
        oracle, config = EmbeddedOracle(), replace(TINY, estimator="guide-corrected", guide_steps=steps)
        training = Training(config, clips, oracle)
        training.prepare()
        training._draw()
        probes = training.utility.plan(zo.Parameters(training.anonymizer))
        asked.append(torch.stack([probe.dense() for probe in probes]))
        again = Training(config, clips, oracle)
        before = theta_of(again).clone()
        assert next(iter(again.steps())).calls == oracle.num_calls == 8
        moved.append(theta_of(again) - before)
    assert torch.equal(asked[0], asked[1])
    assert torch.allclose(asked[0].abs(), torch.tensor(TINY.radius))
    assert torch.equal(asked[0][0], -asked[0][1])
    assert not torch.allclose(moved[0], moved[1])


@pytest.mark.parametrize(("control", "calls"), [("guide-gated", 48), ("guide-alone", 0)])
def test_the_controls_follow_the_guides_gradient_and_ask_for_a_value_or_nothing(
    clips: Clips, control: str, calls: int
) -> None:
    oracle = EmbeddedOracle()
    training = Training(replace(TINY, estimator=control, privacy_lr=0.05), clips, oracle)
    training.prepare()
    training._draw()
    theta = zo.Parameters(training.anonymizer)
    guess = torch.cat(
        [
            part.flatten()
            for part in torch.autograd.grad(training.showing.loss(), list(training.anonymizer.parameters()))
        ]
    )
    evaluation = training.objectives[0].evaluate(theta)
    assert float(torch.cosine_similarity(evaluation.gradient.dense(), guess, dim=0)) == pytest.approx(1.0, abs=1e-5)
    asked = oracle.num_calls
    assert asked == (4 if calls else 0)
    again = Training(replace(TINY, estimator=control), clips, oracle)
    before = theta_of(again)
    records = list(again.steps())
    assert oracle.num_calls - asked == calls == again.num_calls
    assert len(records) == (12 if calls else 6)
    assert all(math.isfinite(record.utility) for record in records)
    assert not torch.equal(theta_of(again), before)


def test_the_guide_knows_nothing_of_the_calls_and_the_same_seed_gives_the_same_network(clips: Clips) -> None:
    first, second = (Training(TINY, clips, EmbeddedOracle()) for _ in range(2))
    other = Training(replace(TINY, guide_steps=5), clips, EmbeddedOracle())
    for training in (first, second, other):
        list(training.steps())
    assert torch.equal(theta_of(first), theta_of(second))
    assert not torch.equal(theta_of(first), theta_of(other))


@pytest.mark.parametrize("guided", ["prior-guided", "guide-corrected", "guide-taught"])
def test_a_comparison_of_an_estimator_with_a_guide_has_its_controls_beside_it(tmp_path: Path, guided: str) -> None:
    names = {}
    for estimator in (guided, "critical-history"):
        experiment = Experiment.open(replace(TINY, estimator=estimator), OracleConfig(), tmp_path, test_clips=8)
        names[estimator] = set(Contestants(experiment).makers)
    assert names[guided] - names["critical-history"] == {HISTORY, GATED, ALONE}
    assert OURS in names["critical-history"]
