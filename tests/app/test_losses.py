"""The two losses: their values by hand, their bounds, their gradient."""

from __future__ import annotations

import math

import pytest
import torch

from privacy_mllm.losses import LOGIT_LIMIT, PRIVACY_IDEAL, UTILITY_BOUND, privacy_loss, utility_loss
from privacy_mllm.oracles.protocol import Answer


def _answer(text: str = "waving", **probabilities: float) -> Answer:
    return Answer(text, {word: math.log(value) for word, value in probabilities.items()})


def test_logprob_loss_is_the_surprise_of_the_right_answer() -> None:
    losses = utility_loss([_answer(waving=0.5, sitting=0.5), _answer(waving=0.9, sitting=0.1)], [("sitting",)] * 2)
    assert losses.tolist() == pytest.approx([math.log(2), math.log(10)])


def test_logprobs_are_normalised_over_the_candidates() -> None:
    loss = utility_loss([_answer(waving=0.3, sitting=0.1)], [("waving",)])
    assert loss.item() == pytest.approx(-math.log(0.75))


def test_the_best_accepted_answer_counts() -> None:
    loss = utility_loss([_answer(sofa=0.2, couch=0.8)], [("sofa", "couch")])
    assert loss.item() == pytest.approx(-math.log(0.8))


@pytest.mark.parametrize("answer", [_answer(waving=1.0, sitting=1e-30), _answer(waving=1.0)])
def test_logprob_loss_is_bounded(answer: Answer) -> None:
    assert utility_loss([answer], [("sitting",)]).item() == UTILITY_BOUND


def test_text_loss_ignores_case_and_space() -> None:
    answers = [Answer("  A  Ball "), Answer("a cup")]
    assert utility_loss(answers, [("a ball",), ("a ball",)], kind="text").tolist() == [0.0, 1.0]


def test_missing_logprobs_name_the_way_out() -> None:
    with pytest.raises(ValueError, match='use kind="text"'):
        utility_loss([Answer("waving")], [("waving",)])


def test_utility_loss_rejects_unknown_kinds_and_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="`kind` must be"):
        utility_loss([], [], kind="bleu")
    with pytest.raises(ValueError, match="`targets` must have one entry an answer, got 0 for 1 answers"):
        utility_loss([Answer("waving")], [])


def test_uniform_bce_by_hand() -> None:
    loss = privacy_loss(torch.tensor([[2.0, -1.0]]), torch.tensor([0.5, 0.5]), "uniform_bce")
    assert loss.item() == pytest.approx(0.970095, abs=1e-6)


def test_reverse_kl_by_hand() -> None:
    p, rate = 0.9, 0.4
    expected = p * math.log(p / rate) + (1 - p) * math.log((1 - p) / (1 - rate))
    loss = privacy_loss(torch.tensor([[math.log(p / (1 - p))]]), torch.tensor([rate]))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_ideal_is_reached_by_a_reviewer_that_knows_nothing() -> None:
    rates = torch.tensor([0.3, 0.6])
    assert privacy_loss(rates.logit().expand(4, 2), rates).item() == pytest.approx(
        PRIVACY_IDEAL["reverse_kl"], abs=1e-6
    )
    ignorant = privacy_loss(torch.zeros(4, 2), rates, "uniform_bce").item()
    assert ignorant == pytest.approx(PRIVACY_IDEAL["uniform_bce"])


@pytest.mark.parametrize("kind", sorted(PRIVACY_IDEAL))
def test_privacy_loss_stays_between_its_bounds(kind: str) -> None:
    logits = torch.linspace(-1e4, 1e4, 2001)[:, None]
    losses = torch.stack([privacy_loss(row[None], torch.tensor([0.4]), kind) for row in logits])
    assert float(losses.min()) >= PRIVACY_IDEAL[kind] - 1e-6
    assert float(losses.max()) <= max(-math.log(0.4), LOGIT_LIMIT)


@pytest.mark.parametrize("kind", sorted(PRIVACY_IDEAL))
@pytest.mark.parametrize("logit", [-1e3, -8.0, 2.0, 8.0, 1e3])
def test_the_gradient_pushes_even_a_certain_reviewer_towards_ignorance(kind: str, logit: float) -> None:
    logits = torch.tensor([[logit]], requires_grad=True)
    privacy_loss(logits, torch.tensor([0.4]), kind).backward()
    assert logits.grad is not None
    assert math.copysign(1, logits.grad.item()) == math.copysign(1, logit)
    assert abs(logits.grad.item()) > 1e-3


@pytest.mark.parametrize("kind", sorted(PRIVACY_IDEAL))
def test_the_gradient_is_that_of_the_value(kind: str) -> None:
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    rates = torch.tensor([0.3, 0.6], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: privacy_loss(x, rates, kind), (logits,))


def test_privacy_loss_rejects_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`kind` must be"):
        privacy_loss(torch.zeros(1, 1), torch.tensor([0.5]), "forward_kl")
    with pytest.raises(ValueError, match="`base_rates` must lie strictly between 0 and 1"):
        privacy_loss(torch.zeros(1, 1), torch.tensor([0.0]))
