"""From an attacker's scores to probabilities that may be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy_mllm.metrics._checks import FloatArray, check_scored

_MOST_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class PlattScaling:
    r"""A sigmoid from scores to probabilities: :math:`p = 1 / (1 + e^{-(a s + b)})`.

    Args:
        slope: a, the inverse temperature.
        intercept: b.
    """

    slope: float
    intercept: float

    def log_loss(self, scores: FloatArray, labels: FloatArray) -> FloatArray:
        """Surprise of each label in nats, ``[n]``.

        Args:
            scores: ``[n]``.
            labels: 0 or 1, ``[n]``.
        """
        logits = self.slope * scores + self.intercept
        surprise: FloatArray = np.logaddexp(0.0, logits) - labels * logits
        return surprise


def fit_platt(scores: npt.ArrayLike, labels: npt.ArrayLike) -> PlattScaling:
    r"""Slope and intercept by maximum likelihood, for the smoothed targets of Platt.

    A positive counts as :math:`(n_+ + 1) / (n_+ + 2)`, a negative as :math:`1 / (n_- + 2)`, so that the fit exists
    where scores separate the labels. The slope may be negative: an attacker who errs reliably knows something.

    Args:
        scores: How sure the attacker is, ``[n]``.
        labels: 0 or 1, ``[n]``.

    Raises:
        ValueError: If the lengths differ, a score is not finite or a label is neither 0 nor 1.

    Reference:
        Platt (1999), "Probabilistic outputs for support vector machines", Advances in Large Margin Classifiers; Lin et
        al. (2007), "A note on Platt's probabilistic outputs for support vector machines", Machine Learning 68.

    Example:
        >>> fitted = fit_platt([0.0, 0.0, 0.0], [1, 0, 0])  # scores that say nothing
        >>> fitted.slope, round(float(1 / (1 + np.exp(-fitted.intercept))), 4)  # (2/3 + 1/4 + 1/4) / 3
        (0.0, 0.3889)
    """
    ranked, hits = check_scored(scores, labels, dimensions=1)
    middle, spread = ranked.mean(), ranked.std()
    if spread == 0:
        return PlattScaling(0.0, _logit(smoothed_targets(hits).mean()))
    design = np.stack([(ranked - middle) / spread, np.ones_like(ranked)], axis=1)
    slope, intercept = _logistic_regression(design, smoothed_targets(hits))
    return PlattScaling(float(slope / spread), float(intercept - slope * middle / spread))


def fit_temperature(scores: npt.ArrayLike, labels: npt.ArrayLike) -> PlattScaling:
    """The slope alone, 0 or more: logits divided by a temperature.

    Args:
        scores: The attacker's logits, ``[n]``.
        labels: 0 or 1, ``[n]``.

    Raises:
        ValueError: If the lengths differ, a score is not finite or a label is neither 0 nor 1.

    Reference:
        Guo et al. (2017), "On Calibration of Modern Neural Networks", ICML.

    Example:
        >>> fit_temperature([10.0, 10.0, 10.0, -10.0], [1, 1, 0, 0]).slope < 0.2  # far too sure
        True
    """
    ranked, hits = check_scored(scores, labels, dimensions=1)
    size = np.abs(ranked).max()
    if size == 0:
        return PlattScaling(0.0, 0.0)
    (slope,) = _logistic_regression(ranked[:, None] / size, smoothed_targets(hits))
    return PlattScaling(max(float(slope / size), 0.0), 0.0)


def smoothed_targets(labels: FloatArray) -> FloatArray:
    """Platt's targets in place of 0 and 1.

    Args:
        labels: 0 or 1, ``[n]``.
    """
    positives = labels.sum()
    targets: FloatArray = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2))
    return targets


def prior_scaling(labels: FloatArray) -> PlattScaling:
    """What one knows who has seen labels and no scores: the base rate, smoothed as in :func:`fit_platt`.

    Args:
        labels: 0 or 1, ``[n]``.
    """
    return PlattScaling(0.0, _logit(smoothed_targets(labels).mean()))


def _logistic_regression(design: FloatArray, targets: FloatArray) -> FloatArray:
    """Newton's method with halved steps; the likelihood is concave."""
    weights = np.zeros(design.shape[1])
    loss = _mean_loss(design @ weights, targets)
    for _ in range(_MOST_STEPS):
        chances = 1 / (1 + np.exp(-(design @ weights)))
        gradient = design.T @ (chances - targets)
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design
        curvature += 1e-12 * np.trace(curvature) * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        scale = 1.0
        while scale > _TOLERANCE and _mean_loss(design @ (weights - scale * step), targets) > loss:
            scale /= 2
        weights = weights - scale * step
        before, loss = loss, _mean_loss(design @ weights, targets)
        if before - loss < _TOLERANCE and scale * np.abs(step).max() < 1e-6:
            break
    return weights


def _mean_loss(logits: FloatArray, targets: FloatArray) -> float:
    return float(np.mean(np.logaddexp(0.0, logits) - targets * logits))


def _logit(chance: float) -> float:
    return float(np.log(chance) - np.log1p(-chance))
