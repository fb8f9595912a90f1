"""The shipped weights; ``privacy-mllm pretrain`` makes them again from seeds."""

from __future__ import annotations

from importlib import resources

from safetensors.torch import load
from torch import Tensor

NAMES = ("tiny_mllm", "reviewer", "unet_identity", "unet_warm", "reviewer_warm")
"""The packaged networks."""


def load_weights(name: str) -> dict[str, Tensor]:
    """The state dict of a packaged network.

    Args:
        name: One of ``NAMES``.

    Raises:
        ValueError: If there is no such network.
        FileNotFoundError: If the file is not there.
    """
    if name not in NAMES:
        raise ValueError(f"`name` must be one of {', '.join(NAMES)}, got {name!r}.")
    return load(resources.files(__name__).joinpath(f"{name}.safetensors").read_bytes())
