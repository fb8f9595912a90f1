"""First weights from a generator of ours, whatever other threads do with the global random state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def fresh(make: Callable[[], M], generator: torch.Generator) -> M:
    """A new module whose convolutions and linear layers are drawn from a generator, as PyTorch would draw them.

    Args:
        make: Makes the module; the global random state is put back afterwards.
        generator: Source of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        module = make()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for parameter in layer.parameters(recurse=False):
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return module
