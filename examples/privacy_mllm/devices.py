"""Where networks are, and how bytes get there: pictures travel as bytes and become numbers where they are needed."""

from __future__ import annotations

import itertools
import platform

import torch
from torch import Tensor, nn


def device_of(network: nn.Module) -> torch.device:
    """Where a network is; one without parameters and buffers is anywhere, so on the CPU."""
    tensors = itertools.chain(network.parameters(), network.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def check_device(name: str) -> torch.device:
    """The device of a name such as "cpu", "cuda" or "cuda:1".

    Args:
        name: Its name, as torch knows it.

    Raises:
        ValueError: If there is none of this name, or this machine has none.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"`network_device` must be a device of this machine, got {name!r}: {reason}") from error
    return device


def device_name(device: torch.device | str) -> str:
    """What a device is, for a record of what was run where: the GPU's name, or the processor's kind."""
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def repeats_exactly(device: torch.device | str) -> bool:
    """Whether training done again ends bit for bit the same: not on a GPU, where some sums have no fixed order.

    Args:
        device: Where it is done.
    """
    return torch.device(device).type == "cpu"


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on a device; to a GPU through page-locked memory, without waiting for it.

    Args:
        tensor: Anything; it is returned as it is where it is there already.
        device: Where to.
    """
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def to_pictures(frames: Tensor, device: torch.device | str) -> Tensor:
    """Frames as numbers in [0, 1] on a device, ``float32``; a quarter of that travels.

    Args:
        frames: ``uint8``, of any shape.
        device: Where to.
    """
    return send(frames, device).float() / 255
