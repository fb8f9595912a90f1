"""Promises of ``payload_key``: equal contents have equal keys, in every process, and nothing else does."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo

key = zo.payload_key


@dataclass
class Point:
    x: Any
    y: Any


@dataclass
class Pixel:
    x: Any
    y: Any


small = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 12), st.text('a1 ,"[]\n', max_size=3), st.binary(max_size=3)
)
numbers = st.lists(st.integers(0, 3), max_size=3)
arrays = st.builds(lambda values, dtype: np.array(values, dtype=dtype), numbers, st.sampled_from(["u1", "i2", "f4"]))
contents = st.recursive(
    st.one_of(small, arrays, st.floats(allow_nan=False)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text("ab1", max_size=2), inner, max_size=2),
        st.builds(Point, inner, inner),
    ),
    max_leaves=6,
)


def spelled(value: Any) -> str:
    """What a content is, written out by another way than the key's."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return f"array({value.dtype}, {list(value.shape)}, {value.tolist()})"
    if isinstance(value, dict):
        return f"dict({sorted((spelled(name), spelled(part)) for name, part in value.items())})"
    if isinstance(value, Point):
        return f"Point({spelled([value.x, value.y])})"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({[spelled(part) for part in value]})"
    return f"{type(value).__name__} {value!r}"


@given(one=contents, other=contents)
@settings(max_examples=400)
def test_keys_are_equal_where_the_contents_are_and_only_there(one, other):
    assert (key(one) == key(other)) == (spelled(one) == spelled(other))


@given(content=contents)
@settings(max_examples=100)
def test_the_same_content_has_the_same_key_again(content):
    assert key(content) == key(content)
    assert len(key(content)) == 64


# Pairs that a careless digest takes for the same.
DIFFERENT = {
    "two texts run together": (["ab", "c"], ["a", "bc"]),
    "two byte strings run together": ([b"ab", b"c"], [b"a", b"bc"]),
    "bytes that spell a header": ([b"1 x"], [b"1", b"x"]),
    "text that spells json": ('"1"', "1"),
    "text with a line break": (["a\nb"], ["a", "b"]),
    "number and text": (1, "1"),
    "number and truth": (1, True),
    "whole and real number": (1, 1.0),
    "zero and minus zero": (0.0, -0.0),
    "none and text": (None, "null"),
    "text and bytes": ("a", b"a"),
    "list and tuple": ([1], (1,)),
    "list and its only part": ([1], 1),
    "nested otherwise": ([[1], 2], [[1, 2]]),
    "empty containers": ([], ()),
    "mapping and list of its pairs": ({"a": 1}, ["a", 1]),
    "values exchanged": ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2))),
    "a vector and a row": (np.zeros(2), np.zeros((1, 2))),
    "a number and a vector of one": (np.array(1.0), np.array([1.0])),
    "empty shapes": (np.zeros((0, 2)), np.zeros((2, 0))),
    "dtypes of one size": (np.zeros(2, "f4"), np.zeros(2, "i4")),
    "dtypes of the same bytes": (np.zeros(4, "u1"), np.zeros(1, "u4")),
    "brain floats and half floats": (torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.float16)),
    "units of time": (np.zeros(1, "M8[s]"), np.zeros(1, "M8[ms]")),
    "fields": (np.zeros(1, [("a", "i4")]), np.zeros(1, [("b", "i4")])),
    "one bit": (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0000002])),
    "transposed": (np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2).T),
    "dataclasses": (Point(1, 2), Pixel(1, 2)),
    "an array's own header": ([np.array([1], "u1")], [b"array |u1 [1] \x01"]),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_has_another_key(name):
    one, other = DIFFERENT[name]
    assert key(one) != key(other)


MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
EQUAL = {
    "orders in memory": (MATRIX, np.asfortranarray(MATRIX)),
    "a view with steps": (MATRIX[:, ::2], MATRIX[:, ::2].copy()),
    "a transposed tensor": (torch.from_numpy(MATRIX).T, torch.from_numpy(MATRIX.T.copy())),
    "an array and its tensor": (MATRIX, torch.from_numpy(MATRIX)),
    "a number of no dimension": (np.float32(2), torch.tensor(2.0)),
    "empty ones": (np.zeros((0, 2)), torch.zeros((0, 2), dtype=torch.float64)),
    "with and without a graph": (torch.ones(2, requires_grad=True), torch.ones(2)),
    "brain floats in steps": (torch.ones(4, dtype=torch.bfloat16)[::2], torch.ones(2, dtype=torch.bfloat16)),
    "one brain float in steps": (torch.ones((1, 2), dtype=torch.bfloat16)[:, :1], torch.ones((1, 1)).bfloat16()),
    "conjugates": (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])),
    "mappings in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "kinds of bytes": (b"abc", memoryview(bytearray(b"abc"))),
}


@pytest.mark.parametrize("name", EQUAL)
def test_what_is_equal_has_the_same_key(name):
    one, other = EQUAL[name]
    assert key(one) == key(other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.float16, torch.bool, torch.complex64])
def test_tensors_of_every_dtype_have_keys_by_their_numbers(dtype):
    ones, zeros = torch.ones(3).to(dtype), torch.zeros(3).to(dtype)
    assert key(ones) == key(ones.clone()) != key(zeros)


def test_a_salt_changes_every_key():
    assert key("a", salt="model 1") != key("a", salt="model 2")
    assert key("b", salt="a") != key("", salt="ab")


def test_keys_are_the_same_in_another_process():
    program = """
import numpy as np, torch, zoopt_mo as zo
contents = [[1, "a", None], {"b": 2.5, "a": b"x"}, np.arange(3), torch.ones(2, dtype=torch.bfloat16), np.zeros((2, 0))]
import json; print(json.dumps([zo.payload_key(content) for content in contents]))
"""
    contents = [
        [1, "a", None],
        {"b": 2.5, "a": b"x"},
        np.arange(3),
        torch.ones(2, dtype=torch.bfloat16),
        np.zeros((2, 0)),
    ]
    answers = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        answers.append(json.loads(done.stdout))
    assert answers == [[key(content) for content in contents]] * 2


class Odd:
    """Something that has no key."""


@pytest.mark.parametrize("value", [Odd(), {1, 2}, 1j, lambda: None, Odd, range(3)], ids=lambda value: str(type(value)))
def test_an_object_has_no_key(value):
    with pytest.raises(TypeError, match=r"^`payload` must be made of arrays, tensors, text, bytes and numbers, got "):
        key({"deep": [value]})


def test_arrays_of_objects_and_sparse_tensors_have_no_key():
    with pytest.raises(TypeError, match=r"^`payload` must not hold arrays of Python objects; give a `key`"):
        key(np.array([Odd()]))
    with pytest.raises(TypeError, match=r"^`payload` must hold dense tensors, got torch\.sparse_coo\.$"):
        key(torch.ones(2).to_sparse())
