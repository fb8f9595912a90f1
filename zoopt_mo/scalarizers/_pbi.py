"""Penalty-based boundary intersection: along a ray, and not away from it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoopt_mo._checks import check_non_negative
from zoopt_mo.scalarizers._base import Scalarizer, as_weights, check_losses
from zoopt_mo.scalarizers._point import ReferencePoint


class PBI(Scalarizer):
    r"""The distance from the ideal point along a ray, plus a penalty on the distance to that ray.

    .. math::

        s(L) = d_1 + \theta d_2, \qquad d_1 = (L - z^*) \cdot \hat\lambda, \qquad
        d_2 = \lVert L - z^* - d_1 \hat\lambda \rVert, \qquad \hat\lambda = \lambda / \lVert \lambda \rVert

    The weights are the **direction of the ray**: the larger a weight, the larger the loss that it stands for, as with
    weights that divide. Their length does not matter. A large :math:`\theta` holds the losses to the ray, even where
    a point off it is better in every objective, so a dominated point can win; at :math:`\theta = 0` it is a weighted
    sum. On the ray the derivative of :math:`d_2` is taken as zero.

    Args:
        weights: Direction :math:`\lambda` ``[n]`` of the ray, not negative, with a positive sum.
        ideal: Ideal losses :math:`z^*` ``[n]`` where the ray starts; None takes the smallest losses seen so far.
        penalty: The :math:`\theta \ge 0`; 5 is the value in the experiments of Zhang and Li.

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> import torch
        >>> from zoopt_mo import PBI
        >>> PBI(weights=[3.0, 4.0], ideal=[0.0, 0.0], penalty=2.0)(torch.tensor([5.0, 0.0])).item()  # 3 + 2 * 4
        11.0

    Reference:
        Zhang and Li (2007), MOEA/D, section II.
    """

    weights: Tensor

    def __init__(self, *, weights: Sequence[float], ideal: Sequence[float] | None = None, penalty: float = 5.0) -> None:
        super().__init__()
        self.register_buffer("weights", as_weights(weights))
        self.ideal = ReferencePoint("ideal", ideal, len(self.weights))
        self.penalty = check_non_negative("penalty", penalty)

    def forward(self, losses: Tensor) -> Tensor:
        """The penalised distance ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        check_losses(losses, self.num_objectives)
        weights = self.weights.to(losses)
        ray: Tensor = weights / torch.linalg.vector_norm(weights)
        distances = losses - self.ideal.follow(losses)
        along = (distances * ray).sum()
        # The norm's derivative at zero is zero, not nan.
        away: Tensor = torch.linalg.vector_norm(distances - along * ray)
        return along + self.penalty * away

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
