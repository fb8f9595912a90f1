"""Where random directions come from.

Numbers come from a counter-based generator (Philox) keyed by seed, step and index. The same three numbers give the same
direction on every machine and device, in any order, so nothing random has to be stored to resume a run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from zoopt_mo._checks import check_count, check_seed
from zoopt_mo.directions import DenseDirection, Direction, SignDirection

DirectionSource = Callable[[int, int, int, int], Direction]
"""Draws a direction: ``source(size, seed, step, index)``, the same for the same four numbers."""


def rademacher(size: int, seed: int, step: int, index: int) -> SignDirection:
    """Independent signs, +1 or -1 with equal chance.

    Args:
        size: Number of entries ``p``.
        seed: Seed of the run.
        step: Step of the run.
        index: Which direction of the step.

    Returns:
        Packed signs.

    Example:
        >>> from zoopt_mo import rademacher
        >>> rademacher(10_000_000, seed=0, step=0, index=0).num_bytes
        1250000

    Reference:
        Spall (1992), IEEE Transactions on Automatic Control 37(3); the Bernoulli directions of equation 2.
    """
    bits = _philox(seed, step, index).random_raw(-(-check_count("size", size) // 64))
    return SignDirection(np.atleast_1d(np.asarray(bits, dtype=np.uint64)), size)


def segmented_uniform(size: int, seed: int, step: int, index: int) -> DenseDirection:
    """Independent entries, uniform on [-1, -0.5] and [0.5, 1]; the directions of BlackVIP.

    Args:
        size: Number of entries ``p``.
        seed: Seed of the run.
        step: Step of the run.
        index: Which direction of the step.

    Returns:
        A dense ``float32`` vector.

    Reference:
        Oh et al. (2023), BlackVIP, CVPR; SPSA-GC.
    """
    numbers = np.random.Generator(_philox(seed, step, index)).uniform(-0.5, 0.5, check_count("size", size))
    return DenseDirection(torch.from_numpy((numbers + np.copysign(0.5, numbers)).astype(np.float32)))


def _philox(seed: int, step: int, index: int) -> np.random.Philox:
    """A generator of its own for each (seed, step, index); the two low counter words count the drawn numbers."""
    # Arrays of whole words: a list with a seed of 2^63 or above would be rounded as a float.
    key = np.array([check_seed("seed", seed), 0], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, index, step], dtype=np.uint64))
