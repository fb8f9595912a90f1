"""Right answers, as the reported accuracy counts them."""

from __future__ import annotations

import string
from collections.abc import Sequence

_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation.replace("'", ""), " "))


def accuracy(answers: Sequence[str], accepted: Sequence[Sequence[str]]) -> float:
    """Percentage of answers that are among the accepted ones, as compared by :func:`normalise_answer`.

    For the question about the action this is Top-1.

    Args:
        answers: What the model said, one text a question.
        accepted: The answers that count as right, at least one a question.

    Returns:
        Between 0 and 100.

    Raises:
        ValueError: If there is no answer, the lengths differ, or a question accepts nothing.

    Example:
        >>> accuracy(["Waving.", "two"], [["waving"], ["one"]])
        50.0
    """
    if not answers:
        raise ValueError("`answers` must not be empty.")
    if len(answers) != len(accepted):
        raise ValueError(f"`accepted` must have one entry an answer ({len(answers)}), got {len(accepted)}.")
    for index, choices in enumerate(accepted):
        if not choices or isinstance(choices, str):
            raise ValueError(f"`accepted[{index}]` must be a non-empty sequence of answers, got {choices!r}.")
    right = (
        normalise_answer(said) in {normalise_answer(choice) for choice in choices}
        for said, choices in zip(answers, accepted, strict=True)
    )
    return 100 * sum(right) / len(answers)


def same_words(first: str, second: str) -> bool:
    """Whether two answers are the same as the reported accuracy sees it: case, articles and punctuation aside."""
    return normalise_answer(first) == normalise_answer(second)


def normalise_answer(text: str) -> str:
    """An answer as it is compared: lower case, no punctuation, no article, single spaces.

    An answer that is nothing but an article ("A", the letter of a choice) keeps it.
    """
    words = text.lower().translate(_PUNCTUATION).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)
