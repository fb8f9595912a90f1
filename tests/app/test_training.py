"""The training loop: the paper's step, its budget, its control, and what may not be trained on."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.starting import make_start
from privacy_mllm.train import Training

TINY = TrainConfig(clips=24, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


def weights(training: Training) -> torch.Tensor:
    return zo.Parameters(training.anonymizer).flat()


def test_the_budget_is_spent_to_the_last_whole_step_and_counted_by_the_oracle(clips: Clips) -> None:
    oracle = EmbeddedOracle()
    training = Training(replace(TINY, calls_per_sample=6.9), clips, oracle)
    records = list(training.steps())
    assert len(records) == 6  # 6.9 * 8 = 55.2 calls; a step asks two probes of four clips
    assert records[-1].calls == oracle.num_calls == training.num_calls == 48


def test_calls_made_before_the_run_are_not_the_runs(clips: Clips) -> None:
    oracle = EmbeddedOracle()
    oracle.ask(clips.frames[:3], [QUESTIONS[0]] * 3)
    training = Training(TINY, clips, oracle)
    list(training.steps())
    assert training.num_calls == 48
    assert oracle.num_calls == 51


def test_the_same_seed_gives_the_same_network_bit_for_bit(clips: Clips) -> None:
    first, second = (Training(TINY, clips, EmbeddedOracle()) for _ in range(2))
    other = Training(replace(TINY, seed=1), clips, EmbeddedOracle())
    for training in (first, second, other):
        list(training.steps())
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def test_the_control_asks_nothing_and_still_moves(clips: Clips) -> None:
    oracle = EmbeddedOracle()
    training = Training(TINY, clips, oracle, ask=False)
    before = weights(training)
    records = list(training.steps())
    assert oracle.num_calls == 0
    assert len(records) == 6
    assert all(math.isnan(record.utility) for record in records)
    assert not torch.equal(weights(training), before)


def test_the_step_is_equation_11_and_12(clips: Clips) -> None:
    """theta_1 - theta_0 must be -(w_1 a_u g + w_2 a_p h), with the recorded lengths and the weights of i_max."""
    training = Training(replace(TINY, privacy_max_norm=1e9), clips, EmbeddedOracle())
    before = weights(training)
    record = next(iter(training.steps()))
    moved = (weights(training) - before).double()
    config = training.config
    plain = [config.utility_weight, 1 - config.utility_weight]
    w = [plain[i] * (config.augmentation + (record.i_max == i)) for i in range(2)]
    signs = zo.rademacher(len(before), config.seed, 0)
    # Along the probed direction the step is the estimate's, up to the exact gradient's small share.
    along = signs.dot(moved.float()) / math.sqrt(len(before))
    expected = w[0] * config.utility_lr * record.utility_norm
    assert abs(abs(along) - expected) <= w[1] * config.privacy_lr * record.privacy_norm + 1e-6
    assert float(moved.norm()) <= expected + w[1] * config.privacy_lr * record.privacy_norm + 1e-6


def test_the_reviewer_learns_along(clips: Clips) -> None:
    training = Training(TINY, clips, EmbeddedOracle())
    before = zo.Parameters(training.reviewer).flat()
    next(iter(training.steps()))
    assert not torch.equal(zo.Parameters(training.reviewer).flat(), before)


def test_the_reviewer_learns_further_on_pictures_of_its_own_and_nothing_else_is_drawn_otherwise(clips: Clips) -> None:
    trainings = [Training(replace(TINY, reviewer_refreshes=count), clips, EmbeddedOracle()) for count in (0, 2)]
    learned: list[list[torch.Tensor]] = [[], []]
    for training, pictures in zip(trainings, learned, strict=True):
        reviewer = training.reviewer
        assert isinstance(reviewer, nn.Module)

        def keep(module: nn.Module, inputs: tuple[torch.Tensor], kept: list[torch.Tensor] = pictures) -> None:
            if module.training:  # it learns
                kept.append(inputs[0].detach().clone())

        reviewer.register_forward_pre_hook(keep)
        next(iter(training.steps()))
    once, more = learned
    assert (len(once), len(more)) == (1, 3)
    assert torch.equal(once[0], more[0])
    assert all(not torch.equal(more[0], other) for other in more[1:])
    assert not torch.equal(more[1], more[2])
    same, other = (zo.Parameters(training.anonymizer).flat() for training in trainings)
    assert torch.equal(same, other)  # in its first step the anonymizer has met the same reviewer
    frozen, taught = (zo.Parameters(training.reviewer).flat() for training in trainings)
    assert not torch.equal(frozen, taught)


@pytest.mark.parametrize(
    "change",
    [
        {"estimator": "spsa"},
        {"estimator": "recommended"},
        {"estimator": "guide-gated", "guide_steps": 2, "batch": 8},
        {"estimator": "guide-corrected", "guide_steps": 2},
        {"estimator": "guide-taught", "guide_steps": 2, "batch": 8},
        {"scalarizer": "tchebycheff"},
        {"scalarizer": "weighted-sum"},
        {"utility_loss": "text", "radius": 0.05},
        {"privacy_loss": "uniform_bce"},
        {"init": "identity"},
        {"question": QUESTIONS[3], "question_share": 1.0},
    ],
    ids=lambda change: next(iter(change.values())),
)
def test_every_choice_trains(clips: Clips, change: dict[str, Any]) -> None:
    training = Training(replace(TINY, calls_per_sample=2.0, **change), clips, EmbeddedOracle())
    records = list(training.steps())
    assert len(records) == 2
    assert all(math.isfinite(record.utility) and math.isfinite(record.privacy) for record in records)
    json.dumps([vars(record) for record in records])


def test_a_question_that_no_clip_has_is_refused_before_any_query(clips: Clips) -> None:
    oracle = EmbeddedOracle()
    with pytest.raises(ValueError, match=r"`question` must be one of .* got 'who is it'"):
        Training(replace(TINY, question="who is it"), clips, oracle)
    assert oracle.num_calls == 0


def test_a_batch_larger_than_the_data_is_refused(clips: Clips) -> None:
    with pytest.raises(ValueError, match="`batch` must be at most the number of clips asked about, 8, got 64"):
        Training(replace(TINY, batch=64), clips, EmbeddedOracle())


def test_a_start_just_made_has_no_gradients_that_a_training_would_add_to(clips: Clips) -> None:
    start = make_start(replace(TINY, anonymizer="small-12", start_steps=2), clips)
    parameters = [parameter for network in vars(start).values() for parameter in network.parameters()]
    assert all(parameter.grad is None for parameter in parameters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init": "random"}, "`init` must be one of warm, identity, got 'random'"),
        ({"pool": 0}, "`pool` must be positive, got 0"),
        ({"calls_per_sample": -1.0}, "`calls_per_sample` must be positive, got -1.0"),
        ({"guide_steps": 0}, "`guide_steps` must be positive, got 0"),
        ({"guide_lr": 0.0}, "`guide_lr` must be positive, got 0.0"),
        ({"guide_lessons": -1}, "`guide_lessons` must not be negative, got -1"),
        ({"reviewer_refreshes": -1}, "`reviewer_refreshes` must not be negative, got -1"),
        ({"utility_weight": 1.0}, r"`utility_weight` must be in \(0, 1\), got 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**change)


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 60, 132), (1.0, 192, 192)])
def test_the_main_question_gets_its_share_of_the_queries(clips: Clips, share: float, low: int, high: int) -> None:
    training = Training(replace(TINY, question=QUESTIONS[1], question_share=share), clips, EmbeddedOracle())
    batches = [training.batches.draw(is_last=False) for _ in range(192 // TINY.batch)]
    drawn = [question for batch in batches for question in batch.questions]
    assert low <= drawn.count(QUESTIONS[1]) <= high
    assert share == 1.0 or set(drawn) >= set(QUESTIONS) - {QUESTIONS[1]}


def test_a_budget_that_pays_for_no_step_is_refused(clips: Clips) -> None:
    with pytest.raises(ValueError, match=r"`calls_per_sample` must pay for a step of 8 calls on 8 clips, got 0\.9"):
        Training(replace(TINY, calls_per_sample=0.9), clips, EmbeddedOracle())
