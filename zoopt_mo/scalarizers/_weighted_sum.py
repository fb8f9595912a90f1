"""The weighted sum of losses."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from zoopt_mo.scalarizers._base import Scalarizer, as_weights, check_losses


class WeightedSum(Scalarizer):
    r"""The weighted sum of the losses.

    .. math:: s(L) = \sum_i \lambda_i L_i

    It cannot reach the concave parts of a front.

    Args:
        weights: Weights :math:`\lambda` ``[n]``, not negative, with a positive sum; used as they are.

    Raises:
        ValueError: If a weight is negative or all are zero.

    Example:
        >>> import torch
        >>> from zoopt_mo import WeightedSum
        >>> WeightedSum(weights=[0.5, 0.5])(torch.tensor([1.0, 3.0])).item()
        2.0

    Reference:
        Equation 4 of Hui et al. (2026); Geoffrion (1968).
    """

    weights: Tensor

    def __init__(self, *, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", as_weights(weights))

    def forward(self, losses: Tensor) -> Tensor:
        """The weighted sum ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        check_losses(losses, self.num_objectives)
        return (self.weights.to(losses) * losses).sum()

    def active_objective(self, losses: Tensor) -> int | None:  # noqa: ARG002 - the interface's argument
        """None: a sum has no maximum.

        Args:
            losses: Losses ``[n]``.
        """
        return None

    @property
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""
        return len(self.weights)
