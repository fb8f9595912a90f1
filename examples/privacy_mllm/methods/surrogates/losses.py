"""The loss terms of the white-box methods, as functions of what their networks say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    r"""Normalised temperature-scaled cross-entropy between two views of the same samples.

    For each of the 2b embeddings its other view must be found among the other 2b - 1:
    :math:`-\log \frac{\exp(s_{ij} / \tau)}{\sum_{k \ne i} \exp(s_{ik} / \tau)}`, s the cosine similarity; averaged.

    Args:
        first: Embeddings of the first view, ``[b, d]``.
        second: Those of the second, ``[b, d]``.
        temperature: :math:`\tau`, positive.

    Returns:
        The loss, ``[]``.

    Reference:
        Chen et al., A simple framework for contrastive learning of visual representations, ICML 2020, equation 1.
    """
    embeddings = F.normalize(torch.cat([first, second]), dim=1)
    similarity = embeddings @ embeddings.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(embeddings), dtype=torch.bool, device=first.device), -math.inf)
    partner = torch.arange(len(embeddings), device=first.device).roll(len(first))
    return F.cross_entropy(similarity, partner)


def uniform_cross_entropy(logits: Tensor) -> Tensor:
    """Cross-entropy of yes-or-no verdicts against one half, a sample, ``[b]`` of logits ``[b, k]``; log 2 at best."""
    return (F.softplus(logits) - logits / 2).mean(dim=1)


def worst_of_ensemble(verdicts: Sequence[Tensor]) -> Tensor:
    """The largest uniform cross-entropy over an ensemble for each sample, averaged.

    Only the model that is surest about a sample counts for it, so that no model may be left out.

    Args:
        verdicts: One tensor of logits ``[b, k]`` a model.
    """
    return torch.stack([uniform_cross_entropy(logits) for logits in verdicts]).max(dim=0).values.mean()


def verdict_entropy(logits: Tensor) -> Tensor:
    """Mean entropy of yes-or-no verdicts ``[b, k]``, ``[]``: log 2 where nothing is known, 0 where all is."""
    yes = logits.sigmoid()
    return (F.softplus(logits) - yes * logits).mean()


def bounded_gain(loss: Tensor, ceiling: float) -> Tensor:
    """The negative of an adversary's loss, no lower than minus the ceiling: beyond it there is nothing to win.

    Without a bound an anonymizer that has fooled its adversary would go on for ever at the cost of all else.
    """
    return -loss.clamp(max=ceiling)


def budget_penalty(kept: Tensor, ratio: float) -> Tensor:
    """Squared difference between the mean share of tubelets that are kept and the share that should be."""
    return (kept.mean() - ratio).square()
