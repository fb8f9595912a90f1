"""Sums of directions written in pieces, over threads and in every precision, against the obvious dense arithmetic."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import zoopt_mo as zo
from zoopt_mo import parameters, sampling
from zoopt_mo.directions import _signs, _sums, as_numbers

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
coefficients = st.floats(-10, 10, width=32)


def signs_of(direction: zo.SignDirection) -> Tensor:
    """The signs by numpy alone."""
    bits = np.unpackbits(direction.words.view(np.uint8), bitorder="little")[: direction.size]
    return torch.from_numpy(2.0 * bits - 1.0)


def numbers_of(size: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(size), dtype=torch.float64).to(dtype)


@pytest.fixture(params=[1, 2, 3], ids=["one thread", "two threads", "three threads"])
def _in_small_pieces(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pieces of 24 entries, over threads that each take a few."""
    threads = torch.get_num_threads()
    torch.set_num_threads(request.param)
    with mock.patch.object(_sums, "PIECE", 24), mock.patch.object(_sums, "LEAST_A_THREAD", 50):
        yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_in_small_pieces")
@pytest.mark.parametrize("small", [0, 1 << 10], ids=["decoded", "unpacked"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(st.integers(1, 700), coefficients)
def test_one_direction_is_added_as_torch_adds_its_signs(dtype, small, size, factor):
    """A coefficient times a sign is exact, so there is one rounding: bit for bit the same."""
    direction, base = zo.rademacher(size, 0, size), numbers_of(size, dtype)
    exact = torch.float64 if dtype == torch.float64 else torch.float32
    expected = (base.to(exact) + torch.tensor(factor, dtype=exact) * signs_of(direction).to(exact)).to(dtype)
    with mock.patch.object(_signs, "_SMALL", small):
        zo.Combination([(factor, direction)]).add_to(base)
    assert torch.equal(base, expected)


@pytest.mark.usefixtures("_in_small_pieces")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(st.integers(1, 700), st.lists(coefficients, min_size=1, max_size=6), st.data())
def test_a_sum_of_any_directions_is_that_of_dense_vectors(dtype, size, factors, data):
    start = data.draw(st.integers(0, size - 1))
    makers = [zo.rademacher, zo.gaussian, zo.hadamard]
    terms = [(factor, makers[number % 3](size, 0, number)) for number, factor in enumerate(factors)]
    dense = [factor * zo.Combination([(1.0, d)]).dense(dtype=torch.float64) for factor, d in terms]
    base = numbers_of(size - start, dtype)
    total = torch.stack(dense).sum(dim=0)[start:]
    expected = base.double() + total
    scale = float(torch.stack(dense).abs().sum(dim=0).max()) + float(base.abs().max())
    rounding = torch.finfo(dtype).eps * scale + 4 * len(terms) * torch.finfo(torch.float32).eps * scale
    zo.Combination(terms).add_to(base, start=start)
    torch.testing.assert_close(base.double(), expected, rtol=0, atol=rounding)


@given(st.integers(1, 2000), st.integers(1, 5))
def test_threads_do_not_change_a_bit(size, count):
    terms = [(0.1 * (number + 1), zo.rademacher(size, 1, number)) for number in range(count)]
    vector = numbers_of(size, torch.float32)
    found = []
    threads = torch.get_num_threads()
    with mock.patch.object(_sums, "PIECE", 64), mock.patch.object(_sums, "LEAST_A_THREAD", 100):
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            base = vector.clone()
            zo.Combination(terms).add_to(base)
            found.append((base.tolist(), terms[0][1].dot(vector)))
    torch.set_num_threads(threads)
    assert found[0] == found[1] == found[2]


def test_half_precision_is_summed_in_single_and_rounded_once():
    """Ten times 0.0004 is lost one by one beside 1 in float16, whose step there is 0.00098."""
    ones = zo.SignDirection(np.full(1, 2**64 - 1, dtype=np.uint64), 3)
    vector = torch.ones(3, dtype=torch.float16)
    zo.Combination([(4e-4, ones)] * 10).add_to(vector)
    assert vector.tolist() == [float(torch.tensor(1.004).half())] * 3


def test_a_known_norm_is_not_computed_anew():
    direction = zo.rademacher(9, 0, 0)
    known = zo.Combination([(2.0, direction)], norm=5.0)
    assert ((-3 * known).norm(), (known + known).norm()) == (15.0, 12.0)


@pytest.mark.parametrize("size", [64, 5000])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda direction: pickle.loads(pickle.dumps(direction))])
def test_what_is_kept_for_speed_does_not_travel(size, duplicate):
    direction = zo.rademacher(size, 0, 0)
    direction.dot(zo.rademacher(size, 0, 1))
    zo.Combination([(1.0, direction)]).dense()
    other = duplicate(direction)
    assert other._small is None
    assert other._on_device is None
    assert other.dot(direction) == size


# --- probes ----------------------------------------------------------------------------------------------------------


def test_large_parameters_are_copied_into_the_same_memory_for_as_long_as_they_live():
    theta = torch.zeros(1 << 17)
    flat = zo.Parameters(theta)
    step = zo.Combination([(1.0, zo.rademacher(flat.size, 0, 0))])
    places = set()
    for _ in range(3):
        with flat.probing() as move:
            move(step)
        places.add(parameters._COPIES[theta].ctypes.data)
    assert len(places) == 1
    assert not theta.any()
    before = len(parameters._COPIES)
    del theta, flat, move
    gc.collect()
    assert len(parameters._COPIES) == before - 1


def test_probes_within_probes_have_copies_of_their_own():
    theta = torch.zeros(1 << 17)
    one, other = (zo.Combination([(float(k), zo.rademacher(len(theta), 0, k))]) for k in (1, 2))
    with zo.Parameters(theta).probing() as outer:
        outer(one)
        with zo.Parameters(theta).probing() as inner:
            inner(other)
        assert torch.equal(theta, one.dense())
    assert not theta.any()


def test_in_a_block_of_autocast_each_probe_sees_its_own_parameters():
    layer = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    ones = zo.Combination([(1.0, zo.SignDirection(np.full(1, 2**64 - 1, dtype=np.uint64), 4))])
    seen = []
    with torch.autocast("cpu", dtype=torch.bfloat16), zo.Parameters(layer).probing() as move:
        for scale in (0.0, 1.0, -1.0):
            move(scale * ones)
            seen.append(layer(torch.ones(1, 4)).item())
    assert seen == [4.0, 8.0, 0.0]


def test_as_numbers_is_the_tensors_own_memory():
    for tensor in (torch.zeros(2, 3), torch.zeros(6, dtype=torch.bfloat16), torch.zeros(3, requires_grad=True)):
        as_numbers(tensor)[:] = 2.0
        assert tensor.detach().float().eq(2.0).all()


@pytest.mark.parametrize("make", [zo.rademacher, zo.hadamard])
def test_directions_drawn_over_threads_are_those_of_one(make):
    size, threads = 64 * 1000 + 5, torch.get_num_threads()
    words = []
    with mock.patch.object(_sums, "PIECE", 64), mock.patch.object(_sums, "LEAST_A_THREAD", 100):
        for number in (1, 4):
            torch.set_num_threads(number)
            sampling._cycle.cache_clear()
            words.append(make(size, 5, 3).words)
    torch.set_num_threads(threads)
    assert np.array_equal(*words)
    assert np.array_equal(words[0], make(size, 5, 3).words)


@given(st.integers(0, 2**12 - 1), st.integers(1, 70))
def test_a_row_of_the_hadamard_matrix_is_what_its_definition_says(row, num_words):
    drawn = sampling._row_words(row, num_words).view(np.uint8)
    bits = np.unpackbits(drawn, bitorder="little")
    columns = np.arange(64 * num_words)
    assert np.array_equal(bits, np.bitwise_count(columns & row) % 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_starts_threads_of_its_own():
    script = """
import os, torch, zoopt_mo as zo
torch.set_num_threads(2)
direction, vector = zo.rademacher(1 << 20, 0, 0), torch.zeros(1 << 20)
zo.Combination([(1.0, direction)]).add_to(vector)
child = os.fork()
if child == 0:
    zo.Combination([(1.0, direction)]).add_to(vector)
    os._exit(0 if abs(vector.numpy()).min() == 2.0 else 1)  # torch's own threads do not outlive a fork
print(os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda direction: pickle.loads(pickle.dumps(direction))])
def test_a_large_direction_is_drawn_when_it_is_needed(duplicate):
    with mock.patch.object(sampling, "_LARGE", 1000):
        lazy = zo.rademacher(1001, 3, 4)
    eager = zo.rademacher(1001, 3, 4)
    assert lazy.num_bytes == eager.num_bytes
    assert vars(lazy)["_drawn"] is None
    assert lazy.dot(eager) == 1001
    copied = duplicate(lazy)
    assert np.array_equal(copied.words, eager.words)
    assert (
        zo.Combination([(2.0, lazy)]).state_dict()["directions"][0]["signs"].tolist()
        == eager.words.view(np.uint8).tolist()
    )
    assert lazy.packed_on(torch.device("cpu")).numel() == 8 * len(eager.words)


@pytest.mark.parametrize(("seed", "number", "words"), [(-1, 0, "seed"), (2**64, 0, "seed"), (0, -1, "number")])
def test_a_large_direction_checks_its_arguments_at_once(seed, number, words):
    with pytest.raises(ValueError, match=f"^`{words}` must be"):
        zo.rademacher(1 << 20, seed, number)
