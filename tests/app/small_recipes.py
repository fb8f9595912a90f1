"""The trained baselines in miniature."""

from __future__ import annotations

from privacy_mllm.methods.surrogates import BDQ, MPPAR, VITA, Recipe, SPAct, STPrivacy

SMALL: tuple[Recipe, ...] = (
    VITA(steps=2, batch=4, start_steps=2, pretrain_steps=2, restart_every=1, restart_steps=1, widths=(4, 8)),
    SPAct(steps=2, batch=4, start_steps=2, pretrain_steps=2, width=8, dim=32),
    BDQ(steps=2, batch=4, pretrain_steps=2, width=8),
    MPPAR(steps=2, batch=4, start_steps=2, pretrain_steps=2, widths=(4, 8)),
    STPrivacy(steps=2, batch=4, start_steps=2, pretrain_steps=2, width=8, dim=32),
)


def named(recipe: Recipe) -> str:
    return recipe.name
