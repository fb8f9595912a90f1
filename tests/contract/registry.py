"""Every estimator, scalarizer and search of the library. One added here is held to all promises of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import zoopt_mo as zo

Radius = float | Callable[[int], float]


@dataclass(frozen=True)
class EstimatorCase:
    """How to build an estimator from a radius and a seed, and what it promises beyond the common promises."""

    build: Callable[[Radius, int], zo.Estimator]
    unbiased: bool  # its mean is the gradient of a linear loss
    num_queries: int = 2  # of the first step
    exact_in_one_dimension: bool = True  # on a quadratic
    mean_value: bool = True  # its value is the mean of the losses
    homogeneous: bool = True  # a loss times four has a gradient times four
    gain_degree: int = 0  # and a gain times four to this power
    oblivious: bool = True  # where it looks does not depend on the losses
    rtol: float = 1e-9  # how closely a constant in the loss leaves the gradient as it is

    def __call__(self, *, radius: Radius = 0.1, seed: int = 0) -> zo.Estimator:
        return self.build(radius, seed)


@dataclass(frozen=True)
class ScalarizerCase:
    """How to build a scalarizer from weights and an ideal point, and what it promises beyond the common promises."""

    build: Callable[[Sequence[float], Sequence[float]], zo.Scalarizer]
    strict: bool  # a dominated point is strictly worse, not only no better
    has_maximum: bool  # it names the objective that leads
    monotone: bool = True  # a dominated point is no better
    degree: int | None = 1  # of the value in the weights: 1 they multiply, -1 they divide, 0 only their ratios count
    unit: float = 1.0  # how much of a loss counts as one

    def factors(self, weights: Sequence[float]) -> npt.NDArray[np.float64]:
        """What a maximum multiplies the losses by ``[n]``."""
        return np.asarray(weights, dtype=np.float64) ** (self.degree or 1) / self.unit

    def __call__(self, weights: Sequence[float], ideal: Sequence[float] | None = None) -> zo.Scalarizer:
        return self.build(weights, [0.0] * len(weights) if ideal is None else ideal)


def _spsa(radius: Radius, seed: int, **options: Any) -> zo.SPSA:
    return zo.SPSA(radius=radius, seed=seed, **options)


def _history(radius: Radius, seed: int, *, spsa: Any = None, **options: Any) -> zo.CriticalHistory:
    return zo.CriticalHistory(_spsa(radius, seed, **(spsa or {})), **{"capacity": 3, **options})


def _nested(radius: Radius, seed: int) -> zo.CriticalHistory:
    return zo.CriticalHistory(_history(radius, seed, capacity=2), capacity=2, decay=0.8)


def _block(radius: Radius, seed: int, **options: Any) -> zo.CentredBlock:
    return zo.CentredBlock(radius=radius, seed=seed, **{"num_probes": 4, **options})


def _rge(radius: Radius, seed: int, **options: Any) -> zo.RGE:
    return zo.RGE(radius=radius, seed=seed, **options)


def _strategy(radius: Radius, seed: int, **options: Any) -> zo.EvolutionStrategy:
    return zo.EvolutionStrategy(radius=radius, seed=seed, **{"population": 6, **options})


def _adaptive(radius: Radius, seed: int, **options: Any) -> zo.AdaptiveBlock:
    return zo.AdaptiveBlock(radius=radius, seed=seed, **options)


def _recommended(radius: Radius, seed: int, **options: Any) -> zo.Estimator:
    return zo.recommended(radius=radius, seed=seed, **options)


def _guided(radius: Radius, seed: int, **options: Any) -> zo.PriorGuided:
    return zo.PriorGuided(_spsa(radius, seed), radius=radius, **options)


# Blending in the past, chosen by size, biases the mean: those wrappers make no promise about it.
ESTIMATORS = {
    "spsa": EstimatorCase(_spsa, unbiased=True),
    "spsa, segmented uniform": EstimatorCase(partial(_spsa, directions=zo.segmented_uniform), unbiased=True),
    "spsa, three pairs": EstimatorCase(partial(_spsa, num_pairs=3), unbiased=True, num_queries=6),
    "spsa, radius by step": EstimatorCase(
        lambda radius, seed: _spsa(radius if callable(radius) else lambda step: radius / (step + 1) ** 0.101, seed),
        unbiased=True,
    ),
    "history": EstimatorCase(_history, unbiased=False),
    "history, segmented uniform": EstimatorCase(
        partial(_history, spsa={"directions": zo.segmented_uniform}), unbiased=False
    ),
    "history, three pairs": EstimatorCase(partial(_history, spsa={"num_pairs": 3}), unbiased=False, num_queries=6),
    "history, none kept": EstimatorCase(partial(_history, capacity=0), unbiased=True),
    "history, latest": EstimatorCase(partial(_history, selection="latest"), unbiased=False),
    "history, direction left": EstimatorCase(partial(_history, improve_direction=False), unbiased=True),
    "history, step left": EstimatorCase(partial(_history, adjust_step=False), unbiased=False),
    "history of history": EstimatorCase(_nested, unbiased=False),
    "history, larger and blended in more by step": EstimatorCase(
        partial(_history, capacity=lambda step: 4 - abs(step % 8 - 4), blend=lambda step: 0.8 / (1 + step)),
        unbiased=False,
    ),
    "centred block": EstimatorCase(_block, unbiased=True, num_queries=4, exact_in_one_dimension=False),
    "centred block, two random signs": EstimatorCase(
        partial(_block, num_probes=2, directions=zo.rademacher), unbiased=True, exact_in_one_dimension=False
    ),
    "centred block, gaussian": EstimatorCase(
        partial(_block, directions=zo.gaussian), unbiased=True, num_queries=4, exact_in_one_dimension=False
    ),
    "rge": EstimatorCase(_rge, unbiased=True, exact_in_one_dimension=False),
    "rge, sphere": EstimatorCase(partial(_rge, directions=zo.sphere), unbiased=True),
    "rge, three orthogonal pairs": EstimatorCase(
        partial(_rge, num_directions=3, directions=zo.hadamard), unbiased=True, num_queries=6
    ),
    "rge, one-sided": EstimatorCase(
        partial(_rge, num_directions=3, sides=1),
        unbiased=True,
        num_queries=4,
        exact_in_one_dimension=False,
        mean_value=False,
    ),
    # Ranks know the order of the losses alone: a loss times four has the same gradient.
    "evolution strategy": EstimatorCase(
        _strategy, unbiased=False, num_queries=6, exact_in_one_dimension=False, homogeneous=False
    ),
    "evolution strategy, raw losses": EstimatorCase(
        partial(_strategy, shaping="raw"), unbiased=True, num_queries=6, exact_in_one_dimension=False
    ),
    # The mean of a sequence of averages is that of the gradients, but its spread is not the sample's: not tested here.
    "momentum": EstimatorCase(lambda radius, seed: zo.Momentum(_spsa(radius, seed)), unbiased=False),
    "momentum, not debiased": EstimatorCase(
        lambda radius, seed: zo.Momentum(_spsa(radius, seed), decay=0.5, debias=False),
        unbiased=False,
        exact_in_one_dimension=False,
    ),
    "averaging": EstimatorCase(lambda radius, seed: zo.Averaging(_spsa(radius, seed), window=3), unbiased=False),
    "gradient correction": EstimatorCase(
        lambda radius, seed: zo.GradientCorrection(_spsa(radius, seed, directions=zo.segmented_uniform)),
        unbiased=False,
        exact_in_one_dimension=False,
    ),
    "gradient correction of a centred block": EstimatorCase(
        lambda radius, seed: zo.GradientCorrection(_block(radius, seed)),
        unbiased=False,
        num_queries=4,
        exact_in_one_dimension=False,
    ),
    "adaptive block": EstimatorCase(
        _adaptive, unbiased=True, num_queries=4, exact_in_one_dimension=False, oblivious=False
    ),
    "adaptive block, one-sided at once": EstimatorCase(
        partial(_adaptive, num_probes=4, warmup=0, interval=3, directions=zo.gaussian),
        unbiased=True,
        num_queries=4,
        exact_in_one_dimension=False,
        oblivious=False,
    ),
    # What is far from the median counts less: the value is no longer the mean of the losses, nor is the mean kept.
    "clip": EstimatorCase(lambda radius, seed: zo.Clip(_spsa(radius, seed)), unbiased=False, mean_value=False),
    "clip of a history": EstimatorCase(
        lambda radius, seed: zo.Clip(_history(radius, seed, spsa={"num_pairs": 3}), factor=1.0, window=12),
        unbiased=False,
        num_queries=6,
        exact_in_one_dimension=False,
        mean_value=False,
    ),
    # Momentum is a vector of single precision.
    "acceleration": EstimatorCase(
        lambda radius, seed: zo.Acceleration(_spsa(radius, seed)),
        unbiased=False,
        exact_in_one_dimension=False,
        rtol=1e-5,
    ),
    "tuning free": EstimatorCase(
        lambda radius, seed: zo.TuningFree(_spsa(radius, seed)),
        unbiased=True,
        num_queries=3,
        mean_value=False,
        gain_degree=-1,
        oblivious=False,
    ),
    "tuning free, one-sided block": EstimatorCase(
        lambda radius, seed: zo.TuningFree(_block(radius, seed), warmup=2, measure_every=3, check_every=2),
        unbiased=True,
        num_queries=6,
        exact_in_one_dimension=False,
        mean_value=False,
        gain_degree=-1,
        oblivious=False,
    ),
    "recommended for one black box": EstimatorCase(
        _recommended,
        unbiased=False,
        num_queries=5,
        exact_in_one_dimension=False,
        mean_value=False,
        gain_degree=-1,
        oblivious=False,
        rtol=1e-5,
    ),
    "recommended with minibatches": EstimatorCase(
        partial(_recommended, minibatch=True),
        unbiased=False,
        num_queries=5,
        exact_in_one_dimension=False,
        mean_value=False,
        gain_degree=-1,
        oblivious=False,
    ),
    "control variate": EstimatorCase(lambda radius, seed: zo.ControlVariate(_spsa(radius, seed)), unbiased=True),
    "recommended beside white boxes": EstimatorCase(
        partial(_recommended, mixed=True), unbiased=False, mean_value=False
    ),
    "prior guided": EstimatorCase(_guided, unbiased=True),
    "prior guided, weight one": EstimatorCase(partial(_guided, weight=1.0), unbiased=True),
}

SCALARIZERS = {
    "weighted sum": ScalarizerCase(
        lambda weights, _ideal: zo.WeightedSum(weights=weights), strict=True, has_maximum=False
    ),
    "tchebycheff": ScalarizerCase(
        lambda weights, ideal: zo.Tchebycheff(weights=weights, ideal=ideal), strict=False, has_maximum=True
    ),
    "tchebycheff, running ideal": ScalarizerCase(
        lambda weights, _ideal: zo.Tchebycheff(weights=weights), strict=False, has_maximum=True
    ),
    "augmented": ScalarizerCase(
        lambda weights, ideal: zo.AugmentedTchebycheff(weights=weights, ideal=ideal), strict=True, has_maximum=True
    ),
    "augmented, running ideal": ScalarizerCase(
        lambda weights, _ideal: zo.AugmentedTchebycheff(weights=weights), strict=True, has_maximum=True
    ),
    "augmented, large sigma": ScalarizerCase(
        lambda weights, ideal: zo.AugmentedTchebycheff(weights=weights, ideal=ideal, augmentation=0.5, margin=0.2),
        strict=True,
        has_maximum=True,
    ),
    "smooth": ScalarizerCase(
        lambda weights, ideal: zo.SmoothTchebycheff(weights=weights, ideal=ideal, smoothing=5.0),
        strict=True,
        has_maximum=False,
        degree=None,
    ),
    "smooth, nearly a maximum": ScalarizerCase(
        lambda weights, ideal: zo.SmoothTchebycheff(weights=weights, ideal=ideal, smoothing=0.05),
        strict=False,  # the share of an objective that is far from leading rounds to zero
        has_maximum=False,
        degree=None,
    ),
    "smooth, running ideal": ScalarizerCase(
        lambda weights, _ideal: zo.SmoothTchebycheff(weights=weights, smoothing=5.0),
        strict=True,
        has_maximum=False,
        degree=None,
    ),
    "achievement": ScalarizerCase(
        lambda weights, ideal: zo.Achievement(weights=weights, reference=ideal),
        strict=False,
        has_maximum=True,
        degree=-1,
    ),
    "augmented achievement": ScalarizerCase(
        lambda weights, ideal: zo.AugmentedAchievement(weights=weights, reference=ideal),
        strict=True,
        has_maximum=True,
        degree=-1,
    ),
    "boundary intersection": ScalarizerCase(
        lambda weights, ideal: zo.PBI(weights=weights, ideal=ideal),
        strict=False,
        has_maximum=False,
        monotone=False,  # a better point may lie further from the ray
        degree=0,
    ),
    "boundary intersection, running ideal": ScalarizerCase(
        lambda weights, _ideal: zo.PBI(weights=weights), strict=False, has_maximum=False, monotone=False, degree=0
    ),
    "boundary intersection, no penalty": ScalarizerCase(
        lambda weights, ideal: zo.PBI(weights=weights, ideal=ideal, penalty=0.0),
        strict=True,
        has_maximum=False,
        degree=0,
    ),
    "norm, p 1": ScalarizerCase(
        lambda weights, ideal: zo.PNorm(weights=weights, ideal=ideal, p=1.0), strict=True, has_maximum=False
    ),
    "norm, p 2.5": ScalarizerCase(
        lambda weights, ideal: zo.PNorm(weights=weights, ideal=ideal, p=2.5), strict=True, has_maximum=False
    ),
    "norm, running ideal": ScalarizerCase(
        lambda weights, _ideal: zo.PNorm(weights=weights, p=2.0), strict=True, has_maximum=False
    ),
    "normalized": ScalarizerCase(
        lambda weights, ideal: zo.Normalized(
            zo.AugmentedTchebycheff(weights=weights, ideal=[0.0] * len(weights)),
            ideal=ideal,
            nadir=[loss + 2.0 for loss in ideal],
        ),
        strict=True,
        has_maximum=True,
        unit=2.0,
    ),
    "normalized, running ideal": ScalarizerCase(
        lambda weights, _ideal: zo.Normalized(
            zo.Tchebycheff(weights=weights, ideal=[0.0] * len(weights)), min_range=40.0
        ),
        strict=False,
        has_maximum=True,
        unit=40.0,  # the least range is as wide as all losses of these tests
    ),
    "normalized sum, running ideal": ScalarizerCase(
        lambda weights, _ideal: zo.Normalized(zo.WeightedSum(weights=weights)), strict=True, has_maximum=False
    ),
}

# How to build a search from the size of its first moves and a seed.
SEARCHES: dict[str, Callable[[float, int], zo.Search]] = {
    "cma-es": lambda size, seed: zo.CMAES(sigma=size, seed=seed),
    "cma-es, separable": lambda size, seed: zo.CMAES(sigma=size, separable=True, seed=seed),
    "cma-es, population of seven": lambda size, seed: zo.CMAES(sigma=size, population=7, seed=seed),
    "reinforce": lambda size, seed: zo.REINFORCE(sigma=size, lr=0.2, seed=seed),
    "reinforce, learned sigma": lambda size, seed: zo.REINFORCE(sigma=size, lr=0.1, learn_sigma=True, seed=seed),
    "q-learning": lambda size, seed: zo.QLearning(step=size, seed=seed),
    "q-learning, one length": lambda size, seed: zo.QLearning(step=size, num_levels=1, seed=seed),
}
