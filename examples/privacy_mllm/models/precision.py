"""Mixed precision: convolutions and products in bfloat16, everything that is kept or compared in float32.

Parameters, their gradients, optimizers and the probes' displacements stay ``float32``; a forward pass rounds its own
copies of the weights. A displacement of a weight by less than about 1/512 of it is lost in that rounding, so a
zeroth-order search needs a radius well above.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from privacy_mllm.config import PRECISIONS

Network = TypeVar("Network", bound=nn.Module)


def set_precision(network: Network, precision: str) -> Network:
    """Have a network compute in a precision from now on; its copies do too. Its weights are left as they are.

    Args:
        network: A network whose passes are :func:`in_precision`.
        precision: "float32" or "bfloat16".

    Returns:
        The same network.

    Raises:
        ValueError: If the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    network.__dict__["precision"] = precision
    return network


def precision_of(network: nn.Module) -> str:
    """The precision in which a network computes; "float32" unless it was set."""
    precision: str = network.__dict__.get("precision", "float32")
    return precision


def in_precision(method: Callable[[Network, Tensor], Tensor]) -> Callable[[Network, Tensor], Tensor]:
    """A network's pass from pictures to numbers, run in the network's precision; what comes out is ``float32``.

    Each pass has its own autocast block. Torch keeps the rounded weights until the block ends and does not see that
    parameters were moved meanwhile: in a block around two probes the second would be the first again.

    Args:
        method: The pass.
    """

    @functools.wraps(method)
    def run(network: Network, pictures: Tensor) -> Tensor:
        if precision_of(network) == "float32":
            return method(network, pictures)
        with torch.autocast(pictures.device.type, dtype=torch.bfloat16):
            return method(network, pictures).float()

    return run
