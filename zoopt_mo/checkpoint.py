"""Saving a state of nested plain values and tensors in one file, and loading it without pickle."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo.evaluation._keys import bytes_of

_FORMAT = "zoopt-mo checkpoint 1"
_TAG = "$"

_DTYPES = {str(kind).removeprefix("torch."): kind for kind in vars(torch).values() if isinstance(kind, torch.dtype)}

# What reading any bytes as zip, JSON and arrays may raise.
_UNREADABLE = (
    *(EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(struct.error, zipfile.BadZipFile, zlib.error),
)

Arrays = list[npt.NDArray[Any]]


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a state; a process killed while writing leaves the file that was there before.

    The state may nest mappings, lists and tuples of numbers, text, None, tensors (of any dtype, from any device) and
    numpy arrays: every ``state_dict`` of this library, of ``torch.optim`` and of modules is one. It comes back bit for
    bit, but as plain kinds: a mapping as a dictionary, a named tuple as a tuple, a numpy scalar as a number. The file
    is a zip of ``.npy`` arrays and one JSON text.

    Args:
        path: The file.
        state: What to keep.

    Raises:
        TypeError: If the state holds anything else.

    Example:
        >>> import tempfile, pathlib, torch
        >>> import zoopt_mo as zo
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "state.ckpt"
        >>> zo.save_checkpoint(path, {"step": 3, "momentum": torch.ones(2)})
        >>> zo.load_checkpoint(path)
        {'step': 3, 'momentum': tensor([1., 1.])}
    """
    target = Path(path)
    arrays: Arrays = []
    text = json.dumps({"format": _FORMAT, "state": _encode(state, arrays)})
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("state.json", text)
                for number, array in enumerate(arrays):
                    with archive.open(f"{number}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state that :func:`save_checkpoint` wrote; tensors are on the CPU. Runs no code that the file brings.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no checkpoint.
    """
    with Path(path).open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                content = json.loads(archive.read("state.json"))
                return dict(_decode(content["state" if content["format"] == _FORMAT else ""], archive))
        except _UNREADABLE as error:
            raise ValueError(f"`path` must be a checkpoint of this version, but {path} is none: {error}.") from error


def _encode(value: Any, arrays: Arrays) -> Any:  # noqa: ANN401 - nested values of any kind
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        plain = value.item()
        if isinstance(plain, np.generic):  # Python has no such number
            raise TypeError(f"`state` must hold plain values and tensors, got {type(value).__name__}.")
        return _encode(plain, arrays)
    if isinstance(value, (Tensor, np.ndarray)):
        return _encode_array(value, arrays)
    if isinstance(value, (list, tuple)):
        items = [_encode(item, arrays) for item in value]
        return items if isinstance(value, list) else {_TAG: "tuple", "items": items}
    if isinstance(value, Mapping):
        pairs = [[_encode(key, arrays), _encode(item, arrays)] for key, item in value.items()]
        if all(isinstance(key, str) and key != _TAG for key in value):
            return dict(pairs)
        return {_TAG: "mapping", "items": pairs}
    raise TypeError(f"`state` must hold plain values and tensors, got {type(value).__name__}.")


def _encode_array(value: Tensor | npt.NDArray[Any], arrays: Arrays) -> dict[str, Any]:
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_meta:
            raise TypeError(f"`state` must hold dense tensors, got {value.layout} on {value.device}.")
        arrays.append(bytes_of(value))
        name = str(value.dtype).removeprefix("torch.")
        return {_TAG: "tensor", "array": len(arrays) - 1, "dtype": name, "shape": list(value.shape)}
    if value.dtype.hasobject:
        raise TypeError("`state` must hold arrays of numbers, got one of Python objects.")
    arrays.append(value)
    return {_TAG: "array", "array": len(arrays) - 1}


def _decode(value: Any, archive: zipfile.ZipFile) -> Any:  # noqa: ANN401 - nested values of any kind
    if isinstance(value, list):
        return [_decode(item, archive) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_TAG)
    if kind is None:
        return {key: _decode(item, archive) for key, item in value.items()}
    if kind in ("tensor", "array"):
        return _decode_array(value, archive)
    items = _decode(value["items"], archive)
    return tuple(items) if kind == "tuple" else dict(items)


def _decode_array(value: Mapping[str, Any], archive: zipfile.ZipFile) -> Tensor | npt.NDArray[Any]:
    content = io.BytesIO(archive.read(f"{value['array']}.npy"))
    array: npt.NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)
    if value[_TAG] == "array":
        return array
    dtype = _DTYPES[value["dtype"]]
    if array.size == 0:
        return torch.empty(value["shape"], dtype=dtype)
    return torch.from_numpy(array).view(dtype).reshape(value["shape"])
