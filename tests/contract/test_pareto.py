"""Dominance against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoopt_mo as zo

# Few different values, so that ties and equal points are common.
points = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(st.integers(-2, 2).map(float), min_size=n, max_size=n), min_size=1, max_size=12)
)


def beats(a: list[float], b: list[float]) -> bool:
    """Definition 1, word for word."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


@given(points)
def test_dominance_is_the_definition(rows):
    assert all(zo.dominates(a, b) == beats(a, b) for a in rows for b in rows)


@given(points)
def test_the_front_is_every_point_that_no_other_dominates(rows):
    assert zo.non_dominated(rows).tolist() == [not any(beats(b, a) for b in rows) for a in rows]


@given(points, st.randoms(use_true_random=False))
def test_the_front_does_not_depend_on_the_order(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    assert zo.non_dominated(np.array(rows)[order]).tolist() == zo.non_dominated(rows)[order].tolist()


@given(points)
def test_every_other_point_is_dominated_by_one_on_the_front(rows):
    mask = zo.non_dominated(rows)
    assert mask.any()
    front = np.array(rows)[mask]
    assert all(kept or any(zo.dominates(best, row) for best in front) for row, kept in zip(rows, mask, strict=True))


def test_no_points_have_no_front():
    assert zo.non_dominated(np.zeros((0, 2))).tolist() == []


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([1.0, 2.0], [1.0], r"^`second` must hold 2 values, got 1\.$"),
        ([[1.0]], [1.0], r"^`first` must be one-dimensional, got shape \[1, 1\]\.$"),
        ([math.nan], [1.0], r"^`first` must be finite, got nan at index 0\.$"),
        ([1.0, 2.0], [1.0, math.inf], r"^`second` must be finite, got inf at index 1\.$"),
    ],
)
def test_dominance_refuses_bad_points(first, second, words):
    with pytest.raises(ValueError, match=words):
        zo.dominates(first, second)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([1.0, 2.0], r"^`points` must have shape \[k, n\], got \[2\]\.$"),
        ([[1.0, math.nan]], r"^`points` must be finite, got nan\.$"),
    ],
)
def test_a_front_refuses_bad_points(rows, words):
    with pytest.raises(ValueError, match=words):
        zo.non_dominated(rows)
