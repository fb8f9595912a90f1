"""Leakage in bits: how much less an attacker is surprised by an attribute than one who sees nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy_mllm.metrics._checks import FloatArray, check_scored
from privacy_mllm.metrics.calibration import PlattScaling, fit_platt, fit_temperature, prior_scaling

CALIBRATIONS: dict[str, Callable[[npt.ArrayLike, npt.ArrayLike], PlattScaling]] = {
    "platt": fit_platt,
    "temperature": fit_temperature,
}


@dataclass(frozen=True)
class Information:
    """What an attacker learns of each attribute from one clip, in bits.

    Args:
        bits: For each attribute, the surprise that is saved: 0 for an attacker who knows nothing, at most ``prior``.
        prior: The surprise of one who knows the base rate alone: what there is to be learned.
        chance: What the same estimate finds where the labels are shuffled, its 95th percentile: bits up to here may be
            luck.
        unclipped: ``bits`` before negative values became 0; below 0 the calibration did harm on held-out clips.
    """

    bits: tuple[float, ...]
    prior: tuple[float, ...]
    chance: tuple[float, ...]
    unclipped: tuple[float, ...]

    @property
    def total(self) -> float:
        """The sum over attributes: bits a clip, as far as attributes do not say the same."""
        return float(sum(self.bits))


def information(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    calibration: str = "platt",
    num_shuffles: int = 40,
    seed: int = 0,
) -> Information:
    r"""How many bits of each attribute an attacker reads.

    .. math:: I = \frac{1}{n} \sum_i \log_2 \frac{p(y_i \mid s_i)}{\pi(y_i)}

    with the attacker's probability p and the base rate :math:`\pi`. On average over clips it is a lower bound of the
    mutual information of picture and attribute. Unlike average precision, it adds over attributes and can be compared
    between rare and common ones.

    A network's own probabilities are far too sure on pictures that hide something, so scores are calibrated first: on
    one random half of the clips, to be judged on the other, and the other way round. Costs no query.

    Args:
        scores: The attacker's logits, ``[n, k]``.
        labels: 0 or 1, ``[n, k]``.
        calibration: "platt" (slope and intercept), or "temperature" (slope alone, which cannot mend a wrong base rate).
        num_shuffles: How often labels are shuffled for the chance level.
        seed: Seed of halves and shuffles.

    Raises:
        ValueError: If the shapes differ, a score is not finite, a label is neither 0 nor 1, there are fewer than 4
            clips, or another argument is out of range.

    Example:
        >>> logits = np.array([[3.0, 0.0], [-3.0, 0.0]] * 100)
        >>> labels = np.array([[1, 1], [0, 0]] * 100)
        >>> found = information(logits, labels)
        >>> [round(bits, 1) for bits in found.bits], [round(bits, 2) for bits in found.prior]
        ([1.0, 0.0], [1.0, 1.0])

    Reference:
        Xu et al. (2020), "A Theory of Usable Information under Computational Constraints", ICLR.
    """
    matrix, targets = check_scored(scores, labels, dimensions=2)
    _check(len(matrix), calibration, num_shuffles)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(matrix))
    matrix, targets = matrix[order], targets[order]
    fit = CALIBRATIONS[calibration]
    columns = range(matrix.shape[1])

    def surprise(truth: FloatArray, how: Fit) -> FloatArray:
        return np.array([_surprise(matrix[:, k], truth[:, k], how) for k in columns])

    def saved(truth: FloatArray) -> FloatArray:
        return surprise(truth, _know_base_rate) - surprise(truth, fit)

    unclipped, prior = saved(targets), surprise(targets, _know_base_rate)
    shuffled = [saved(targets[generator.permutation(len(targets))]) for _ in range(num_shuffles)]
    return Information(
        bits=tuple(unclipped.clip(min=0).tolist()),
        prior=tuple(prior.tolist()),
        chance=tuple(np.quantile(np.clip(shuffled, 0, None), 0.95, axis=0).tolist()),
        unclipped=tuple(unclipped.tolist()),
    )


Fit = Callable[[FloatArray, FloatArray], PlattScaling]


def _surprise(scores: FloatArray, labels: FloatArray, fit: Fit) -> float:
    """Mean surprise in bits; each half is judged by what was fitted on the other."""
    order = np.argsort(labels, kind="stable")
    halves = order[::2], order[1::2]  # with equal base rates, or the halves' difference would pass for knowledge
    nats = 0.0
    for known, judged in (halves, halves[::-1]):
        nats += float(fit(scores[known], labels[known]).log_loss(scores[judged], labels[judged]).sum())
    return nats / len(scores) / float(np.log(2))


def _know_base_rate(_scores: FloatArray, labels: FloatArray) -> PlattScaling:
    return prior_scaling(labels)


def _check(num_clips: int, calibration: str, num_shuffles: int) -> None:
    if num_clips < 4:
        raise ValueError(f"`scores` must be of 4 clips or more, got {num_clips}.")
    if calibration not in CALIBRATIONS:
        raise ValueError(f"`calibration` must be one of {', '.join(CALIBRATIONS)}, got {calibration!r}.")
    if num_shuffles < 1:
        raise ValueError(f"`num_shuffles` must be positive, got {num_shuffles}.")
