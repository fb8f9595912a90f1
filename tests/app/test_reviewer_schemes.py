"""How reviewers learn along: what each scheme does, and that a saved one goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import zoopt_mo as zo
from privacy_mllm.data.world import render_clips
from privacy_mllm.drawing import draw_batches
from privacy_mllm.losses import privacy_loss
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.factory import build_reviewer
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.reviewers import (
    SCHEMES,
    Alternate,
    Ensemble,
    Restart,
    ReviewerScheme,
    attack,
    build_scheme,
    worst_attack,
)
from privacy_mllm.reviewing import review, train_reviewer

NUM_ATTRIBUTES = 6
PRIVACY = partial(privacy_loss, base_rates=torch.full((NUM_ATTRIBUTES,), 0.4))


def _batches(count: int, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    clips = render_clips("train", 16, size=16)
    generator = torch.Generator().manual_seed(seed)
    return list(draw_batches(clips.frames, clips.attributes, count, 8, generator))


def _fresh(number: int) -> AttributeNetwork:
    return build_reviewer("small", NUM_ATTRIBUTES, seed=number)


def _same(first: AttributeNetwork, second: AttributeNetwork) -> bool:
    theirs = second.state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in first.state_dict().items())


def _learn(scheme: ReviewerScheme, batches: list[tuple[Tensor, Tensor]]) -> list[float]:
    """The losses of a few steps of both sides."""
    losses = []
    for pictures, labels in batches:
        losses.append(float(scheme.loss(pictures).detach()))
        losses.append(scheme.refresh(pictures, labels))
    return losses


def test_alternating_is_one_adam_step_a_step_bit_for_bit() -> None:
    reviewer, scheme = _fresh(1), Alternate(_fresh(1), PRIVACY, lr=1e-3)
    optimizer = torch.optim.Adam(reviewer.parameters(), 1e-3)
    for pictures, labels in _batches(4):
        shown = pictures.clone().requires_grad_()
        reviewer.eval()
        private = PRIVACY(reviewer(shown))
        (gradient,) = torch.autograd.grad(private, shown)
        reviewer.train()
        loss = F.binary_cross_entropy_with_logits(reviewer(shown.detach()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        again = pictures.clone().requires_grad_()
        assert torch.equal(scheme.loss(again), private)
        (same,) = torch.autograd.grad(scheme.loss(again), again)
        assert torch.equal(same, gradient)
        assert scheme.refresh(again, labels) == float(loss.detach())
        assert _same(scheme.reviewer, reviewer)


def test_several_steps_a_batch_learn_more_and_report_the_loss_before_them() -> None:
    once, thrice = Alternate(_fresh(1), PRIVACY), Alternate(_fresh(1), PRIVACY, steps=3)
    ((pictures, labels),) = _batches(1)
    assert once.refresh(pictures, labels) == thrice.refresh(pictures, labels)
    once.refresh(pictures, labels)
    once.refresh(pictures, labels)
    assert _same(once.reviewer, thrice.reviewer)


def test_no_gradient_reaches_the_anonymizer_when_reviewers_learn() -> None:
    ((pictures, labels),) = _batches(1)
    shown = pictures.clone().requires_grad_()
    Alternate(_fresh(1), PRIVACY).refresh(shown * 1.0, labels)
    assert shown.grad is None


def test_restarting_goes_back_to_the_first_weights_with_a_fresh_optimizer() -> None:
    scheme = Restart(Alternate(_fresh(1), PRIVACY), every=3)
    batches = _batches(6)
    _learn(scheme, batches[:2])
    assert not _same(scheme.reviewers[0], _fresh(1))
    _learn(scheme, batches[2:3])
    assert scheme.num_restarts == 1
    assert _same(scheme.reviewers[0], _fresh(1))
    plain = Alternate(_fresh(1), PRIVACY)
    assert _learn(scheme, batches[3:5]) == _learn(plain, batches[3:5])


def test_restarting_from_scratch_takes_new_weights_each_time() -> None:
    scheme = Restart(Alternate(_fresh(9), PRIVACY), every=1, fresh=_fresh)
    for number, (pictures, labels) in enumerate(_batches(3), start=1):
        scheme.refresh(pictures, labels)
        assert _same(scheme.reviewers[0], _fresh(number))


def test_a_restarted_reviewer_catches_up_on_what_the_anonymizer_shows_now() -> None:
    shown = _batches(2, seed=5)
    queue = iter(shown)
    scheme = Restart(Alternate(_fresh(1), PRIVACY), every=1, catch_up=2, show=lambda: next(queue))
    ((pictures, labels),) = _batches(1)
    scheme.refresh(pictures, labels)
    plain = Alternate(_fresh(1), PRIVACY)
    _learn(plain, shown)
    assert _same(scheme.reviewers[0], plain.reviewer)


def test_the_strongest_of_an_ensemble_decides_loss_and_gradient() -> None:
    raw = load_reviewer("reviewer")
    clips = render_clips("train", 8)
    pictures = (clips.frames[:, 0].float() / 255).requires_grad_()
    blind, knowing = Alternate(_fresh(1), PRIVACY), Alternate(raw, PRIVACY)
    assert knowing.loss(pictures) > blind.loss(pictures)
    for members in ([blind, knowing], [knowing, blind]):
        ensemble = Ensemble(members)
        assert torch.equal(ensemble.loss(pictures), knowing.loss(pictures))
        (gradient,) = torch.autograd.grad(ensemble.loss(pictures), pictures)
        (expected,) = torch.autograd.grad(knowing.loss(pictures), pictures)
        assert torch.equal(gradient, expected)
    both = Ensemble([blind, knowing], reduce="mean").loss(pictures)
    assert both.item() == pytest.approx((knowing.loss(pictures).item() + blind.loss(pictures).item()) / 2)


def test_all_of_an_ensemble_learn_and_the_best_ones_loss_is_reported() -> None:
    ((pictures, labels),) = _batches(1)
    alone = [Alternate(_fresh(number), PRIVACY) for number in (1, 2)]
    ensemble = Ensemble([Alternate(_fresh(number), PRIVACY) for number in (1, 2)])
    assert ensemble.refresh(pictures, labels) == min(one.refresh(pictures, labels) for one in alone)
    assert all(_same(mine, one.reviewer) for mine, one in zip(ensemble.reviewers, alone, strict=True))


BUILDERS: dict[str, Callable[[], ReviewerScheme]] = {
    name: partial(lambda name: build_scheme(name, _fresh(0), PRIVACY, every=2, members=2, fresh=_fresh), name)
    for name in SCHEMES
}


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_restored_from_a_checkpoint_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    batches = _batches(6)
    whole, first, second = BUILDERS[name](), BUILDERS[name](), BUILDERS[name]()
    expected = _learn(whole, batches)
    begun = _learn(first, batches[:3])
    zo.save_checkpoint(tmp_path / "state", first.state_dict())
    _learn(second, batches[4:])  # a scheme of another history
    second.load_state_dict(zo.load_checkpoint(tmp_path / "state"))
    assert begun + _learn(second, batches[3:]) == expected
    assert all(_same(mine, other) for mine, other in zip(second.reviewers, whole.reviewers, strict=True))


def test_the_first_weights_of_a_restart_are_those_of_the_saved_run() -> None:
    saved = Restart(Alternate(_fresh(1), PRIVACY), every=1)
    other = Restart(Alternate(_fresh(2), PRIVACY), every=1)
    other.load_state_dict(saved.state_dict())
    ((pictures, labels),) = _batches(1)
    other.refresh(pictures, labels)
    assert _same(other.reviewers[0], _fresh(1))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Alternate(_fresh(0), PRIVACY, lr=0.0), "`lr` must be positive, got 0.0"),
        (lambda: Alternate(_fresh(0), PRIVACY, steps=0), "`steps` must be positive, got 0"),
        (lambda: Restart(Alternate(_fresh(0), PRIVACY), every=0), "`every` must be positive, got 0"),
        (lambda: Restart(Alternate(_fresh(0), PRIVACY), catch_up=-1), "`catch_up` must not be negative, got -1"),
        (
            lambda: Restart(Alternate(_fresh(0), PRIVACY), catch_up=5),
            "`show` must be given for a reviewer to catch up 5",
        ),
        (lambda: Ensemble([]), "`members` must not be empty"),
        (
            lambda: Ensemble([Alternate(_fresh(0), PRIVACY)], reduce="sum"),
            "`reduce` must be one of max, mean, got 'sum'",
        ),
        (
            lambda: build_scheme("gan", _fresh(0), PRIVACY),
            "`name` must be one of alternate, restart, ensemble, got 'gan'",
        ),
        (lambda: build_scheme("ensemble", _fresh(0), PRIVACY), "`fresh` must be given for an ensemble"),
        (lambda: build_scheme("ensemble", _fresh(0), PRIVACY, members=1), "`members` must be 2 or more, got 1"),
        (
            lambda: Ensemble([Alternate(_fresh(0), PRIVACY)]).load_state_dict({"members": []}),
            "`state` must be of 1 members, got 0",
        ),
        (lambda: worst_attack([]), "`attacks` must not be empty"),
    ],
)
def test_bad_arguments_are_named(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_attackers_begin_where_they_are_told_and_the_worst_counts() -> None:
    known, judged = render_clips("train", 24, size=32), render_clips("test", 24, size=32)
    starts = {"raw": load_reviewer("reviewer"), "random": _fresh(3)}
    before = {key: value.clone() for key, value in starts["raw"].state_dict().items()}
    attacks = attack(
        (known.frames, known.attributes),
        (judged.frames, judged.attributes),
        starts=starts,
        num_scratch=2,
        steps=4,
        scratch_steps=3,
        seed=7,
    )
    assert [one.name for one in attacks] == ["raw", "random", "scratch-1", "scratch-2"]
    by_hand = train_reviewer(known.frames, known.attributes, steps=4, seed=7, init=starts["raw"])
    assert torch.equal(review(attacks[0].attacker, judged.frames), review(by_hand, judged.frames))
    second = train_reviewer(known.frames, known.attributes, steps=3, seed=8, init=None)
    assert torch.equal(review(attacks[3].attacker, judged.frames), review(second, judged.frames))
    assert worst_attack(attacks).leakage.value == max(one.leakage.value for one in attacks)
    assert all(torch.equal(value, before[key]) for key, value in starts["raw"].state_dict().items())


def test_an_attack_needs_an_attacker() -> None:
    clips = render_clips("train", 2, size=16)
    both = (clips.frames, clips.attributes)
    with pytest.raises(ValueError, match="`starts` must hold a network where `num_scratch` is 0"):
        attack(both, both, starts={})
    with pytest.raises(ValueError, match="`num_scratch` must not be negative, got -1"):
        attack(both, both, starts={}, num_scratch=-1)


def test_a_resnet_50_learns_as_an_attacker_too() -> None:
    clips = render_clips("train", 4, size=16)
    network = train_reviewer(
        clips.frames,
        clips.attributes,
        steps=1,
        seed=0,
        init=None,
        batch=4,
        build=lambda number: build_reviewer("resnet50", number, seed=5),
    )
    assert review(network, clips.frames).shape == (4, NUM_ATTRIBUTES)
    assert not _same(network, build_reviewer("resnet50", NUM_ATTRIBUTES, seed=5))
