"""Networks by name, as settings and the command line give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.motion import LEVELS, Motion
from privacy_mllm.models.pretrained import load_pretrained
from privacy_mllm.models.regions import PARTS, Regions
from privacy_mllm.models.resnet import ResNet50
from privacy_mllm.models.reviewer import Reviewer
from privacy_mllm.models.unet import UNet
from privacy_mllm.models.wide_unet import WideUNet

Network = TypeVar("Network", bound=nn.Module)

_REVIEWERS: dict[str, tuple[Callable[[int], AttributeNetwork], str]] = {
    "small": (Reviewer, "head.2"),
    "resnet50": (ResNet50, "fc"),
}  # with the name of the last layer

SMALL_WIDTH, SMALL_MULTIPLE = 12, 4
REVIEWERS = tuple(_REVIEWERS)
ANONYMIZERS = ("small", "motion", "regions", "unet-64", "unet-32", "unet-16", "unet-8", "unet-4")
"""The usual names; ``small-W`` and ``unet-W`` have any width W, ``motion-L`` any number of levels L, ``regions-N`` N
rows and columns."""


def build_anonymizer(name: str, *, norm: str = "batch", seed: int = 0, weights: Path | None = None) -> nn.Module:
    """An anonymizer's network, from pictures ``[b, 3, h, w]`` in [0, 1] to pictures of the same size, or from clips.

    A random network shows nothing of its input: warm-start it before a black box is asked, for example by
    reconstruction. The global random state is neither read nor changed.

    Args:
        name: "small" (17,427 parameters) or "small-W" of width W, a multiple of 4; "unet-W", the paper's
            U-Net at width W; "motion" (8 parameters) or "motion-L" with L levels, which looks at whole clips;
            "regions" (64 parameters) or "regions-N" of N rows and columns. The last two are not random.
        norm: Normalisation of "unet-W": "batch", "group" or "none".
        seed: Seed of the first weights.
        weights: A file of weights that must fit.

    Returns:
        The network, in evaluation mode.

    Raises:
        FileNotFoundError: If there is no file of weights.
        ValueError: If the name is unknown, or the weights do not fit.

    Example:
        >>> sum(weight.numel() for weight in build_anonymizer("unet-4").parameters())
        68343
    """
    match = re.fullmatch(r"(small|unet|motion|regions)(?:-([1-9]\d*))?", name)
    if match is None or name == "unet":
        usual = '"small", "motion", "regions" or "unet-W" with a width W, such as "unet-64"'
        raise ValueError(f"`name` must be {usual}, got {name!r}.")
    if match[1] == "motion":
        return _with_weights(Motion(int(match[2] or LEVELS)), weights, "rises")
    if match[1] == "regions":
        return _with_weights(Regions(int(match[2] or PARTS)), weights, "hiding")
    network = _seeded(seed, lambda: _anonymizer(match[1], int(match[2] or SMALL_WIDTH), norm))
    return _with_weights(network, weights, "out" if match[1] == "small" else "outc")


def build_reviewer(name: str, num_attributes: int, *, seed: int = 0, weights: Path | None = None) -> AttributeNetwork:
    """A reviewer's network, from pictures ``[b, 3, h, w]`` in [0, 1] to logits ``[b, k]``.

    Public weights of ResNet-50 (torchvision's ``.pth``, timm's ``.safetensors``) load by their path; their last layer
    is replaced unless it tells as many classes apart. The global random state is neither read nor changed.

    Args:
        name: "small" (53,302 parameters at 6 attributes) or "resnet50" (23,522,375 at 7).
        num_attributes: Number of attributes ``k``, positive.
        seed: Seed of the first weights, of a replaced last layer too.
        weights: A file of weights.

    Returns:
        The network, in evaluation mode.

    Raises:
        FileNotFoundError: If there is no file of weights.
        ValueError: If the name is unknown, `num_attributes` is not positive, or the weights do not fit.

    Example:
        >>> sum(weight.numel() for weight in build_reviewer("small", 6).parameters())
        53302
    """
    if name not in _REVIEWERS:
        raise ValueError(f"`name` must be one of {', '.join(REVIEWERS)}, got {name!r}.")
    if num_attributes < 1:
        raise ValueError(f"`num_attributes` must be positive, got {num_attributes}.")
    make, head = _REVIEWERS[name]
    network = _seeded(seed, lambda: make(num_attributes))
    if weights is not None:
        load_pretrained(network, weights, head=head)
    return network.eval()


def fresh_reviewer(name: str, num_attributes: int, *, device: str = "cpu") -> AttributeNetwork:
    """A reviewer's network whose weights come from torch's present random state; for a caller that has set it.

    Args:
        name: One of ``REVIEWERS``.
        num_attributes: Number of attributes ``k``, positive.
        device: Where it is.
    """
    return _REVIEWERS[name][0](num_attributes).to(device)


def restore_anonymizer(state: Mapping[str, Tensor]) -> nn.Module:
    """The network that a state dict belongs to, whatever its width and normalisation.

    Args:
        state: The state dict of a network that :func:`build_anonymizer` built.

    Returns:
        The network with these weights, in evaluation mode.

    Raises:
        ValueError: If it belongs to none of them.
    """
    if "rises" in state:
        network: nn.Module = Motion(len(state["rises"]))
    elif "hiding" in state:
        network = Regions(len(state["hiding"]))
    elif "outer.0.weight" in state:
        network = _anonymizer("small", len(state["outer.0.weight"]), "group")
    elif "inc.0.weight" in state:
        norm = "batch" if "inc.1.running_mean" in state else "group" if "inc.1.weight" in state else "none"
        network = _anonymizer("unet", len(state["inc.0.weight"]), norm)
    else:
        raise ValueError(f"`state` must be that of an anonymizer, got the keys {', '.join(sorted(state)[:3])}.")
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"`state` must be that of an anonymizer: {error}") from error
    return network.eval()


def _with_weights(network: Network, weights: Path | None, head: str) -> Network:
    if weights is not None and not load_pretrained(network, weights, head=head):
        raise ValueError(f"{weights} does not fit: its last layer has another shape.")
    return network.eval()


def _anonymizer(family: str, width: int, norm: str) -> nn.Module:
    if family == "unet":
        return WideUNet(width, norm=norm)
    if width % SMALL_MULTIPLE:
        raise ValueError(f'`name` must have a width that is a multiple of 4, got "small-{width}".')
    return UNet(width)


def _seeded(seed: int, make: Callable[[], Network]) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()
