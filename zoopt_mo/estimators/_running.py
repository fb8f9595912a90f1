"""What the wrappers that average over past steps share."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate


def decayed_sum(past: Tensor | None, decay: float, gradient: Combination) -> Tensor:
    """``decay * past + gradient`` as a new ``float64`` vector ``[p]``; no past counts as zero.

    A new vector each step: earlier estimates and saved states hold on to theirs.
    """
    vector = torch.zeros(gradient.size, dtype=torch.float64) if past is None else decay * past
    gradient.add_to(vector)
    return vector


def with_gradient(raw: Estimate, gradient: Combination) -> Estimate:
    """The estimate with its gradient replaced, and the cosine between the two."""
    length = raw.gradient.norm() * gradient.norm()
    cosine = max(-1.0, min(1.0, raw.gradient.dot(gradient) / length)) if length > 0 else 0.0
    return dataclasses.replace(raw, gradient=gradient, cosine=cosine)
