"""The trained baselines in miniature: each lowers its own objective, and what an attacker still reads."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.methods import Surrogate
from privacy_mllm.methods.pixels import resize
from privacy_mllm.methods.surrogates import BDQ, MPPAR, VITA, Recipe, SPAct, STPrivacy, label_clips, train_action_model
from privacy_mllm.metrics import class_mean_average_precision
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.reviewing import review, train_reviewer

pytestmark = pytest.mark.slow

RECIPES: tuple[Recipe, ...] = (
    VITA(steps=40, batch=6, start_steps=30, pretrain_steps=10, restart_every=15, restart_steps=2, widths=(4, 8)),
    SPAct(steps=40, batch=8, start_steps=30, pretrain_steps=10, width=8, dim=32),
    BDQ(steps=60, batch=8, pretrain_steps=10, width=8),
    MPPAR(steps=40, batch=6, start_steps=30, pretrain_steps=10, widths=(4, 8), lr=6e-3),
    STPrivacy(steps=60, batch=8, start_steps=60, pretrain_steps=10, width=8, dim=64, lr=2e-3, keep=0.9),
)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", 240, size=32)


@pytest.fixture(scope="module")
def shown() -> Clips:
    return render_clips("validation", 200, size=32)


@pytest.fixture(scope="module")
def trained(clips: Clips) -> dict[str, Surrogate]:
    few = clips.head(80)
    utility = train_action_model(label_clips(few), steps=60, seed=0, width=12)
    methods = {recipe.name: Surrogate(recipe) for recipe in RECIPES}
    for method in methods.values():
        method.fit(few, utility=utility)
    return methods


def attacked(method: Surrogate | None, clips: Clips, shown: Clips) -> float:
    """What the shipped reviewer reads after it has learned from labelled pictures of a method; raw ones for None."""
    seen, tested = (enlarged(part.frames if method is None else method.anonymize(part)) for part in (clips, shown))
    attacker = train_reviewer(seen, clips.attributes, steps=60, seed=0, init=load_reviewer("reviewer"), batch=24)
    return class_mean_average_precision(review(attacker, tested), shown.attributes).value


def enlarged(frames: Tensor) -> Tensor:
    """Clips at the size that the reviewer knows."""
    return resize(frames.flatten(0, 1), 64, 64).unflatten(0, frames.shape[:2])


@pytest.mark.parametrize("name", [recipe.name for recipe in RECIPES])
def test_training_lowers_the_objective(name: str, trained: dict[str, Surrogate]) -> None:
    objective = torch.tensor([losses["objective"] for losses in trained[name].history])
    quarter = len(objective) // 4
    first, last = objective[:quarter], objective[-quarter:]
    error = (first.var() / quarter + last.var() / quarter).sqrt()
    assert last.mean() < first.mean() - 2 * error


@pytest.fixture(scope="module")
def raw_leak(clips: Clips, shown: Clips) -> float:
    return attacked(None, clips, shown)


@pytest.mark.parametrize("name", [recipe.name for recipe in RECIPES])
def test_an_attacker_reads_less_than_from_raw_pictures(
    name: str, trained: dict[str, Surrogate], clips: Clips, shown: Clips, raw_leak: float
) -> None:
    # Much of it is the blur of a reconstruction that was cut short; the full trainings are in docs/baselines.md.
    chance = class_mean_average_precision(shown.attributes, shown.attributes).chance
    assert chance < attacked(trained[name], clips, shown) < raw_leak - 10
