"""Leakage as the paper measures it: class-mean average precision (cMAP), with its chance level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy_mllm.metrics._checks import check_present, check_scored


@dataclass(frozen=True)
class CMAP:
    """The leakage of a set of clips, in percent.

    Args:
        value: Mean of the average precisions of the classes that have a positive.
        per_class: Average precision of each class; NaN for a class without positives that is left out.
        chance: Mean prevalence of the same classes, which is what scores that know nothing reach on average:
            the blind base rate. Leakage is what lies above it.
        per_class_chance: Prevalence of each class.
    """

    value: float
    per_class: tuple[float, ...]
    chance: float
    per_class_chance: tuple[float, ...]

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
    ranked, hits = check_scored(scores, labels, dimensions=1)
    order = np.argsort(-ranked, kind="stable")
    ranked, hits = ranked[order], hits[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true_positives = np.cumsum(hits)[ends]
    if true_positives[-1] == 0:
        return float("nan")
    precision = true_positives / (ends + 1)
    recall_steps = np.diff(true_positives, prepend=0.0) / true_positives[-1]
    return float(recall_steps @ precision)


def class_mean_average_precision(scores: npt.ArrayLike, labels: npt.ArrayLike, *, absent: str = "exclude") -> CMAP:
    """Leakage: the mean over the private attributes of the attacker's average precision (cMAP).

    A class without positives has no average precision. It is left out of the mean and of the chance level,
    and is reported as ``excluded``; scikit-learn would count it as 0 and so flatter the anonymizer.

    Args:
        scores: How sure the attacker is of each attribute, logits or probabilities, ``[n, k]``.
        labels: 0 or 1, ``[n, k]``.
        absent: "exclude", or "zero" for a class without positives to count as 0, as in scikit-learn.

    Returns:
        The mean, each class and the chance level, in percent.

    Raises:
        ValueError: If the shapes differ, a score is not finite, a label is neither 0 nor 1, `absent` is unknown, or no
            class has a positive.
    """
    matrix, targets = check_scored(scores, labels, dimensions=2)
    counted = check_present(targets, absent)
    columns = range(matrix.shape[1])
    per_class = 100 * np.array([average_precision(matrix[:, k], targets[:, k]) for k in columns])
    per_class[counted & np.isnan(per_class)] = 0.0
    chance = 100 * targets.mean(axis=0)
    return CMAP(
        value=float(per_class[counted].mean()),
        per_class=tuple(per_class.tolist()),
        chance=float(chance[counted].mean()),
        per_class_chance=tuple(chance.tolist()),
    )
