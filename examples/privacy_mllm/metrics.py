"""What is reported: how much an attacker reads (cMAP), and how many questions are still answered."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_ARTICLES = frozenset({"a", "an", "the"})
_DIGITS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())  # noqa: SIM905
}
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation.replace("'", ""), " "))


@dataclass(frozen=True)
class CMAP:
    """The leakage of a set of clips, in percent.

    Args:
        value: Mean of the average precisions of the classes that have a positive.
        per_class: Average precision of each class; NaN for a class without positives.
        chance: Mean prevalence of the same classes, which is what scores that know nothing reach on average:
            the blind base rate. Leakage is what lies above it.
    """

    value: float
    per_class: tuple[float, ...]
    chance: float

    @property
    def excluded(self) -> tuple[int, ...]:
        """The classes that count in neither number, because no clip shows them."""
        return tuple(index for index, value in enumerate(self.per_class) if np.isnan(value))


def average_precision(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    r"""Average precision of one class, as a fraction.

    .. math:: AP = \sum_i (R_i - R_{i-1}) P_i

    over the distinct scores from high to low: equal scores are one threshold, so that the order of ties does
    not matter, and nothing is interpolated. This is ``average_precision_score`` of scikit-learn. Only the
    order of the scores counts: logits and probabilities give the same.

    Args:
        scores: How sure the attacker is, ``[n]``.
        labels: 0 or 1, ``[n]``.

    Returns:
        The average precision in (0, 1]; NaN if there is no positive.

    Raises:
        ValueError: If the lengths differ, a score is not finite or a label is neither 0 nor 1.

    Example:
        >>> round(average_precision([0.9, 0.8, 0.7, 0.3, 0.3], [1, 0, 1, 1, 0]), 4)
        0.7556
    """
    ranked, hits = _checked(scores, labels, dimensions=1)
    order = np.argsort(-ranked, kind="stable")
    ranked, hits = ranked[order], hits[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true_positives = np.cumsum(hits)[ends]
    if true_positives[-1] == 0:
        return float("nan")
    precision = true_positives / (ends + 1)
    recall_steps = np.diff(true_positives, prepend=0.0) / true_positives[-1]
    return float(recall_steps @ precision)


def class_mean_average_precision(scores: npt.ArrayLike, labels: npt.ArrayLike) -> CMAP:
    """Leakage: the mean over the private attributes of the attacker's average precision (cMAP).

    A class without positives has no average precision. It is left out of the mean and of the chance level,
    and is reported as ``excluded``; scikit-learn would count it as 0 and so flatter the anonymizer.

    Args:
        scores: How sure the attacker is of each attribute, logits or probabilities, ``[n, k]``.
        labels: 0 or 1, ``[n, k]``.

    Returns:
        The mean, each class and the chance level, in percent.

    Raises:
        ValueError: If the shapes differ, a score is not finite, a label is neither 0 nor 1, or no class has a
            positive.
    """
    matrix, targets = _checked(scores, labels, dimensions=2)
    columns = range(matrix.shape[1])
    per_class = 100 * np.array([average_precision(matrix[:, k], targets[:, k]) for k in columns])
    scored = ~np.isnan(per_class)
    if not scored.any():
        raise ValueError("`labels` must have a positive in at least one class, got none.")
    chance = 100 * targets[:, scored].mean()
    return CMAP(float(per_class[scored].mean()), tuple(per_class.tolist()), float(chance))


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


def vqa_accuracy(answer: str, people: Sequence[str], *, leave_one_out: bool = True) -> float:
    r"""How well an answer agrees with the answers of several people, ten of them in VQA and OK-VQA.

    .. math:: \frac{1}{n} \sum_{i} \min\left(\frac{\#\{j \neq i : a_j = a\}}{3}, 1\right)

    as in the official evaluation, which compares with each group of nine; without `leave_one_out` the rule as it is
    often quoted, :math:`\min(\#\{j : a_j = a\} / 3, 1)`. Answers are compared by :func:`normalise_answer` with
    "two" and "2" the same; the official table of contractions ("dont") is left out.

    Args:
        answer: What the model said.
        people: What each person said, repetitions kept, ``[n]``.
        leave_one_out: Whether each person in turn is left out.

    Returns:
        Between 0 and 1.

    Raises:
        ValueError: If there are no people.

    Example:
        >>> vqa_accuracy("2", ["two", "two", "three", "three", "three", "three", "four", "four", "four", "four"])
        0.6
        >>> round(vqa_accuracy("2", ["two", "two", "three", "three"], leave_one_out=False), 4)
        0.6667

    Reference:
        Antol et al. (2015), "VQA: Visual Question Answering", ICCV, section 3; https://visualqa.org/evaluation.html.
    """
    if not people or isinstance(people, str):
        raise ValueError(f"`people` must be a non-empty sequence of answers, got {people!r}.")
    agree = [_vqa_words(answer) == _vqa_words(said) for said in people]
    matches = sum(agree)
    if not leave_one_out:
        return min(matches / 3, 1.0)
    return sum(min((matches - own) / 3, 1.0) for own in agree) / len(people)


def same_words(first: str, second: str) -> bool:
    """Whether two answers are the same as the reported accuracy sees it: case, articles and punctuation aside."""
    return normalise_answer(first) == normalise_answer(second)


def normalise_answer(text: str) -> str:
    """An answer as it is compared: lower case, no punctuation, no article, single spaces.

    An answer that is nothing but an article ("A", the letter of a choice) keeps it.
    """
    words = text.lower().translate(_PUNCTUATION).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def _vqa_words(text: str) -> str:
    return " ".join(_DIGITS.get(word, word) for word in normalise_answer(text).split())


def _checked(scores: npt.ArrayLike, labels: npt.ArrayLike, *, dimensions: int) -> tuple[FloatArray, FloatArray]:
    ranked, targets = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if ranked.ndim != dimensions or ranked.shape != targets.shape or ranked.size == 0:
        form = "[n]" if dimensions == 1 else "[n, k]"
        raise ValueError(
            f"`scores` and `labels` must both have the same non-empty shape {form}, "
            f"got {list(ranked.shape)} and {list(targets.shape)}."
        )
    if not np.isfinite(ranked).all():
        raise ValueError(f"`scores` must be finite, got {ranked[~np.isfinite(ranked)][0]}.")
    if not np.isin(targets, (0.0, 1.0)).all():
        raise ValueError(f"`labels` must be 0 or 1, got {targets[~np.isin(targets, (0.0, 1.0))][0]}.")
    return ranked, targets
