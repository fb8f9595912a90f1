"""How a question is put to a model that follows instructions: freely, or with a list of answers to choose from."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from privacy_mllm.oracles.parsing import normalise

VERSION = "letters-1"
"""Name of the wording below. Answers depend on it, so it changes whenever a word of a prompt does."""

RANKED = 5
"""Answers of a closed list that a model is asked to rank."""

CODES = string.ascii_uppercase + string.ascii_lowercase
"""What answers of a closed list are called: one letter is one token in every tokenizer that we know of."""

Candidates = Mapping[str, Sequence[str]]
"""Question -> its closed list of answers; a question without an entry is open."""


@dataclass(frozen=True)
class Prompt:
    """What is said to the model beside the frames, and what its reply may hold.

    Args:
        text: The words.
        candidates: The closed list of answers; empty for an open question.
        codes: The letter of each candidate; empty where the list is open, too long, or has letters for answers.
    """

    text: str
    candidates: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


def build_prompt(question: str, candidates: Sequence[str] = (), *, frames: int = 1) -> Prompt:
    """The prompt for a question about a clip.

    With a closed list it asks for the five likeliest answers, best first. They are called by letters, A to Z and then a
    to z: the first token of the reply then is a whole answer, so that its log-probability is the answer's own. Names
    would not do: "run" and "running" may begin with the same token, and "ride bike" has several. A list of more than
    52 answers, or one with single letters among them, is asked for by name, and log-probabilities are not used.

    Args:
        question: The question.
        candidates: Its answers, distinct; empty for an open question.
        frames: Frames of the clip.

    Example:
        >>> print(build_prompt("What is the person doing?", ["walk", "run"], frames=4).text)
        The pictures are frames of one clip, in order.
        What is the person doing?
        A. walk
        B. run
        Reply with the letters of the 2 most likely answers, most likely first, separated by commas, and nothing else.
    """
    lines = ["The pictures are frames of one clip, in order."] if frames > 1 else []
    lines.append(question)
    if not candidates:
        lines.append("Reply with one word or a short phrase, and nothing else.")
        return Prompt("\n".join(lines))
    letters = [label for label in candidates if len(normalise(label)) == 1 and normalise(label).isalpha()]
    lettered = len(candidates) <= len(CODES) and not letters
    codes = tuple(CODES[: len(candidates)]) if lettered else ()
    names = [f"{code}. {label}" for code, label in zip(codes, candidates, strict=True)] if codes else candidates
    what = "letters" if codes else "names"
    how = "separated by commas" if codes else "one a line, as written above"
    count = min(RANKED, len(candidates))
    asked = f"Reply with the {what} of the {count} most likely answers, most likely first, {how}, and nothing else."
    return Prompt("\n".join([*lines, *names, asked]), tuple(candidates), codes)


def check_candidates(candidates: Candidates) -> None:
    """Check that every list can be told apart in a reply.

    Raises:
        ValueError: If a list has fewer than two answers, an answer without a letter or digit or of several lines, or
            two that differ in case or punctuation alone.
    """
    for question, labels in candidates.items():
        if isinstance(labels, str) or len(labels) < 2:
            raise ValueError(
                f"`candidates` must hold at least two answers a question, got {labels!r} for {question!r}."
            )
        first: dict[str, str] = {}
        for label in labels:
            plain = normalise(label)
            if not plain or len(label.splitlines()) > 1:
                raise ValueError(f"`candidates` must be words of one line each, got {label!r} for {question!r}.")
            if plain in first:
                raise ValueError(
                    f"`candidates` must differ in more than case and punctuation, got {first[plain]!r} and {label!r}."
                )
            first[plain] = label
