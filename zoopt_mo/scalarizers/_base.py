"""What every scalarizer is: a function from losses to one number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoopt_mo._checks import check_vector
from zoopt_mo.scalarizers._point import ReferencePoint


class Scalarizer(nn.Module, ABC):
    """Turns losses ``[n]`` into one number ``[]``, by operations that autograd can follow.

    The weight of objective ``i`` in the step is the derivative of the number by its loss (chain rule), so a scalarizer
    is its ``forward``, and says how many objectives it takes and which one leads. Smaller losses are better.
    """

    @abstractmethod
    def forward(self, losses: Tensor) -> Tensor:
        """The scalarized loss ``[]``.

        Args:
            losses: Losses ``[n]``.
        """

    @abstractmethod
    def active_objective(self, losses: Tensor) -> int | None:
        """Index of the objective that the maximum picks (``i_max`` of equation 11), or None where there is no maximum.

        Args:
            losses: Losses ``[n]``.
        """

    @property
    @abstractmethod
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""

    def reset(self) -> None:
        """Forget the losses that running points have seen, those of a wrapped scalarizer too; given points stay."""
        for module in self.modules():
            if isinstance(module, ReferencePoint):
                module.reset()


def as_weights(weights: Sequence[float]) -> Tensor:
    """The weights lambda ``[n]`` as ``float64``: none negative, with a positive sum. They are not rescaled."""
    values = check_vector("weights", weights)
    if values.size == 0 or (values < 0).any() or values.sum() <= 0:
        raise ValueError(f"`weights` must not be negative and must sum to a positive number, got {values.tolist()}.")
    return torch.from_numpy(values.copy())


def as_divisors(weights: Sequence[float]) -> Tensor:
    """Weights ``[n]`` that divide, and so must all be positive."""
    values = as_weights(weights)
    if bool((values == 0).any()):
        raise ValueError(f"`weights` must be positive, since they divide, got {values.tolist()}.")
    return values


def check_losses(losses: Tensor, length: int) -> None:
    """Losses must be ``[n]``, one for each weight."""
    if losses.shape != (length,):
        raise ValueError(f"`losses` must have shape [{length}], one for each weight, got {list(losses.shape)}.")
