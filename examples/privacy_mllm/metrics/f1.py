"""Macro-F1: how well an attacker decides, not only ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy_mllm.metrics._checks import check_present, check_scored


@dataclass(frozen=True)
class MacroF1:
    """How well attributes are decided, in percent.

    Args:
        value: Mean of the F1 of the classes that have a positive.
        per_class: F1 of each class; NaN for a class without positives that is left out.
        chance: The same mean for the best guess of one who sees nothing, which is to say yes to everything:
            :math:`2 p / (1 + p)` at prevalence p.
    """

    value: float
    per_class: tuple[float, ...]
    chance: float


def macro_f1(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, threshold: float = 0.0, absent: str = "exclude"
) -> MacroF1:
    r"""The mean over the classes of :math:`F_1 = 2 TP / (2 TP + FP + FN)`.

    Args:
        logits: How sure the attacker is of each attribute, ``[n, k]``.
        labels: 0 or 1, ``[n, k]``.
        threshold: A score from here on is a yes: 0 for logits, .5 for probabilities.
        absent: "exclude", or "zero" for a class without positives to count as 0, as in scikit-learn.

    Raises:
        ValueError: If the shapes differ, a score is not finite, a label is neither 0 nor 1, `absent` is unknown, or no
            class has a positive.

    Example:
        >>> round(macro_f1([[2.0], [-1.0], [1.0]], [[1], [0], [0]]).value, 2)  # one yes right, one wrong: 2 / 3
        66.67
    """
    matrix, targets = check_scored(logits, labels, dimensions=2)
    counted = check_present(targets, absent)
    yes = matrix >= threshold
    twice_right = 2 * (yes * targets).sum(axis=0)
    said_or_true = yes.sum(axis=0) + targets.sum(axis=0)
    per_class = 100 * np.divide(twice_right, said_or_true, out=np.zeros_like(twice_right), where=said_or_true > 0)
    prevalence = targets.mean(axis=0)
    blind = 100 * 2 * prevalence / (1 + prevalence)
    shown = np.where(counted, per_class, np.nan)
    return MacroF1(float(per_class[counted].mean()), tuple(shown.tolist()), float(blind[counted].mean()))
