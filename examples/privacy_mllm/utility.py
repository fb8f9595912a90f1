"""The loss of utility: how far a black box's answer is from a right one, by what the service tells.

From smooth to coarse: log-probabilities, a ranking, the likeness of texts, right or wrong. A coarse loss is often the
same on both sides of a probe; such a pair was paid for and says nothing
(see :mod:`privacy_mllm.differences`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from privacy_mllm.config import UTILITY_LOSSES
from privacy_mllm.metrics import same_words, vqa_accuracy
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.similarity import Embedder, character_ngrams, cosine

UTILITY_BOUND = 6.0
"""The largest value of the "logprob" loss: an answer less likely than ``exp(-6)`` counts as wrong, no more."""

MIN_PEOPLE = {"vqa": 4, "vqa_plain": 3}
"""People whose answers make a loss of 0 possible: three that agree, and the one who is left out."""

Target = tuple[str, ...]
"""The answers of one question that count as right; for the VQA kinds one entry a person, repetitions kept."""


def utility_loss(
    answers: Sequence[Answer],
    targets: Sequence[Target],
    kind: str = "logprob",
    *,
    embed: Embedder = character_ngrams,
) -> Tensor:
    r"""The loss of utility of each answer, bounded on both sides.

    - ``"logprob"``: :math:`\min(6, -\max_{a \in \text{accepted}} \log p(a))`, where the model's log-probabilities are
      first normalised over its candidate answers. Smooth; needs a service that returns log-probabilities.
    - ``"rank"``: ``i / n`` where the best accepted answer stands at place ``i`` (from 0) of the ``n`` ranked ones, 1
      where it is not among them. Where the service ranks nothing, candidates are ranked by log-probability.
    - ``"similarity"``: 1 less the largest cosine of the text and an accepted answer as `embed` sees them; a negative
      cosine counts as 0.
    - ``"text"``: 0 where the text is an accepted answer, else 1.
    - ``"vqa"``, ``"vqa_plain"``: 1 less :func:`privacy_mllm.metrics.vqa_accuracy`, averaged with each person left out
      or not; the targets are then the answers of several people.

    Answers are compared as the reported accuracy compares them: letter case, white space, articles and punctuation
    do not count. Costs no query.

    Args:
        answers: What the model said, one answer a clip.
        targets: The accepted answers of each clip.
        kind: One of the above.
        embed: For "similarity": a function from texts to one vector a text, ``[n] -> [n, d]``.

    Returns:
        Losses, ``float32 [b]``.

    Raises:
        ValueError: If the kind is unknown or cannot judge these targets, the lengths differ, or the kind needs
            log-probabilities or a ranking and they are missing.
    """
    check_targets(targets, kind)
    if len(answers) != len(targets):
        raise ValueError(f"`targets` must have one entry an answer, got {len(targets)} for {len(answers)} answers.")
    if kind == "similarity":
        return _similarity_losses(answers, targets, embed)
    one = _ONE_BY_ONE[kind]
    return torch.tensor([one(answer, target) for answer, target in zip(answers, targets, strict=True)])


def check_targets(targets: Sequence[Target], kind: str) -> None:
    """See that a loss of 0 is within reach of each clip, before anything is asked.

    Args:
        targets: The accepted answers of each clip.
        kind: Kind of :func:`utility_loss`.

    Raises:
        ValueError: If the kind is unknown, a clip accepts no answer, or a VQA kind has too few people's answers.
    """
    if kind not in UTILITY_LOSSES:
        known = ", ".join(f'"{name}"' for name in UTILITY_LOSSES)
        raise ValueError(f'`kind` must be one of {known}, got "{kind}".')
    least = MIN_PEOPLE.get(kind, 1)
    for index, target in enumerate(targets):
        if len(target) < least:
            raise ValueError(
                f'`targets[{index}]` must hold {least} accepted answers or more for kind="{kind}", got {len(target)}.'
            )


def _logprob_loss(answer: Answer, target: Target) -> float:
    if not answer.logprobs:
        raise ValueError(
            '`answers` must hold log-probabilities for kind="logprob"; without them use kind="similarity" or "text".'
        )
    total = torch.tensor(list(answer.logprobs.values()), dtype=torch.float64).logsumexp(0).item()
    best = max((value for word, value in answer.logprobs.items() if _accepts(target, word)), default=-math.inf)
    return min(total - best, UTILITY_BOUND)


def _rank_loss(answer: Answer, target: Target) -> float:
    ranked = answer.ranked or _by_logprob(answer.logprobs or {})
    if not ranked:
        raise ValueError(
            '`answers` must be ranked or hold log-probabilities for kind="rank"; '
            'without them use kind="similarity" or "text".'
        )
    return next((place / len(ranked) for place, text in enumerate(ranked) if _accepts(target, text)), 1.0)


def _text_loss(answer: Answer, target: Target) -> float:
    return 0.0 if _accepts(target, answer.text) else 1.0


def _vqa_loss(answer: Answer, target: Target) -> float:
    return 1 - vqa_accuracy(answer.text, target)


def _vqa_plain_loss(answer: Answer, target: Target) -> float:
    return 1 - vqa_accuracy(answer.text, target, leave_one_out=False)


def _similarity_losses(answers: Sequence[Answer], targets: Sequence[Target], embed: Embedder) -> Tensor:
    """All texts are embedded in one call, each once."""
    texts = list(dict.fromkeys([answer.text for answer in answers] + [text for target in targets for text in target]))
    if not texts:
        return torch.zeros(0)
    likeness = cosine(embed(texts), len(texts)).clamp(0, 1)
    row = {text: index for index, text in enumerate(texts)}
    return torch.tensor(
        [
            1 - max(float(likeness[row[answer.text], row[text]]) for text in target)
            for answer, target in zip(answers, targets, strict=True)
        ]
    )


def _by_logprob(logprobs: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(logprobs, key=lambda text: -logprobs[text]))


def _accepts(target: Target, text: str) -> bool:
    return any(same_words(text, accepted) for accepted in target)


_ONE_BY_ONE: dict[str, Callable[[Answer, Target], float]] = {
    "logprob": _logprob_loss,
    "rank": _rank_loss,
    "text": _text_loss,
    "vqa": _vqa_loss,
    "vqa_plain": _vqa_plain_loss,
}
