"""Generators keyed by a seed and a purpose."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from zoopt_mo._checks import check_seed

Purpose = Literal["start", "data", "rotation", "shift", "noise", "batch"]


def key_of(seed: int, purpose: Purpose) -> int:
    """Key of a Philox generator: ``seed`` in the low 64 bits, ``purpose`` above, so equal seeds share no numbers."""
    return check_seed("seed", seed) | get_args(Purpose).index(purpose) << 64


def generator_of(seed: int, purpose: Purpose) -> np.random.Generator:
    """A generator of its own for ``seed`` and ``purpose``."""
    return np.random.Generator(np.random.Philox(key=key_of(seed, purpose)))
