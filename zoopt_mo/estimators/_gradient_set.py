"""Past gradients and their inner products, for the critical history."""

from __future__ import annotations

import math

import numpy as np

from zoopt_mo.directions import Combination


class GradientSet:
    """The set C_g: gradients, the steps they are from, and all their inner products."""

    def __init__(self) -> None:
        self.gradients: list[Combination] = []
        self.steps: list[int] = []
        self._gram = np.zeros((0, 0))

    def __len__(self) -> int:
        return len(self.gradients)

    @property
    def num_bytes(self) -> int:
        return sum(getattr(d, "num_bytes", 0) for gradient in self.gradients for _, d in gradient.terms)

    def overlaps(self, gradient: Combination) -> list[float]:
        """Inner products of ``gradient`` with every one held."""
        return [gradient.dot(held) for held in self.gradients]

    def norms(self) -> list[float]:
        return [math.sqrt(squared) for squared in np.diagonal(self._gram)]

    def mean(self) -> Combination:
        share = 1 / len(self)
        return Combination([(share * factor, direction) for held in self.gradients for factor, direction in held.terms])

    def mean_squared_norm(self) -> float:
        return float(self._gram.sum()) / len(self) ** 2

    def append(self, gradient: Combination, step: int, overlaps: list[float]) -> None:
        self._gram = np.pad(self._gram, ((0, 1), (0, 1)))
        self.gradients.append(gradient)
        self.steps.append(step)
        self.replace(len(self) - 1, gradient, step, [*overlaps, 0.0])

    def remove(self, slot: int) -> None:
        del self.gradients[slot], self.steps[slot]
        self._gram = np.delete(np.delete(self._gram, slot, axis=0), slot, axis=1)

    def replace(self, slot: int, gradient: Combination, step: int, overlaps: list[float]) -> None:
        self.gradients[slot], self.steps[slot] = gradient, step
        self._gram[slot, :] = self._gram[:, slot] = overlaps
        self._gram[slot, slot] = gradient.dot(gradient)
