"""What the anonymizer is trained to lower: the loss of utility and the loss of privacy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.metrics import normalise_answer
from privacy_mllm.oracles.protocol import Answer

UTILITY_BOUND = 6.0
"""The largest value of the "logprob" utility loss: an answer less likely than ``exp(-6)`` counts as wrong, no more."""

PRIVACY_IDEAL = {"reverse_kl": 0.0, "uniform_bce": math.log(2)}
"""The lower bound of each privacy loss, reached when the reviewer knows nothing: the scalarizer's ideal point."""

LOGIT_LIMIT = 6.0
"""Beyond this logit a reviewer counts as certain: ``sigmoid(6) = .9975``."""


def utility_loss(answers: Sequence[Answer], targets: Sequence[tuple[str, ...]], kind: str = "logprob") -> Tensor:
    r"""The loss of utility of each answer, bounded on both sides.

    ``"logprob"``: :math:`\min(6, -\max_{a \in \text{accepted}} \log p(a))`, where the model's log-probabilities
    are first normalised over its candidate answers. ``"text"``: 0 where the text is an accepted answer, else 1.
    Answers are compared as the reported accuracy compares them: letter case, white space, articles and punctuation
    do not count. Costs no query.

    Args:
        answers: What the model said, one answer a clip.
        targets: The accepted answers of each clip.
        kind: "logprob" (smooth, needs a service that returns log-probabilities) or "text".

    Returns:
        Losses, ``float32 [b]``.

    Raises:
        ValueError: If the kind is unknown, the lengths differ, or log-probabilities are asked for and missing.
    """
    if kind not in ("logprob", "text"):
        raise ValueError(f'`kind` must be "logprob" or "text", got {kind!r}.')
    if len(answers) != len(targets):
        raise ValueError(f"`targets` must have one entry an answer, got {len(targets)} for {len(answers)} answers.")
    one = _logprob_loss if kind == "logprob" else _text_loss
    return torch.tensor([one(answer, target) for answer, target in zip(answers, targets, strict=True)])


def privacy_loss(logits: Tensor, base_rates: Tensor, kind: str = "reverse_kl") -> Tensor:
    r"""How much a reviewer still knows about the private attributes, averaged over pictures and attributes.

    ``"reverse_kl"``: :math:`KL(p \| \pi)` of the reviewer's probability p against the base rate
    :math:`\pi`, between 0 (the reviewer is left with the base rates) and :math:`-\log\min(\pi, 1 - \pi)`.
    The forward divergence :math:`KL(\pi \| p)` has no upper bound and makes a training run away.
    ``"uniform_bce"``: cross-entropy against one half, :math:`\log 2` at best. The lower bounds are in
    ``PRIVACY_IDEAL``. The paper states its own choice in a supplement that is not available, so both are ours.

    Logits are read as if they lay within ``LOGIT_LIMIT``; the gradient passes through unchanged, so that a
    reviewer that is all too certain is still pushed back. Costs no query.

    Args:
        logits: What the reviewer thinks, ``[b, k]``.
        base_rates: How often each attribute occurs, between 0 and 1, ``[k]``.
        kind: "reverse_kl" or "uniform_bce" (which does not use the base rates).

    Returns:
        The loss, ``[]``.

    Raises:
        ValueError: If the kind is unknown, or a base rate is not strictly between 0 and 1.
    """
    if kind not in PRIVACY_IDEAL:
        raise ValueError(f'`kind` must be "reverse_kl" or "uniform_bce", got {kind!r}.')
    logits = _limit(logits)
    if kind == "uniform_bce":
        return (F.softplus(logits) - logits / 2).mean()
    if not bool(((base_rates > 0) & (base_rates < 1)).all()):
        raise ValueError(f"`base_rates` must lie strictly between 0 and 1, got {base_rates.tolist()}.")
    seen = logits.sigmoid()
    yes = seen * (F.logsigmoid(logits) - base_rates.log())
    no = (1 - seen) * (F.logsigmoid(-logits) - (1 - base_rates).log())
    return (yes + no).mean()


def same_words(first: str, second: str) -> bool:
    """Whether two answers are the same as the reported accuracy sees it: case, articles and punctuation aside."""
    return normalise_answer(first) == normalise_answer(second)


def _logprob_loss(answer: Answer, target: tuple[str, ...]) -> float:
    if not answer.logprobs:
        raise ValueError('`answers` must hold log-probabilities for kind="logprob"; without them use kind="text".')
    total = torch.tensor(list(answer.logprobs.values()), dtype=torch.float64).logsumexp(0).item()
    best = max((value for word, value in answer.logprobs.items() if _accepts(target, word)), default=-math.inf)
    return min(total - best, UTILITY_BOUND)


def _text_loss(answer: Answer, target: tuple[str, ...]) -> float:
    return 0.0 if _accepts(target, answer.text) else 1.0


def _accepts(target: tuple[str, ...], text: str) -> bool:
    return any(same_words(text, accepted) for accepted in target)


def _limit(logits: Tensor) -> Tensor:
    clamped = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    return clamped.detach() + (logits - logits.detach())
