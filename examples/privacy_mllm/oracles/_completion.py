"""Reading the body of a chat completion, whoever sent it; what is missing or malformed is said, never made up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from privacy_mllm.oracles.parsing import AnswerError
from privacy_mllm.oracles.prompts import Prompt

LOWEST = math.log(1e-9)
"""No candidate's log-probability is given below this; services report anything down to minus infinity."""

ROUNDING = 1e-3
"""How far above 0 a log-probability may lie and still be one that was rounded."""


@dataclass(frozen=True)
class Token:
    """One token of a reply: its text, its log-probability, and those of the likeliest tokens in its place."""

    text: str
    logprob: float
    alternatives: Mapping[str, float]


@dataclass(frozen=True)
class Completion:
    """What a model wrote, and its tokens where the service returned log-probabilities."""

    text: str
    tokens: tuple[Token, ...] | None


def read_usage(body: object) -> tuple[int, int]:
    """Tokens sent and received by the service's own count; 0 where it gave none."""
    usage = body.get("usage") if isinstance(body, dict) else None
    counts = [usage.get(name) if isinstance(usage, dict) else None for name in ("prompt_tokens", "completion_tokens")]
    sent, received = (count if type(count) is int and count > 0 else 0 for count in counts)
    return sent, received


def read_completion(body: object) -> Completion:
    """The first choice of a reply.

    Raises:
        AnswerError: If there is none, it is a refusal or has no text, or a log-probability is not one.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise AnswerError("the reply holds no answer: `choices` is empty")
    choice, message = choices[0], choices[0].get("message")
    message = message if isinstance(message, dict) else {}
    if message.get("refusal"):
        raise AnswerError(f"the model refused: {str(message['refusal'])[:80]!r}")
    if choice.get("finish_reason") == "content_filter":
        raise AnswerError("the service withheld the answer (finish_reason: content_filter)")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise AnswerError(f"the reply is empty (finish_reason: {str(choice.get('finish_reason'))[:20]})")
    return Completion(text, _read_tokens(choice.get("logprobs")))


def label_logprobs(tokens: Sequence[Token], prompt: Prompt, best: str) -> dict[str, float] | None:
    r"""The log-probability of every candidate, read where the reply first names a letter.

    Tokens of one letter, such as "A" and " A", are summed. The candidates that the service did not list share the
    probability that its list leaves over, each at most as likely as the last of the list and at least 1e-9:
    an upper bound of each, and never more than 1 in all.

    Args:
        tokens: The reply.
        prompt: What was asked.
        best: The reply's first answer.

    Returns:
        Candidate -> log-probability, at most 0; None if the prompt gave no letters, or the reply names its first answer
        otherwise.
    """
    labels = dict(zip(prompt.codes, prompt.candidates, strict=False))
    if not any(code.islower() for code in prompt.codes):
        labels.update({code.lower(): label for code, label in labels.items()})
    place = next((token for token in tokens if _letter(token.text) in labels), None)
    if place is None or labels[_letter(place.text)] != best:
        return None
    reported = {place.text: place.logprob, **place.alternatives}
    found = dict.fromkeys(prompt.candidates, 0.0)
    for text, logprob in reported.items():
        if _letter(text) in labels:
            found[labels[_letter(text)]] += math.exp(logprob)
    missing = [label for label, probability in found.items() if probability == 0]
    left = max(0.0, 1 - sum(map(math.exp, reported.values())))
    share = min(left / max(1, len(missing)), math.exp(min(reported.values())))
    found.update(dict.fromkeys(missing, share))
    return {label: min(0.0, max(LOWEST, _log(probability))) for label, probability in found.items()}


def _read_tokens(logprobs: object) -> tuple[Token, ...] | None:
    entries = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(entries, list) or not entries:
        return None
    return tuple(_read_token(entry) for entry in entries)


def _read_token(entry: object) -> Token:
    text, logprob = _read_pair(entry)
    others = entry.get("top_logprobs") if isinstance(entry, dict) else None
    return Token(text, logprob, dict(map(_read_pair, others if isinstance(others, list) else [])))


def _read_pair(entry: object) -> tuple[str, float]:
    text, logprob = (entry.get("token"), entry.get("logprob")) if isinstance(entry, dict) else (None, None)
    if not isinstance(text, str) or isinstance(logprob, bool) or not isinstance(logprob, (int, float)):
        raise AnswerError("the reply's log-probabilities are malformed")
    if not logprob <= ROUNDING:
        raise AnswerError(f"the reply holds a log-probability of {logprob}")
    return text, min(0.0, float(logprob))


def _letter(token: str) -> str:
    """A token without the space, quotes and punctuation around it."""
    return token.strip(" \t\n\r▁Ġ\"'`*_.,;:()[]{}")


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf
