"""A scalarizer's value and the weights that it gives to the objectives."""

from __future__ import annotations

import torch

import zoopt_mo as zo


def value_and_weights(scalarizer: zo.Scalarizer, losses: list[float]) -> tuple[float, list[float]]:
    """The scalarized loss, and its derivative by each loss."""
    inputs = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    value = scalarizer(inputs)
    (weights,) = torch.autograd.grad(value, inputs)
    return float(value.detach()), weights.tolist()
