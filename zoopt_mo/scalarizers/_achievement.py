"""Achievement functions: how far the losses are from what one aspires to."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from zoopt_mo._checks import check_non_negative
from zoopt_mo.scalarizers._base import Scalarizer, as_divisors, check_losses
from zoopt_mo.scalarizers._point import ReferencePoint


class Achievement(Scalarizer):
    r"""The achievement scalarizing function: the largest excess over a reference point, in units of the weights.

    .. math:: s(L) = \max_i \frac{L_i - z_i}{w_i}

    The reference point may lie anywhere, also in reach: below zero the losses are better than asked for, and the
    search goes on. Weights **divide**: a large one lets its objective be further away. At a tie the first of the
    largest leads. It reaches concave fronts, but also weakly Pareto-optimal points.

    Args:
        weights: Weights :math:`w` ``[n]``, all positive. To have them multiply, as those of
            :class:`zoopt_mo.Tchebycheff` do, pass :func:`zoopt_mo.reciprocal_weights` of them.
        reference: The losses :math:`z` ``[n]`` that one aspires to.

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> import torch
        >>> from zoopt_mo import Achievement
        >>> Achievement(weights=[0.5, 2.0], reference=[1.0, 1.0])(torch.tensor([2.0, 4.0])).item()
        2.0

    Reference:
        Wierzbicki (1980), The use of reference objectives in multiobjective optimization.
    """

    weights: Tensor

    def __init__(self, *, weights: Sequence[float], reference: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", as_divisors(weights))
        self.reference = ReferencePoint("reference", reference, len(self.weights))

    def forward(self, losses: Tensor) -> Tensor:
        """The largest divided excess ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        return self.excesses(losses).max(dim=0).values

    def excesses(self, losses: Tensor) -> Tensor:
        """How far each loss is above the reference point, divided by its weight ``[n]``.

        Args:
            losses: Losses ``[n]``.
        """
        check_losses(losses, self.num_objectives)
        return (losses - self.reference.follow(losses)) / self.weights.to(losses)

    def active_objective(self, losses: Tensor) -> int | None:
        """Index of the largest divided excess.

        Args:
            losses: Losses ``[n]``.
        """
        return int(self.excesses(losses).max(dim=0).indices)

    @property
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""
        return len(self.weights)


class AugmentedAchievement(Scalarizer):
    r"""Achievement plus a small sum of the same terms, which rules out weakly Pareto-optimal points.

    .. math:: s(L) = \max_i \frac{L_i - z_i}{w_i} + \rho \sum_i \frac{L_i - z_i}{w_i}

    Keep :math:`\rho` at 0.05 or below, for the reason given at :class:`zoopt_mo.AugmentedTchebycheff`.

    Args:
        weights: Weights :math:`w` ``[n]``, all positive; they divide.
        reference: The losses :math:`z` ``[n]`` that one aspires to; it may lie anywhere.
        augmentation: The small :math:`\rho \ge 0`.

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> import torch
        >>> from zoopt_mo import AugmentedAchievement
        >>> scalarize = AugmentedAchievement(weights=[0.5, 2.0], reference=[1.0, 1.0], augmentation=0.25)
        >>> scalarize(torch.tensor([2.0, 4.0])).item()
        2.875

    Reference:
        Wierzbicki (1980); Miettinen (1999), Nonlinear Multiobjective Optimization, achievement scalarizing functions.
    """

    def __init__(self, *, weights: Sequence[float], reference: Sequence[float], augmentation: float = 0.05) -> None:
        super().__init__()
        self.achievement = Achievement(weights=weights, reference=reference)
        self.augmentation = check_non_negative("augmentation", augmentation)

    def forward(self, losses: Tensor) -> Tensor:
        """The augmented excess ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        excesses = self.achievement.excesses(losses)
        return excesses.max(dim=0).values + self.augmentation * excesses.sum()

    def active_objective(self, losses: Tensor) -> int | None:
        """Index of the largest divided excess.

        Args:
            losses: Losses ``[n]``.
        """
        return self.achievement.active_objective(losses)

    @property
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""
        return self.achievement.num_objectives
