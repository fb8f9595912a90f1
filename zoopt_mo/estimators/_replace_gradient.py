"""What the wrappers that average over steps share."""

from __future__ import annotations

import dataclasses

from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate


def replace_gradient(raw: Estimate, gradient: Combination) -> Estimate:
    """The estimate with another gradient, and the cosine between the two; 0 where one of them vanishes."""
    length = raw.gradient.norm() * gradient.norm()
    cosine = max(-1.0, min(1.0, raw.gradient.dot(gradient) / length)) if length > 0 else 0.0
    return dataclasses.replace(raw, gradient=gradient, cosine=cosine)
