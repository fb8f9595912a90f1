"""Weights from a file that others made: read without running code in it, and fitted to a network or refused."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

WRAPPINGS = ("state_dict", "model", "model_state_dict")
"""Keys under which training scripts keep a network's weights beside other things."""

_SHOWN = 3  # keys that a message names


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, or of one that ``torch.save`` wrote.

    Nothing in the file is executed (``weights_only=True``). A state dict that lies under "state_dict" or "model" is
    taken out, and a "module." that data parallelism put before every key is cut off.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it holds anything but named tensors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there are no weights at {path}.")
    try:
        if path.suffix == ".safetensors":
            held: object = load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()
        raise ValueError(f"{path} is not a file of weights: {reason[0] if reason else 'it is cut off'}") from error
    return _state_dict(held, path)


def load_pretrained(network: nn.Module, path: Path, *, head: str) -> bool:
    """Load a file's weights into a network, in place; all of them or none.

    The last layer is loaded where its shape fits. Where the file's network told apart another number of classes, the
    network keeps its own last layer, which has then to be trained. Files from before torch 0.4.1 have no counts of
    batches; these stay 0.

    Args:
        network: The network.
        path: The file, see :func:`read_weights`.
        head: Name of the last layer in the network, such as "fc".

    Returns:
        Whether the last layer was loaded too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a key is missing, unknown, or has another shape; the message names them.
    """
    own, given = network.state_dict(), read_weights(path)
    own_head = {key for key in own if key.startswith(f"{head}.")}
    if not own_head:
        raise ValueError(f"`head` must name a layer with weights, got {head!r}.")
    fits = all(key in given and given[key].shape == own[key].shape for key in own_head)
    if not fits:
        _check_head(given, own, head, path)
        given = {key: tensor for key, tensor in given.items() if not key.startswith(f"{head}.")}
        given |= {key: own[key] for key in own_head}
    given = {key: own[key] for key in own if key.endswith(".num_batches_tracked")} | given
    _check_match(given, own, path)
    network.load_state_dict(given)
    return fits


def _state_dict(held: object, path: Path) -> dict[str, Tensor]:
    for wrapping in WRAPPINGS:
        if isinstance(held, Mapping) and isinstance(held.get(wrapping), Mapping):
            held = held[wrapping]
    if not isinstance(held, Mapping) or not held:
        raise ValueError(f"{path} must hold named tensors, got {type(held).__name__}.")
    for key, tensor in held.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise ValueError(f"{path} must hold tensors alone, got {type(tensor).__name__} under {key!r}.")  # noqa: TRY004
    prefix = "module." if all(key.startswith("module.") for key in held) else ""
    return {key.removeprefix(prefix): tensor for key, tensor in held.items()}


def _check_head(given: Mapping[str, Tensor], own: Mapping[str, Tensor], head: str, path: Path) -> None:
    """Only the number of classes may differ."""
    key = f"{head}.weight"
    if key in given and key in own and given[key].shape[1:] != own[key].shape[1:]:
        raise ValueError(
            f"{path} does not fit: {key} has shape {list(given[key].shape)}, which is not [classes, "
            f"{', '.join(map(str, own[key].shape[1:]))}]."
        )


def _check_match(given: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    missing, unknown = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
    if missing or unknown:
        said = [f"{word} {_some(keys)}" for word, keys in (("lacks", missing), ("has the unknown", unknown)) if keys]
        raise ValueError(f"{path} does not fit: it {' and '.join(said)}.")
    for key, tensor in given.items():
        if tensor.shape != own[key].shape:
            raise ValueError(
                f"{path} does not fit: {key} has shape {list(tensor.shape)}, the network {list(own[key].shape)}."
            )


def _some(keys: list[str]) -> str:
    rest = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + rest
