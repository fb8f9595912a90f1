"""The loss of privacy: its values by hand, its bounds, its gradient."""

from __future__ import annotations

import math

import pytest
import torch

from privacy_mllm.losses import LOGIT_LIMIT, PRIVACY_IDEAL, privacy_loss


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
