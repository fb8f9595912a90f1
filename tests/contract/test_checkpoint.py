"""Promises of checkpoints: what is read is what was written, bit for bit, and a file never runs code."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import signal
import stat
import struct
import subprocess
import sys
import textwrap
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo

NO_CHECKPOINT = r"^`path` must be a checkpoint of this version, but .* is none: "

FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
WHOLE = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64]
DTYPES = [*FLOATING, *WHOLE, torch.bool, torch.complex64, torch.complex128]


def same(one: Any, other: Any) -> bool:
    """Whether two states are the same to the last bit and kind."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (torch.Tensor, np.ndarray)):
        return (one.dtype, one.shape, bits_of(one)) == (other.dtype, other.shape, bits_of(other))
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return same(list(one.items()), list(other.items())) if isinstance(one, dict) else one == other


def bits_of(held: torch.Tensor | np.ndarray) -> bytes:
    if isinstance(held, np.ndarray):
        return held.tobytes()
    return b"" if held.numel() == 0 else held.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
    content = draw(st.binary(min_size=count, max_size=count))
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    raw = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return (raw % 2 == 1).reshape(shape) if dtype == torch.bool else raw.view(dtype).reshape(shape)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = draw(st.sampled_from(["<f8", ">f4", "<f2", "?", "i1", "<u8", "<c16", "<U3", "S2", "<M8[s]"]))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    array = np.zeros(shape, dtype=dtype)
    array[...] = draw(st.integers(0, 1)) if dtype != "<M8[s]" else np.datetime64(draw(st.integers(0, 9)), "s")
    return np.asfortranarray(array) if array.ndim and draw(st.booleans()) else array


plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(2**200), st.just("$"))
keys = st.one_of(st.text(), st.just("$"), st.integers(), st.booleans(), st.tuples(st.integers(), st.text()), st.none())
states = st.recursive(
    st.one_of(plain, tensors(), arrays()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")


def round_trip(folder: Path, state: Any) -> dict[str, Any]:
    zo.save_checkpoint(folder / "state.ckpt", state)
    return zo.load_checkpoint(folder / "state.ckpt")


# --- what is read is what was written --------------------------------------------------------------------------------


@given(state=st.dictionaries(keys, states, max_size=4))
@settings(max_examples=200)
def test_any_nested_state_comes_back_bit_for_bit(folder, state):
    assert same(round_trip(folder, state), state)


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, math.nan, -0.0, 5e-324, 0.1 + 0.2, 2**63, -(2**64), "\ud800", ""]
)
def test_every_number_and_text_comes_back_exactly(folder, value):
    assert same(round_trip(folder, {"value": value}), {"value": value})


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3, 2)], ids=str)
def test_tensors_of_every_dtype_and_shape_come_back(folder, dtype, shape):
    tensor = torch.ones(shape, dtype=torch.float64).to(dtype)
    assert same(round_trip(folder, {"tensor": tensor}), {"tensor": tensor})


def test_views_and_gradients_are_saved_by_their_numbers(folder):
    matrix = torch.arange(6.0).reshape(2, 3)
    odd = {
        "transposed": matrix.T,
        "stepped": matrix[:, ::2],
        "parameter": torch.nn.Parameter(matrix),
        "conjugate": torch.tensor([1 + 2j, 3 - 1j]).conj(),
        "negative": torch.tensor([1 + 2j]).conj().imag,
    }
    back = round_trip(folder, odd)
    assert all(torch.equal(back[name], tensor.detach()) for name, tensor in odd.items())
    assert not back["parameter"].requires_grad


def test_what_is_read_can_be_written_to_and_is_a_copy(folder):
    tensor, array = torch.zeros(2), np.zeros(2)
    back = round_trip(folder, {"tensor": tensor, "array": array})
    back["tensor"][0] = back["array"][0] = 1.0
    assert (tensor.tolist(), array.tolist()) == ([0, 0], [0, 0])


def test_mappings_keep_their_order_and_numpy_numbers_become_plain(folder):
    state = OrderedDict([("b", np.float32(0.5)), ("a", np.int64(3)), (np.bool_(True), np.float64(-0.0))])
    back = round_trip(folder, state)
    assert list(back.items()) == [("b", 0.5), ("a", 3), (True, 0.0)]
    assert [type(value) for value in back.values()] == [float, int, float]


def test_an_optimizer_goes_on_bit_for_bit_from_its_saved_state(folder):
    def begin() -> tuple[torch.nn.Module, torch.optim.Adam]:
        torch_generator = torch.Generator().manual_seed(0)
        module = torch.nn.Linear(3, 2, dtype=torch.float64)
        for parameter in module.parameters():
            parameter.data.normal_(generator=torch_generator)
        return module, torch.optim.Adam(module.parameters(), lr=0.1, amsgrad=True)

    def walk(module: torch.nn.Module, optimizer: torch.optim.Adam, count: int) -> list[list[float]]:
        for _ in range(count):
            optimizer.zero_grad()
            module(torch.ones(3, dtype=torch.float64)).square().sum().backward()
            optimizer.step()
        return [parameter.flatten().tolist() for parameter in module.parameters()]

    module, optimizer = begin()
    walk(module, optimizer, 3)
    saved = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
    back = round_trip(folder, saved)
    expected = walk(module, optimizer, 4)
    other, its_optimizer = begin()
    other.load_state_dict(back["module"])
    its_optimizer.load_state_dict(back["optimizer"])
    assert walk(other, its_optimizer, 4) == expected


class Odd:
    """Something that a state must not hold."""


@pytest.mark.parametrize(
    "value",
    [Odd(), {1, 2}, b"bytes", 1j, np.longdouble(1), np.complex128(1), lambda: None, torch.ones(2).to_sparse(), Odd],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_refused_and_the_old_file_stays(folder, value):
    path = folder / "kept.ckpt"
    zo.save_checkpoint(path, {"step": 1})
    with pytest.raises(TypeError, match=r"^`state` must hold (plain values and tensors|dense tensors), got "):
        zo.save_checkpoint(path, {"step": 2, "deep": [{"value": value}]})
    assert zo.load_checkpoint(path) == {"step": 1}


def test_arrays_of_objects_are_refused(folder):
    with pytest.raises(TypeError, match=r"^`state` must hold arrays of numbers, got one of Python objects\.$"):
        zo.save_checkpoint(folder / "never.ckpt", {"array": np.array([Odd()])})
    assert not (folder / "never.ckpt").exists()


# --- a process that is killed ----------------------------------------------------------------------------------------


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.ckpt"
    zo.save_checkpoint(path, {"step": 0, "big": torch.zeros(10)})
    program = f"""
        import torch, zoopt_mo as zo
        big = torch.zeros(4_000_000)
        print("ready", flush=True)
        step = 0
        while True:
            step += 1
            zo.save_checkpoint({str(path)!r}, {{"step": step, "big": big + step}})
    """
    for seconds in (0.0, 0.05, 0.13):
        command = [sys.executable, "-c", textwrap.dedent(program)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(seconds)
            writer.send_signal(signal.SIGKILL)
        state = zo.load_checkpoint(path)
        assert (state["big"] == state["step"]).all()


def test_an_error_while_writing_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "state.ckpt"
    zo.save_checkpoint(path, {"step": 1})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        zo.save_checkpoint(path, {"step": 2})
    assert zo.load_checkpoint(path) == {"step": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["state.ckpt"]


def test_a_checkpoint_has_the_permissions_of_any_other_file(tmp_path):
    zo.save_checkpoint(tmp_path / "state.ckpt", {})
    (tmp_path / "other").write_text("")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("state.ckpt", "other")}
    assert len(modes) == 1


# --- other files -----------------------------------------------------------------------------------------------------


def zip_of(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


def described(state: Any, form: str = "zoopt-mo checkpoint 1") -> bytes:
    return json.dumps({"format": form, "state": state}).encode()


def array_file(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


ARRAY = {"x": {"$": "array", "array": 0}}
TENSOR = {"x": {"$": "tensor", "array": 0, "dtype": "float32", "shape": [1]}}
FOREIGN = {
    "nothing": b"",
    "text": b"step = 3",
    "pickle": pickle.dumps({"step": 3}),
    "zip of something else": zip_of(readme_txt=b"hello"),
    "no json": zip_of(state_json=b"{"),
    "other json": zip_of(state_json=b"[1, 2]"),
    "a later version": zip_of(state_json=described({}, "zoopt-mo checkpoint 2")),
    "a state that is no mapping": zip_of(state_json=described([1, 2])),
    "array missing": zip_of(state_json=described(ARRAY)),
    "array cut": zip_of(state_json=described(ARRAY), **{"0_npy": array_file(np.zeros(9))[:-3]}),
    "tensor of a wrong size": zip_of(state_json=described(TENSOR), **{"0_npy": array_file(np.zeros(3, np.uint8))}),
    "tensor of an unknown dtype": zip_of(
        state_json=described({"x": {**TENSOR["x"], "dtype": "float7"}}), **{"0_npy": array_file(np.zeros(4, np.uint8))}
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_refused(tmp_path, name):
    (tmp_path / "state.ckpt").write_bytes(FOREIGN[name])
    with pytest.raises(ValueError, match=NO_CHECKPOINT):
        zo.load_checkpoint(tmp_path / "state.ckpt")


def test_what_torch_saved_is_refused(tmp_path):
    torch.save({"step": 3}, tmp_path / "state.ckpt")
    with pytest.raises(ValueError, match=NO_CHECKPOINT):
        zo.load_checkpoint(tmp_path / "state.ckpt")


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(0, 255))
@settings(max_examples=100)
def test_a_file_cut_or_changed_anywhere_is_refused_or_read_in_full(folder, place, flip):
    """A changed byte may hit what nothing depends on, such as a date; what is read is then as it was."""
    state = {"step": 3, "x": torch.arange(5.0), "y": [np.arange(3), {"z": 0.5}]}
    path = folder / "broken.ckpt"
    zo.save_checkpoint(path, state)
    content = bytearray(path.read_bytes())
    where = int(place * len(content))
    path.write_bytes(content[:where])
    with pytest.raises(ValueError, match=NO_CHECKPOINT):
        zo.load_checkpoint(path)
    content[where] ^= flip
    path.write_bytes(content)
    try:
        back = zo.load_checkpoint(path)
    except ValueError as error:
        assert str(error).startswith("`path` must be a checkpoint of this version")  # noqa: PT017
    else:
        assert same(back, state)


class Planted:
    """Writes a file when it is unpickled."""

    path = ""

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


def test_a_planted_pickle_is_not_run(tmp_path):
    Planted.path = str(tmp_path / "run")
    array = np.empty(1, dtype=object)
    array[0] = Planted()
    content = array_file(array)
    np.load(io.BytesIO(content), allow_pickle=True)
    assert (tmp_path / "run").exists()  # the plant works where pickles are allowed
    (tmp_path / "run").unlink()
    (tmp_path / "state.ckpt").write_bytes(zip_of(state_json=described(ARRAY), **{"0_npy": content}))
    with pytest.raises(ValueError, match=r"Object arrays cannot be loaded when allow_pickle=False"):
        zo.load_checkpoint(tmp_path / "state.ckpt")
    assert not (tmp_path / "run").exists()


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"state\.ckpt"):
        zo.load_checkpoint(tmp_path / "state.ckpt")
