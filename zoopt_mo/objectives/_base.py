"""What every objective is, and what it says at the parameters."""

from __future__ import annotations

from dataclasses import dataclass

from zoopt_mo._checks import check_positive
from zoopt_mo.directions import Combination
from zoopt_mo.evaluation import Failure


@dataclass(frozen=True)
class Evaluation:
    """What one objective says at theta.

    Args:
        value: Its loss.
        gradient: Its gradient, exact or estimated, of size ``p``.
        gain: Factor ``1 + I_k`` of the step along an estimated gradient; 1 for an exact one.
        cosine: Cosine between the raw and the improved estimate, None where nothing was improved.
        num_queries: Black-box queries that this took.
        failures: Those that failed.
    """

    value: float
    gradient: Combination
    gain: float = 1.0
    cosine: float | None = None
    num_queries: int = 0
    failures: tuple[Failure, ...] = ()


class Objective:
    """A loss to be made small. Use :class:`BlackBox` or :class:`WhiteBox`.

    Args:
        name: Its name in reports and messages.
        step_factor: Factor of its gradient in the step, positive. An estimate is longer than an exact gradient by about
            the square root of ``p``, so one common step size seldom serves both.
        max_norm: Its gradient is scaled down to this length where it is longer; None leaves it.
    """

    def __init__(self, name: str, step_factor: float, max_norm: float | None) -> None:
        self.name = name
        self.step_factor = check_positive("step_factor", step_factor)
        self.max_norm = None if max_norm is None else check_positive("max_norm", max_norm)
