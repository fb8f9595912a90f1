"""What every scalarizer is: a function from losses to one number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoopt_mo._checks import check_vector


class Scalarizer(nn.Module, ABC):
    """Turns losses ``[n]`` into one number ``[]``, by operations that autograd can follow.

    The weight of objective ``i`` in the step is the derivative of the number by its loss (chain rule), so a scalarizer
    is its ``forward`` and nothing else. Smaller losses are better.
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


def as_weights(weights: Sequence[float]) -> Tensor:
    """The weights lambda ``[n]`` as ``float64``: none negative, with a positive sum. They are not rescaled."""
    values = check_vector("weights", weights)
    if values.size == 0 or (values < 0).any() or values.sum() <= 0:
        raise ValueError(f"`weights` must not be negative and must sum to a positive number, got {values.tolist()}.")
    return torch.from_numpy(values.copy())


def check_losses(losses: Tensor, weights: Tensor) -> None:
    """Losses must be ``[n]``, one for each weight."""
    if losses.shape != weights.shape:
        raise ValueError(
            f"`losses` must have shape {list(weights.shape)}, one for each weight, got {list(losses.shape)}."
        )
