"""The Tchebycheff family: the objective furthest from its ideal leads the step."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from zoopt_mo._checks import check_non_negative, check_positive
from zoopt_mo.scalarizers._base import Scalarizer, as_weights, check_losses
from zoopt_mo.scalarizers._point import ReferencePoint


class Tchebycheff(Scalarizer):
    r"""The largest weighted distance from the ideal point.

    .. math:: s(L) = \max_i \lambda_i \left(L_i - (z_i^* - \varepsilon)\right)

    It reaches concave fronts, but also weakly Pareto-optimal points. At a tie the first of the largest leads.

    Args:
        weights: Weights :math:`\lambda` ``[n]``, not negative, with a positive sum; they multiply the distances.
        ideal: Ideal losses :math:`z^*` ``[n]``. None takes the smallest losses seen so far, those of the present call
            included; the target then moves during the run, and so does the point that the weights stand for. The
            point in use is ``scalarizer.ideal.value``.
        margin: The small positive :math:`\varepsilon` that puts the ideal point out of reach, in units of the losses.

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> import torch
        >>> from zoopt_mo import Tchebycheff
        >>> scalarize = Tchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], margin=0.5)
        >>> scalarize(torch.tensor([1.0, 3.0])).item()
        1.75

    Reference:
        Equations 1 and 5 of Hui et al. (2026); Steuer and Choo (1983).
    """

    weights: Tensor

    def __init__(self, *, weights: Sequence[float], ideal: Sequence[float] | None = None, margin: float = 0.01) -> None:
        super().__init__()
        self.register_buffer("weights", as_weights(weights))
        self.ideal = ReferencePoint("ideal", ideal, len(self.weights))
        self.margin = check_positive("margin", margin)

    def forward(self, losses: Tensor) -> Tensor:
        """The largest weighted distance ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        # max(dim=0) gives the whole derivative to one objective at a tie; amax would split it.
        return self.distances(losses).max(dim=0).values

    def distances(self, losses: Tensor) -> Tensor:
        """The weighted distances from the ideal point ``[n]``; a running ideal takes the losses in.

        Args:
            losses: Losses ``[n]``.
        """
        check_losses(losses, self.num_objectives)
        return self.weights.to(losses) * (losses - self.ideal.follow(losses) + self.margin)

    def active_objective(self, losses: Tensor) -> int | None:
        """Index of the largest weighted distance, ``i_max``.

        Args:
            losses: Losses ``[n]``.
        """
        return int(self.distances(losses).max(dim=0).indices)

    @property
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""
        return len(self.weights)


class AugmentedTchebycheff(Scalarizer):
    r"""Tchebycheff plus a small weighted sum, which rules out weakly Pareto-optimal points.

    .. math:: s(L) = \max_i \lambda_i \left(L_i - (z_i^* - \varepsilon)\right) + \sigma \sum_i \lambda_i L_i

    Keep :math:`\sigma` at 0.05 or below: as it grows the ends of the front are lost, and at 1 a concave front is missed
    as the weighted sum misses it (``tests/problems/test_concave_fronts.py``).

    Args:
        weights: Weights :math:`\lambda` ``[n]``, not negative, with a positive sum.
        ideal: Ideal losses :math:`z^*` ``[n]``; None takes the smallest losses seen so far.
        margin: The small positive :math:`\varepsilon`, in units of the losses.
        augmentation: The small :math:`\sigma \ge 0`.

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> import torch
        >>> from zoopt_mo import AugmentedTchebycheff
        >>> scalarize = AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], margin=0.5, augmentation=0.25)
        >>> scalarize(torch.tensor([1.0, 3.0])).item()
        2.25

    Reference:
        Equation 6 and theorem 1 of Hui et al. (2026); Steuer and Choo (1983).
    """

    def __init__(
        self,
        *,
        weights: Sequence[float],
        ideal: Sequence[float] | None = None,
        margin: float = 0.01,
        augmentation: float = 0.05,
    ) -> None:
        super().__init__()
        self.tchebycheff = Tchebycheff(weights=weights, ideal=ideal, margin=margin)
        self.augmentation = check_non_negative("augmentation", augmentation)

    def forward(self, losses: Tensor) -> Tensor:
        """The augmented distance ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        largest: Tensor = self.tchebycheff(losses)
        return largest + self.augmentation * (self.tchebycheff.weights.to(losses) * losses).sum()

    def active_objective(self, losses: Tensor) -> int | None:
        """Index of the largest weighted distance, ``i_max``.

        Args:
            losses: Losses ``[n]``.
        """
        return self.tchebycheff.active_objective(losses)

    @property
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""
        return self.tchebycheff.num_objectives
