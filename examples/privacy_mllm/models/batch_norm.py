"""Batch normalisation that holds still while a network is probed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def frozen_batch_norm(*networks: nn.Module) -> Iterator[None]:
    """Within the block, every batch-norm layer uses its running statistics and does not change them.

    Two probes of a zeroth-order estimate must differ by their parameters alone. A layer in training mode normalises by
    the pictures at hand, so that one picture's output hangs on the others, and moves its running statistics each time.
    Afterwards each layer is in the mode it was in before, also after an exception; all other layers (dropout among
    them) are left alone. The function is a decorator too:
    ``zo.BlackBox(render=frozen_batch_norm(anonymizer)(render), ...)``.

    Args:
        *networks: The networks.

    Example:
        >>> import torch
        >>> layer = torch.nn.BatchNorm2d(3).train()
        >>> with frozen_batch_norm(layer):
        ...     _ = layer(torch.ones(2, 3, 4, 4))
        >>> layer.training, layer.running_mean.tolist()
        (True, [0.0, 0.0, 0.0])
    """
    training = [
        layer for network in networks for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training
    ]
    for layer in training:
        layer.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.train()
