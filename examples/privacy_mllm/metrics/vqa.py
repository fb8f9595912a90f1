"""VQA accuracy: how well an answer agrees with those of several people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from privacy_mllm.metrics._contractions import CONTRACTIONS

_ARTICLES = frozenset({"a", "an", "the"})
_DIGITS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())  # noqa: SIM905
}
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")


def vqa_accuracy(
    answer: str, people: Sequence[str], *, leave_one_out: bool = True, strict_official: bool = False
) -> float:
    r"""How well an answer agrees with the answers of several people, ten of them in VQA and OK-VQA.

    .. math:: \frac{1}{n} \sum_{i} \min\left(\frac{\#\{j \neq i : a_j = a\}}{3}, 1\right)

    as in the official evaluation, which compares with each group of nine; without `leave_one_out` the rule as it is
    often quoted, :math:`\min(\#\{j : a_j = a\} / 3, 1)`. Answers are compared by :func:`normalise_vqa`.

    The official program normalises nothing where all people gave the same answer, so that "Tennis" is wrong where ten
    people said "tennis". Published numbers may contain this; `strict_official` reproduces it.

    Args:
        answer: What the model said.
        people: What each person said, repetitions kept, ``[n]``.
        leave_one_out: Whether each person in turn is left out.
        strict_official: Whether answers are compared as they are where all people agree.

    Returns:
        Between 0 and 1.

    Raises:
        ValueError: If there are no people.

    Example:
        >>> vqa_accuracy("2", ["two", "two", "three", "three", "three", "three", "four", "four", "four", "four"])
        0.6
        >>> round(vqa_accuracy("2", ["two", "two", "three", "three"], leave_one_out=False), 4)
        0.6667
        >>> vqa_accuracy("Tennis", ["tennis"] * 10), vqa_accuracy("Tennis", ["tennis"] * 10, strict_official=True)
        (1.0, 0.0)

    Reference:
        Antol et al. (2015), "VQA: Visual Question Answering", ICCV, section 3; https://visualqa.org/evaluation.html.
    """
    if not people or isinstance(people, str):
        raise ValueError(f"`people` must be a non-empty sequence of answers, got {people!r}.")
    said, others = _one_line(answer), [_one_line(one) for one in people]
    if not strict_official or len(set(others)) > 1:
        said, others = normalise_vqa(said), [normalise_vqa(one) for one in others]
    agree = [said == one for one in others]
    matches = sum(agree)
    if not leave_one_out:
        return min(matches / 3, 1.0)
    return sum(min((matches - own) / 3, 1.0) for own in agree) / len(people)


def normalise_vqa(text: str) -> str:
    """An answer as the official evaluation of VQA compares it.

    Punctuation becomes a space, or nothing where it stands next to a space anywhere in the text or the text has a
    number such as 1,000; periods that no digit follows are deleted; then lower case, "two" to "2", articles dropped,
    and apostrophes put back into contractions.

    Args:
        text: The answer.

    Returns:
        The words, separated by single spaces.

    Example:
        >>> [normalise_vqa(text) for text in ("1,000 people", "ice-cream", "two dogs.", "dont know", "U.S.A.", "a, b")]
        ['1000 people', 'ice cream', '2 dogs', "don't know", 'usa', 'b']
    """
    text = _one_line(text)
    bare = text
    for mark in _PUNCTUATION:
        deleted = f"{mark} " in text or f" {mark}" in text or _COMMA_IN_NUMBER.search(text)
        bare = bare.replace(mark, "" if deleted else " ")
    words = [_DIGITS.get(word, word) for word in _PERIOD.sub("", bare).lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
