"""The weighted distance from the ideal point in an L_p norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from zoopt_mo._checks import check_between
from zoopt_mo.scalarizers._base import Scalarizer, as_weights, check_losses
from zoopt_mo.scalarizers._point import ReferencePoint


class PNorm(Scalarizer):
    r"""The weighted :math:`L_p` distance from the ideal point (compromise programming).

    .. math:: s(L) = \Big(\sum_i \left(\lambda_i |L_i - z_i^*|\right)^p\Big)^{1/p}

    At :math:`p = 1` it is the weighted sum of distances; as :math:`p` grows it becomes
    :class:`zoopt_mo.Tchebycheff`, and reaches more of a concave front. It is a distance: a loss below the ideal is
    pushed back up, so the ideal must be out of reach. The gradient at distance zero is zero.

    Args:
        weights: Weights :math:`\lambda` ``[n]``, not negative, with a positive sum; they multiply the distances. Where
            a text has :math:`\sum_i \lambda_i |L_i - z_i^*|^p`, pass its weights to the power of :math:`1/p`.
        ideal: Ideal losses :math:`z^*` ``[n]``; None takes the smallest losses seen so far.
        p: The order :math:`p \ge 1` of the norm, finite.

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> import torch
        >>> from zoopt_mo import PNorm
        >>> PNorm(weights=[1.0, 2.0], ideal=[0.0, 0.0], p=2.0)(torch.tensor([3.0, 2.0])).item()
        5.0

    Reference:
        Yu (1973), A class of solutions for group decision problems; Miettinen (1999), method of weighted metrics.
    """

    weights: Tensor

    def __init__(self, *, weights: Sequence[float], ideal: Sequence[float] | None = None, p: float) -> None:
        super().__init__()
        self.register_buffer("weights", as_weights(weights))
        self.ideal = ReferencePoint("ideal", ideal, len(self.weights))
        self.p = check_between("p", p, 1.0, math.inf, interval="[1, inf)")

    def forward(self, losses: Tensor) -> Tensor:
        """The weighted distance ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        check_losses(losses, self.num_objectives)
        distances = self.weights.to(losses) * (losses - self.ideal.follow(losses))
        # Scaled to a largest entry of one, no power overflows. The result does not depend on the scale.
        scale = distances.detach().abs().max()
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        norm: Tensor = torch.linalg.vector_norm(distances / scale, ord=self.p)
        return scale * norm

    def active_objective(self, losses: Tensor) -> int | None:  # noqa: ARG002 - the interface's argument
        """None: all objectives share the step.

        Args:
            losses: Losses ``[n]``.
        """
        return None

    @property
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""
        return len(self.weights)
