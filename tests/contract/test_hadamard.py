"""Orthogonal rows: what they promise beyond what every source of directions does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import hadamard as sylvester

import zoopt_mo as zo


def rows(size: int, count: int, *, seed: int = 0, first: int = 0) -> np.ndarray:
    """Directions ``first`` and following as rows ``[count, p]``."""
    drawn = [zo.Combination([(1.0, zo.hadamard(size, seed, first + k))]) for k in range(count)]
    return np.stack([direction.dense(dtype=torch.float64).numpy() for direction in drawn])


@pytest.mark.parametrize("size", [1, 2, 4, 8, 64, 128, 256])
def test_the_rows_of_a_cycle_are_orthogonal_where_p_is_a_power_of_two(size):
    drawn = rows(size, size)
    assert (drawn @ drawn.T == size * np.eye(size)).all()


@pytest.mark.parametrize("size", [16, 128])
def test_a_cycle_holds_every_row_of_the_matrix_once(size):
    """Undo the column signs by the first row, then each row is plus or minus one of scipy's matrix times one row."""
    drawn = rows(size, size, first=size)  # the second cycle
    ratios = drawn * drawn[0]
    matches = np.abs(ratios @ sylvester(size).T) == size
    assert (matches.sum(axis=1) == 1).all()
    assert (matches.sum(axis=0) == 1).all()


@pytest.mark.parametrize(("size", "nearest"), [(3, 4), (100, 128), (520, 512), (1000, 1024), (1448, 1024)])
def test_elsewhere_rows_are_closer_to_orthogonal_than_random_signs(size, nearest):
    drawn = rows(size, nearest)
    products = (drawn @ drawn.T)[~np.eye(nearest, dtype=bool)]
    assert np.mean(products**2) <= abs(size - nearest) < size


@given(st.integers(1, 300), st.integers(0, 2**64 - 1), st.integers(0, 5000))
def test_a_direction_is_made_of_signs(size, seed, number):
    assert (np.abs(rows(size, 1, seed=seed, first=number)) == 1).all()


def test_no_entry_keeps_its_sign_within_a_cycle_or_between_cycles():
    """A constant entry would vanish from an estimate that removes the mean of its probes."""
    drawn = rows(64, 64 * 40)
    within = np.abs(drawn.reshape(40, 64, 64).mean(axis=1)).max(axis=0)
    assert (within < 1).all()
    assert np.abs(drawn.mean(axis=0)).max() < 5 / np.sqrt(len(drawn))


def test_the_order_differs_from_cycle_to_cycle_and_from_seed_to_seed():
    def order(seed: int, cycle: int) -> list[int]:
        drawn = rows(32, 32, seed=seed, first=32 * cycle)
        return np.abs((drawn * drawn[0]) @ sylvester(32).T).argmax(axis=1).tolist()

    orders = [tuple(order(seed, cycle)) for seed in (0, 1) for cycle in (0, 1)]
    assert len(set(orders)) == 4
