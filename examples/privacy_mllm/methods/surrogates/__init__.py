"""The trained baselines of the paper: white-box methods, each with an action model in the black box's place."""

from __future__ import annotations

from privacy_mllm.methods.surrogates.action_model import ActionModel, name_actions, train_action_model
from privacy_mllm.methods.surrogates.bdq import BDQ
from privacy_mllm.methods.surrogates.labelled import LabelledClips, label_clips
from privacy_mllm.methods.surrogates.mppar import MPPAR
from privacy_mllm.methods.surrogates.spact import SPAct
from privacy_mllm.methods.surrogates.stprivacy import STPrivacy
from privacy_mllm.methods.surrogates.surrogate import Recipe, Surrogate, fit_all
from privacy_mllm.methods.surrogates.vita import VITA

__all__ = [
    "BDQ",
    "MPPAR",
    "VITA",
    "ActionModel",
    "LabelledClips",
    "Recipe",
    "SPAct",
    "STPrivacy",
    "Surrogate",
    "fit_all",
    "label_clips",
    "name_actions",
    "surrogates",
    "train_action_model",
]


def surrogates(seed: int = 0, *, still: bool = False, question: str = "") -> list[Surrogate]:
    """The trained baselines, in the order of the paper's tables, not yet trained.

    Args:
        seed: Seed of each training.
        still: Whether the clips with actions are single pictures, for which BDQ and STPrivacy are not defined.
        question: The question whose answers are the actions; empty takes the first of the clips.
    """
    recipes: tuple[Recipe, ...] = (VITA(), SPAct(), BDQ(), MPPAR(), STPrivacy())
    return [Surrogate(recipe, seed, question) for recipe in recipes if not (still and recipe.needs_motion)]
