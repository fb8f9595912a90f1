"""The trained baselines: each is the same for the same seed, and says what it cannot do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch import nn

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.methods import Anonymizer, Surrogate, Trainable, fit_all, surrogates
from privacy_mllm.methods.surrogates import (
    BDQ,
    MPPAR,
    VITA,
    ActionModel,
    Recipe,
    SPAct,
    STPrivacy,
    label_clips,
    name_actions,
    train_action_model,
)
from privacy_mllm.methods.surrogates.mppar import MPPARGame, Side
from privacy_mllm.methods.surrogates.views import random_view
from privacy_mllm.methods.surrogates.vita import VITAGame
from tests.app.small_recipes import SMALL, named


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", 80, size=32)


@pytest.fixture(scope="module")
def utility(clips: Clips) -> ActionModel:
    return train_action_model(label_clips(clips), steps=60, seed=0, width=12)


@pytest.mark.parametrize("recipe", SMALL, ids=named)
def test_a_seed_gives_one_network_whatever_else_goes_on(recipe: Recipe, clips: Clips, utility: ActionModel) -> None:
    def shown(seed: int) -> torch.Tensor:
        method = Surrogate(recipe, seed)
        method.fit(clips, utility=utility)
        return method.anonymize(clips)

    before = torch.random.get_rng_state()
    one = shown(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    with ThreadPoolExecutor(3) as pool:
        again, other, _ = pool.map(shown, [0, 1, 2])
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("recipe", SMALL, ids=named)
def test_pictures_keep_shape_and_no_clip_depends_on_its_neighbours(
    recipe: Recipe, clips: Clips, utility: ActionModel
) -> None:
    method = Surrogate(recipe)
    method.fit(clips, utility=utility)
    odd = render_clips("validation", 11, frames=3, size=27)
    changed = method.anonymize(odd)
    assert changed.shape == odd.frames.shape
    assert changed.dtype == torch.uint8
    alone = method.anonymize(odd.head(1))
    assert (changed[:1].int() - alone.int()).abs().max() <= 1  # sums over larger batches round otherwise
    assert method.anonymize(odd.head(0)).shape == (0, 3, 3, 27, 27)


def test_the_lot_is_that_of_the_paper() -> None:
    assert [method.name for method in surrogates()] == [
        f"surrogate {name}" for name in ("VITA", "SPAct", "BDQ", "MPPAR", "STPrivacy")
    ]
    assert [method.recipe.name for method in surrogates(still=True)] == ["VITA", "SPAct", "MPPAR"]
    assert {method.seed for method in surrogates(7)} == {7}


def test_a_surrogate_is_an_anonymizer_that_can_be_trained() -> None:
    method: Anonymizer = Surrogate(VITA())
    assert isinstance(method, Trainable)


def test_what_is_not_trained_is_not_used(clips: Clips) -> None:
    with pytest.raises(RuntimeError, match="surrogate SPAct is not trained; call `fit` first"):
        Surrogate(SPAct()).anonymize(clips)


@pytest.mark.parametrize("recipe", [BDQ(), STPrivacy()], ids=named)
def test_methods_of_motion_refuse_single_pictures(recipe: Recipe) -> None:
    pictures = render_clips("train", 8, frames=1, size=16)
    with pytest.raises(ValueError, match=f"{recipe.name} is not defined on single pictures; leave it out"):
        Surrogate(recipe).fit(pictures)


def test_a_network_that_broke_is_not_taken_for_a_picture(clips: Clips, utility: ActionModel) -> None:
    method = Surrogate(BDQ(steps=1, pretrain_steps=1))
    method.fit(clips, utility=utility)
    assert method.network is not None
    for parameter in method.network.parameters():
        parameter.fill_(float("nan"))
    with pytest.raises(RuntimeError, match="surrogate BDQ gave pixels that are not finite"):
        method.anonymize(clips)


def test_one_answer_alone_cannot_be_learned(clips: Clips) -> None:
    same = replace(clips, answers=({"what": ("that",)},) * len(clips))
    with pytest.raises(ValueError, match=r"`clips` must have at least two answers to 'what', got \['that'\]"):
        Surrogate(VITA()).fit(same)


def test_clips_without_the_question_are_left_out(clips: Clips) -> None:
    answers = ({"a": ("x",)}, {"b": ("y",)}, {"a": ("w", "x")})
    few = replace(clips.head(3), answers=answers)
    data = label_clips(few)
    assert data.classes == ("w", "x")
    assert data.actions.tolist() == [1, 0]
    assert torch.equal(data.frames, clips.frames[[0, 2]])


def test_the_action_model_learns_what_it_is_shown(clips: Clips, utility: ActionModel) -> None:
    data = label_clips(clips)
    right = (name_actions(utility, data.frames) == data.actions).float().mean()
    assert right > 0.6  # a guess is right once in ten


def test_a_given_action_model_is_left_as_it_is(clips: Clips, utility: ActionModel) -> None:
    before = {name: value.clone() for name, value in utility.state_dict().items()}
    Surrogate(BDQ(steps=2, pretrain_steps=1)).fit(clips, utility=utility)
    assert all(torch.equal(before[name], value) for name, value in utility.state_dict().items())
    assert not utility.training


def test_several_methods_are_trained_from_one_action_model(clips: Clips) -> None:
    methods = [Surrogate(BDQ(steps=steps, pretrain_steps=1)) for steps in (1, 2)]
    told: list[str] = []
    fit_all(methods, clips, utility_steps=2, progress=told.append)
    assert told == ["surrogate BDQ"] * 2
    assert [len(method.history) for method in methods] == [1, 2]
    assert methods[0].history[0] == methods[1].history[0]
    with pytest.raises(ValueError, match=r"must put the same question, got \['', 'x'\]"):
        fit_all([Surrogate(BDQ()), Surrogate(BDQ(), question="x")], clips)


def test_the_insider_is_the_adversary_that_knows_attributes(clips: Clips, utility: ActionModel) -> None:
    for recipe in (BDQ(steps=1, pretrain_steps=1), SPAct(steps=1, start_steps=1, pretrain_steps=1)):
        method = Surrogate(recipe)
        method.fit(clips, utility=utility)
        assert (method.insider is None) == (recipe.name == "SPAct")


def test_a_restart_puts_the_budget_models_back(clips: Clips, utility: ActionModel) -> None:
    recipe = VITA(start_steps=1, pretrain_steps=3, restart_every=2, restart_steps=0, widths=(4,), batch=4)
    data, generator = label_clips(clips), torch.Generator().manual_seed(0)
    game = VITAGame(recipe, data, nn.Sequential(utility), generator)
    raw = {name: value.clone() for name, value in game.budgets[0].state_dict().items()}
    game.step(data.draw(4, generator), 0.0)
    assert any(not torch.equal(raw[name], value) for name, value in game.budgets[0].state_dict().items())
    game.restart()
    assert all(torch.equal(raw[name], value) for name, value in game.budgets[0].state_dict().items())


@pytest.mark.parametrize("first_order", [True, False])
def test_the_query_is_judged_after_the_virtual_step(clips: Clips, utility: ActionModel, first_order: bool) -> None:
    recipe = MPPAR(start_steps=2, pretrain_steps=3, widths=(4, 4), inner_lr=1e-3, first_order=first_order)
    data, generator = label_clips(clips), torch.Generator().manual_seed(0)
    game = MPPARGame(recipe, data, utility.eval(), generator)
    for attacker in game.attackers:
        attacker.eval()
    side, batch = Side((0,), (0, 1, 2)), data.draw(6, generator)
    on_support, on_query, _ = game.losses(batch, side, side)
    assert on_query < on_support  # the same losses, one step further down


def test_views_are_crops_of_one_frame_and_pass_a_gradient_on() -> None:
    clips = torch.rand(5, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    first = random_view(clips, torch.Generator().manual_seed(1))
    assert first.shape == (5, 3, 16, 16)
    assert torch.equal(first, random_view(clips, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, random_view(clips, torch.Generator().manual_seed(2)))
    assert 0 <= first.min() <= first.max() <= 1
    first.sum().backward()
    assert clips.grad is not None
    touched = clips.grad.abs().sum((2, 3, 4)) > 0
    assert touched.sum(dim=1).tolist() == [1] * 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MPPAR(widths=(4,)), r"`widths` must name at least two attackers, got \[4\]"),
        (lambda: STPrivacy(keep=0.0), r"`keep` must be in \(0, 1\], got 0.0"),
        (lambda: STPrivacy(keep=1.5), r"`keep` must be in \(0, 1\], got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_no_step_is_no_training(clips: Clips) -> None:
    with pytest.raises(ValueError, match="`steps` must be positive, got 0"):
        train_action_model(label_clips(clips), steps=0, seed=0)
