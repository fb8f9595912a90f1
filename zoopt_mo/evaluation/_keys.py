"""What identifies a payload."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

Update = Callable[[Any], None]


def payload_key(payload: object, *, salt: str = "") -> str:
    """Digest of a payload: the same for equal contents in any process, another one for any other.

    The payload cannot be read from it, though whoever guesses a payload can check the guess. A tensor counts as the
    array of the same numbers, a mapping as the same in any order. Costs one pass over the payload.

    Args:
        payload: Arrays, tensors, bytes, text, numbers, None, and lists, tuples, mappings and dataclasses of them.
        salt: What else the answer depends on, such as the name of the model.

    Returns:
        SHA-256 in hexadecimal digits.

    Raises:
        TypeError: If the payload is, or holds, anything else.

    Example:
        >>> import zoopt_mo as zo
        >>> zo.payload_key([1, "a"]) == zo.payload_key([1, "a"]), zo.payload_key([1, "a"]) == zo.payload_key([1, "b"])
        (True, False)
    """
    digest = hashlib.sha256()
    _feed(digest.update, salt)
    _feed(digest.update, payload)
    return digest.hexdigest()


def _feed(update: Update, value: object) -> None:
    """Every value with its kind and size before it, so that no two contents give the same bytes."""
    if isinstance(value, torch.Tensor):
        _feed_tensor(update, value)
    elif isinstance(value, np.ndarray):
        _feed_array(update, value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        content = bytes(value)
        update(f"bytes {len(content)} ".encode())
        update(content)
    elif value is None or isinstance(value, (str, bool, int, float)):
        update((json.dumps(value) + "\n").encode())
    elif isinstance(value, np.generic):
        _feed_array(update, np.asarray(value))
    else:
        _feed_container(update, value)


def bytes_of(tensor: torch.Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The numbers of a tensor of any dtype, in order, as bytes; numpy has no bfloat16 and others.

    Args:
        tensor: Any tensor that is not sparse.
    """
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().reshape(-1)
    if flat.stride() != (1,):
        flat = flat.clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy()


def _feed_tensor(update: Update, tensor: torch.Tensor) -> None:
    if tensor.layout != torch.strided:
        raise TypeError(f"`payload` must hold dense tensors, got {tensor.layout}.")
    try:
        dtype = str(np.lib.format.dtype_to_descr(torch.empty(0, dtype=tensor.dtype).numpy().dtype))
    except TypeError:
        dtype = str(tensor.dtype)
    update(f"array {dtype} {list(tensor.shape)} ".encode())
    update(bytes_of(tensor))


def _feed_array(update: Update, array: np.ndarray[Any, Any]) -> None:
    if array.dtype.hasobject:
        raise TypeError("`payload` must not hold arrays of Python objects; give a `key` of your own.")
    update(f"array {np.lib.format.dtype_to_descr(array.dtype)} {list(array.shape)} ".encode())
    update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _feed_container(update: Update, value: object) -> None:
    """The kind of the container, the number of its parts, and the parts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [part for field in dataclasses.fields(value) for part in (field.name, getattr(value, field.name))]
    elif isinstance(value, Mapping):
        parts = [part for pair in sorted(value.items(), key=lambda pair: payload_key(pair[0])) for part in pair]
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        raise TypeError(
            f"`payload` must be made of arrays, tensors, text, bytes and numbers, got {type(value).__name__}; "
            "give a `key` of your own."
        )
    update(f"{type(value).__name__} of {len(parts)}: ".encode())
    for part in parts:
        _feed(update, part)
