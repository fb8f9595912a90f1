"""Packed signs are compared with dense vectors of +1 and -1."""

from __future__ import annotations

import math
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoopt_mo as zo
from zoopt_mo.directions import _sums, direction_from_state

around_words = st.sampled_from([1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 191, 192, 193, 1000])
sizes = st.one_of(st.integers(1, 300), around_words)
seeds = st.integers(0, 2**64 - 1)
coefficients = st.floats(-10, 10).map(lambda number: round(number, 3))
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def signs_of(direction: zo.SignDirection) -> np.ndarray:
    """The entries by numpy alone: bit j of byte i is entry 8 i + j, set for +1."""
    bits = np.unpackbits(direction.words.view(np.uint8), bitorder="little")[: direction.size]
    return np.where(bits == 1, 1.0, -1.0)


def entries(direction: zo.Direction) -> np.ndarray:
    return zo.Combination([(1.0, direction)]).dense(dtype=torch.float64).numpy()


@st.composite
def slices(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(sizes)
    start = draw(st.integers(0, size))
    return size, start, draw(st.integers(0, size - start))


@given(slices(), seeds, st.sampled_from(DTYPES), st.sampled_from([1.0, -0.5, 3.0]), st.sampled_from([8, 24, 1 << 17]))
def test_add_to_equals_dense_addition_on_any_slice(piece, seed, dtype, scale, chunk):
    size, start, length = piece
    direction = zo.rademacher(size, seed, 0)
    target = torch.arange(length, dtype=torch.float64).remainder(16).to(dtype)
    expected = target.double() + scale * torch.from_numpy(signs_of(direction)[start : start + length])
    with mock.patch.object(_sums, "PIECE", chunk):
        direction.add_to(target, scale, start=start)
    assert target.dtype == dtype
    assert torch.equal(target.double(), expected)  # small halves: exact in every one of the types


@given(slices(), seeds, st.sampled_from(DTYPES))
def test_a_dense_direction_adds_the_same_as_the_signs_it_holds(piece, seed, dtype):
    size, start, length = piece
    signs = zo.rademacher(size, seed, 0)
    one, other = torch.zeros(length, dtype=dtype), torch.zeros(length, dtype=dtype)
    signs.add_to(one, 0.5, start=start)
    zo.DenseDirection(torch.from_numpy(signs_of(signs))).add_to(other, 0.5, start=start)
    assert torch.equal(one, other)


@pytest.mark.parametrize("size", [_sums.PIECE - 1, _sums.PIECE, _sums.PIECE + 1])
def test_chunks_join_without_a_seam(size):
    direction = zo.rademacher(size, 0, 0)
    assert np.array_equal(entries(direction), signs_of(direction))
    weights = torch.arange(size, dtype=torch.float64)
    assert direction.dot(weights) == float(signs_of(direction) @ weights.numpy())


@pytest.mark.parametrize("kind", ["signs", "dense"])
@pytest.mark.parametrize(("start", "length"), [(0, 6), (3, 3), (5, 1), (6, 1), (-1, 2)])
def test_a_slice_beyond_the_direction_is_refused(kind, start, length):
    direction = zo.rademacher(5, 0, 0) if kind == "signs" else zo.DenseDirection(torch.ones(5))
    target = torch.zeros(length)
    words = rf"^`vector` must lie within the 5 entries, got entries {start} to {start + length}\.$"
    with pytest.raises(ValueError, match=words):
        direction.add_to(target, 1.0, start=start)
    assert target.tolist() == [0.0] * length


@given(sizes, seeds, seeds)
def test_the_product_of_two_packed_directions_is_an_exact_whole_number(size, one, other):
    a, b = zo.rademacher(size, one, 0), zo.rademacher(size, other, 1)
    assert a.dot(b) == float(signs_of(a) @ signs_of(b)) == b.dot(a)
    assert a.dot(a) == size


@given(sizes, seeds, st.sampled_from([torch.float32, torch.float64]))
def test_the_product_with_a_vector_equals_the_dense_product(size, seed, dtype):
    direction = zo.rademacher(size, seed, 0)
    vector = torch.linspace(-1, 2, size, dtype=dtype)
    expected = float(signs_of(direction) @ vector.double().numpy())
    assert direction.dot(vector) == pytest.approx(expected, rel=1e-5, abs=1e-4)
    dense = zo.DenseDirection(vector)
    assert direction.dot(dense) == dense.dot(direction) == direction.dot(vector)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_product_of_half_precision_vectors_neither_overflows_nor_loses_digits(dtype):
    vector = torch.full((1000,), 257.0).to(dtype)  # the sum of squares, 6.6e7, is beyond float16
    exact = 1000 * float(vector[0]) ** 2
    dense = zo.DenseDirection(vector)
    assert dense.dot(dense) == pytest.approx(exact, rel=1e-6)
    assert dense.dot(vector) == pytest.approx(exact, rel=1e-6)
    assert zo.Combination([(1.0, dense)]).norm() == pytest.approx(math.sqrt(exact), rel=1e-6)
    ones = zo.SignDirection(np.full(16, 2**64 - 1, dtype=np.uint64), 1000)
    assert ones.dot(vector) == pytest.approx(1000 * float(vector[0]), rel=1e-6)


@given(sizes, seeds)
def test_bits_past_the_end_are_cleared(size, seed):
    full = np.full(-(-size // 64), 2**64 - 1, dtype=np.uint64)
    assert int(np.bitwise_count(zo.SignDirection(full, size).words).sum()) == size
    assert zo.rademacher(size, seed, 0).words.shape == full.shape
    assert full.min() == 2**64 - 1  # the given words are not changed


def test_a_set_bit_is_plus_one_and_the_lowest_bit_comes_first():
    direction = zo.SignDirection(np.array([0b0110_0001], dtype=np.uint64), 8)
    assert entries(direction).tolist() == [1, -1, -1, -1, -1, 1, 1, -1]


@given(sizes, seeds)
def test_one_over_a_sign_is_the_sign(size, seed):
    direction = zo.rademacher(size, seed, 0)
    assert np.array_equal(entries(direction.reciprocal()), 1 / signs_of(direction))


def test_one_over_a_dense_direction_is_taken_entry_by_entry():
    direction = zo.DenseDirection(torch.tensor([0.5, -1.0, 4.0]))
    assert entries(direction.reciprocal()).tolist() == [2.0, -1.0, 0.25]
    assert entries(direction).tolist() == [0.5, -1.0, 4.0]


def test_a_zero_entry_has_no_reciprocal():
    with pytest.raises(ValueError, match=r"^`vector` must have no zero entry to be divided by, as equation 2 does\.$"):
        zo.DenseDirection(torch.tensor([1.0, 0.0])).reciprocal()


@given(sizes)
def test_signs_take_one_bit_an_entry(size):
    num_bytes = zo.rademacher(size, 0, 0).num_bytes
    assert size / 8 <= num_bytes < size / 8 + 8


@given(sizes, seeds, st.booleans())
def test_a_direction_is_the_same_after_its_state(size, seed, packed):
    direction = zo.rademacher(size, seed, 3) if packed else zo.segmented_uniform(size, seed, 3)
    again = direction_from_state(direction.state_dict())
    assert type(again) is type(direction)
    assert np.array_equal(entries(again), entries(direction))


@pytest.mark.parametrize(
    ("words", "size", "message"),
    [
        (np.zeros(1, dtype=np.int64), 3, r"^`words` must be uint64 of shape \[1\] for size 3, got int64 \[1\]\.$"),
        (np.zeros(2, dtype=np.uint64), 64, r"^`words` must be uint64 of shape \[1\] for size 64, got uint64 \[2\]\.$"),
        (np.zeros(0, dtype=np.uint64), 0, r"^`size` must be at least 1, got 0\.$"),
    ],
)
def test_words_that_do_not_fit_are_refused(words, size, message):
    with pytest.raises(ValueError, match=message):
        zo.SignDirection(words, size)


@pytest.mark.parametrize("vector", [torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64)])
def test_a_dense_direction_is_one_row_of_floating_point_numbers(vector):
    with pytest.raises(ValueError, match=r"^`vector` must be one-dimensional and floating point, got torch\.\w+ \["):
        zo.DenseDirection(vector)


@pytest.mark.parametrize("make", [zo.rademacher, zo.hadamard, zo.segmented_uniform, zo.gaussian, zo.sphere])
def test_a_product_needs_equal_sizes(make):
    with pytest.raises(ValueError, match=r"^`other` must have 5 entries, got 6\.$"):
        make(5, 0, 0).dot(make(6, 0, 0))
    with pytest.raises(ValueError, match=r"^`other` must have 5 entries, got 4\.$"):
        make(5, 0, 0).dot(torch.zeros(4))


class Ramp(zo.Direction):
    """A direction of a kind that the library does not know: 0, 1, 2, ..."""

    def add_to(self, vector, scale, *, start=0):
        vector += scale * torch.arange(start, start + len(vector))

    def dot(self, other):
        return float(entries(other) @ np.arange(self.size))

    def reciprocal(self):
        raise NotImplementedError

    def state_dict(self):
        return {}


@pytest.mark.parametrize("make", [zo.rademacher, zo.hadamard, zo.segmented_uniform, zo.gaussian, zo.sphere])
def test_a_direction_of_another_kind_takes_part_by_its_own_dot(make):
    direction = make(9, 0, 0)
    assert direction.dot(Ramp(9)) == pytest.approx(float(entries(direction) @ np.arange(9)))


# --- combinations ----------------------------------------------------------------------------------------------------


@st.composite
def combinations(draw: st.DrawFn, size: int) -> zo.Combination:
    terms = []
    for index in range(draw(st.integers(1, 4))):
        make = draw(st.sampled_from([zo.rademacher, zo.hadamard, zo.segmented_uniform, zo.gaussian, zo.sphere]))
        terms.append((draw(coefficients), make(size, draw(st.integers(0, 9)), index)))
    return zo.Combination(terms)


@given(st.data(), st.integers(1, 200))
def test_combinations_are_vectors(data, size):
    one, other = data.draw(combinations(size)), data.draw(combinations(size))
    a, b = one.dense(dtype=torch.float64), other.dense(dtype=torch.float64)
    factor = data.draw(coefficients)
    torch.testing.assert_close((one + other).dense(dtype=torch.float64), a + b, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close((factor * one).dense(dtype=torch.float64), factor * a, rtol=1e-12, atol=1e-12)
    tolerance = 1e-6 * (1 + float(a.norm() * b.norm()) + float(a.norm()) ** 2)  # dense directions are float32
    assert one.dot(other) == pytest.approx(float(a @ b), abs=tolerance)
    assert one.dot(other) == other.dot(one)
    assert one.dot(b) == pytest.approx(float(a @ b), abs=tolerance)
    assert one.norm() ** 2 == pytest.approx(float(a @ a), abs=10 * tolerance)


@given(st.data(), st.integers(1, 200))
def test_a_combination_is_the_same_after_its_state(data, size):
    combination = data.draw(combinations(size))
    again = zo.Combination.from_state(combination.state_dict())
    assert torch.equal(again.dense(dtype=torch.float64), combination.dense(dtype=torch.float64))
    assert again.dot(combination) == combination.dot(combination)


def test_a_difference_of_equals_has_no_length():
    direction = zo.segmented_uniform(100, 0, 0)
    difference = zo.Combination([(0.1, direction), (-0.1, direction)])
    assert difference.norm() == 0.0


def test_a_combination_needs_a_term():
    with pytest.raises(ValueError, match=r"^`terms` must hold at least one pair of coefficient and direction, got"):
        zo.Combination([])


def test_a_combination_holds_one_size():
    one, other = (zo.Combination([(1.0, zo.rademacher(size, 0, 0))]) for size in (5, 6))
    with pytest.raises(ValueError, match=r"^`terms` must hold directions of one size, got sizes \[5, 6\]\.$"):
        one + other


# --- where directions come from --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [zo.rademacher, zo.hadamard, zo.segmented_uniform, zo.gaussian, zo.sphere])
def test_seed_and_number_each_change_the_direction(make):
    base = entries(make(200, 1, 1))
    for other in (make(200, 2, 1), make(200, 1, 2)):
        assert not np.array_equal(entries(other), base)
    assert np.array_equal(entries(make(200, 1, 1)), base)


@pytest.mark.parametrize("make", [zo.rademacher, zo.segmented_uniform, zo.gaussian])
def test_a_longer_direction_begins_like_the_shorter_one(make):
    assert np.array_equal(entries(make(1000, 3, 2))[:77], entries(make(77, 3, 2)))


@given(st.integers(2**63 - 2, 2**64 - 2))
@settings(max_examples=20)
def test_neighbouring_large_seeds_differ(seed):
    assert not np.array_equal(zo.rademacher(64, seed, 0).words, zo.rademacher(64, seed + 1, 0).words)


@pytest.mark.parametrize("make", [zo.rademacher, zo.hadamard, zo.segmented_uniform, zo.gaussian, zo.sphere])
@pytest.mark.parametrize(
    ("seed", "words"), [(2**64, r"below 2\^64, got 18446744073709551616"), (-1, "at least 0, got")]
)
def test_a_seed_that_the_generator_cannot_hold_is_refused(make, seed, words):
    with pytest.raises(ValueError, match=rf"^`seed` must be {words}"):
        make(3, seed, 0)


def test_signs_are_fair_and_uncorrelated():
    size = 20_000
    drawn = np.stack([signs_of(zo.rademacher(size, seed, number)) for seed in (0, 1) for number in range(6)])
    gram = drawn @ drawn.T / size
    # Each mean and each correlation is a sum of 20,000 independent signs: standard error 1 / sqrt(20,000).
    assert np.abs(drawn.mean(axis=1)).max() < 5 / math.sqrt(size)
    assert np.abs(gram - np.eye(len(drawn))).max() < 5 / math.sqrt(size)
    assert np.abs((drawn[:, 1:] * drawn[:, :-1]).mean(axis=1)).max() < 5 / math.sqrt(size)


def test_segmented_uniform_fills_both_segments_evenly():
    drawn = entries(zo.segmented_uniform(20_000, 0, 0))
    assert (np.abs(drawn) >= 0.5).all()
    assert (np.abs(drawn) <= 1.0).all()
    assert abs((drawn > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(20_000)
    spread = np.sqrt(1 / 12) / 2  # standard deviation of a uniform number on [0.5, 1]
    assert abs(np.abs(drawn).mean() - 0.75) < 5 * spread / math.sqrt(20_000)


GOLDEN = {
    (0, 0): "9bd8e40864baf402b2c5a89c0b2bd63d",
    (7, 3): "09bf93855c942b45dac15d12928c41e0",
    (2**64 - 1, 3): "8f83d8df488de71dd0bc9f24a55d506f",
}


@pytest.mark.parametrize(("seed", "number"), GOLDEN)
def test_the_first_bits_are_the_same_everywhere_and_for_ever(seed, number):
    assert zo.rademacher(128, seed, number).words.tobytes().hex() == GOLDEN[seed, number]


def test_a_fresh_process_draws_the_same_bits():
    script = "import zoopt_mo as zo; print(zo.rademacher(128, 7, 3).words.tobytes().hex())"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == GOLDEN[7, 3]
