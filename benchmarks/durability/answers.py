"""What the failing service answers: a function of the request's bytes, with log-probabilities and a bill."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any

CHOICE = re.compile(r"^([A-Za-z])[.)] +(\S.*)$", re.MULTILINE)
WORDS = ("walking", "two people", "a red ball", "yes", "no", "in the kitchen")
REFUSAL = "I'm sorry, but I can't help with identifying people in pictures."
TOKENS_A_PICTURE = 85
RANKED = 5


def fraction(text: str) -> float:
    """A number in [0, 1) that looks random and depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2**56


def completion(request: dict[str, Any], digest: str, *, logprobs: bool, fault: str | None) -> dict[str, Any]:
    """The body of a reply.

    Args:
        request: The request's body. Lines such as "A. walking" in its text are choices.
        digest: What the answer depends on.
        logprobs: Whether log-probabilities come with it.
        fault: "empty_choices", "refusal", "nan_logprobs", or anything else for a good reply.
    """
    text, pictures = _read(request)
    ranking, scores = _rank(CHOICE.findall(text), digest)
    tokens = _tokens(ranking, digest)
    if fault == "refusal":
        tokens = re.findall(r"\s?\S+", REFUSAL)
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    choice["message"] = {"role": "assistant", "content": "".join(tokens), "refusal": None}
    if logprobs:
        limit = request.get("top_logprobs") or 0
        choice["logprobs"] = {"content": _token_logprobs(tokens, scores, limit, broken=fault == "nan_logprobs")}
    sent, received = TOKENS_A_PICTURE * pictures + len(text.split()), len(tokens)
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [] if fault == "empty_choices" else [choice],
        "usage": {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received},
    }


def _read(request: dict[str, Any]) -> tuple[str, int]:
    """All text of a request, and its number of pictures."""
    texts, pictures = [], 0
    for message in request["messages"]:
        content = message["content"]
        for item in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if item["type"] == "text":
                texts.append(item["text"])
            pictures += item["type"] == "image_url"
    return "\n".join(texts), pictures


def _rank(choices: list[tuple[str, str]], digest: str) -> tuple[list[str], dict[str, float]]:
    """The letters of the choices, likeliest first, and their log-probabilities."""
    logits = {letter: 6 * fraction(f"{letter} {digest}") for letter, _ in choices}
    total = math.log(sum(map(math.exp, logits.values()))) if logits else 0.0
    scores = {letter: logit - total for letter, logit in logits.items()}
    return sorted(scores, key=lambda letter: (-scores[letter], letter)), scores


def _tokens(ranking: list[str], digest: str) -> list[str]:
    """The tokens of the answer: the five likeliest letters, or some words to an open question."""
    if not ranking:
        return re.findall(r"\s?\S+", WORDS[int(fraction(digest) * len(WORDS))])
    return [token for rank, letter in enumerate(ranking[:RANKED]) for token in ([", "] if rank else []) + [letter]]


def _token_logprobs(tokens: list[str], scores: dict[str, float], limit: int, *, broken: bool) -> list[dict[str, Any]]:
    """One entry a token as in the API's reference; only the first one has alternatives worth reading."""
    entries = [_entry(token, math.nan if broken else scores.get(token, -0.01)) for token in tokens]
    best = sorted(scores, key=lambda letter: (-scores[letter], letter))[:limit]
    for rank, entry in enumerate(entries):
        first = rank == 0 and tokens[0] in scores and not broken
        entry["top_logprobs"] = [_entry(letter, scores[letter]) for letter in best] if first else []
        if not entry["top_logprobs"] and limit:
            entry["top_logprobs"] = [_entry(entry["token"], entry["logprob"])]
    return entries


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
