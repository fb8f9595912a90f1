"""Equations 8, 9 and 10 once more, plainly: dense vectors, every score and angle computed anew."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

Vector = np.ndarray


@dataclass
class DenseHistory:
    """Takes raw gradients one by one; gives improved gradient, cosine and gain."""

    capacity: int
    decay: float
    blend: float
    magnitude: float
    latest: bool = False
    improve_direction: bool = True
    adjust_step: bool = True
    held: list[tuple[int, Vector]] = field(default_factory=list)
    step: int = 0

    def improve(self, raw: Vector) -> tuple[Vector, float | None, float]:
        self.step += 1
        gradient, cosine, gain = raw, None, 1.0
        if self.held:
            blended = self.blend * raw + (1 - self.blend) * np.mean([g for _, g in self.held], axis=0)
            cosine = float(raw @ blended / np.linalg.norm(raw) / np.linalg.norm(blended))
            if self.adjust_step:
                gain = 1 + self.magnitude / math.pi * math.atan(2 * math.pi * cosine)
            if self.improve_direction:
                gradient = blended
        self.collect(raw)
        return gradient, cosine, gain

    def score(self, step: int, gradient: Vector) -> float:
        return float(step) if self.latest else self.decay ** (self.step - step) * float(np.linalg.norm(gradient))

    def collect(self, raw: Vector) -> None:
        newcomer = (self.step, raw)
        if len(self.held) < self.capacity:
            self.held.append(newcomer)
        elif self.capacity:
            scores = [self.score(*slot) for slot in self.held]
            if self.score(*newcomer) > min(scores):
                self.held[scores.index(min(scores))] = newcomer
