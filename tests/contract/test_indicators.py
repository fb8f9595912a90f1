"""Promises of the indicators: a better set is never worse, and other packages agree."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymoo.indicators.hv import HV
from pymoo.indicators.igd_plus import IGDPlus

import zoopt_mo as zo

INDICATORS = {"igd_plus": zo.igd_plus, "epsilon_indicator": zo.epsilon_indicator}


def sets(width: int, *, least: int = 1):
    row = st.lists(st.integers(-4, 8).map(lambda i: i / 4), min_size=width, max_size=width)
    return st.lists(row, min_size=least, max_size=6)


two_sets = st.integers(2, 3).flatmap(lambda n: st.tuples(sets(n), sets(n)))


@given(two_sets)
def test_hypervolume_is_that_of_pymoo(pair):
    points, ((*reference,), *_) = pair
    theirs = HV(ref_point=np.array(reference)).do(np.array(points))
    assert zo.hypervolume(points, reference) == pytest.approx(theirs, abs=1e-12)


@given(two_sets)
def test_igd_plus_is_that_of_pymoo(pair):
    points, front = pair
    assert zo.igd_plus(points, front) == pytest.approx(IGDPlus(np.array(front)).do(np.array(points)), abs=1e-12)


@given(two_sets)
def test_epsilon_is_the_formula(pair):
    points, front = np.array(pair[0]), np.array(pair[1])
    formula = max(min((point - target).max() for point in points) for target in front)
    assert zo.epsilon_indicator(points, front) == pytest.approx(formula, abs=1e-12)


@given(two_sets)
def test_the_shift_by_epsilon_covers_the_front(pair):
    points, front = np.array(pair[0]), np.array(pair[1])
    shifted = points - zo.epsilon_indicator(points, front) - 1e-12
    assert all((shifted <= target).all(axis=1).any() for target in front)


@given(two_sets)
def test_more_points_are_never_worse(pair):
    points, (target, *_) = pair
    fewer, reference = points[:1], np.full(len(target), 2.5)
    assert zo.hypervolume(points, reference) >= zo.hypervolume(fewer, reference) - 1e-12
    assert zo.igd_plus(points, [target]) <= zo.igd_plus(fewer, [target]) + 1e-12
    assert zo.epsilon_indicator(points, [target]) <= zo.epsilon_indicator(fewer, [target]) + 1e-12


@given(two_sets)
def test_dominated_points_change_nothing(pair):
    points, front = np.array(pair[0]), pair[1]
    best, reference = points[zo.non_dominated(points)], np.full(points.shape[1], 2.5)
    assert zo.hypervolume(points, reference) == pytest.approx(zo.hypervolume(best, reference))
    for indicator in INDICATORS.values():
        assert indicator(points, front) == pytest.approx(indicator(best, front))


def test_no_points_dominate_no_volume():
    assert zo.hypervolume(np.zeros((0, 2)), [1.0, 1.0]) == 0.0


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "reference", "words"),
    [
        ([[1.0, 2.0]], [1.0], r"^`points` must have rows of 1 values, got 2\.$"),
        ([1.0, 2.0], [1.0, 2.0], r"^`points` must have shape \[k, n\], got \[2\]\.$"),
        ([[1.0, math.nan]], [1.0, 2.0], r"^`points` must be finite, got nan\.$"),
        ([[1.0, 2.0]], [1.0, math.inf], r"^`reference` must be finite, got inf at index 1\.$"),
        ([[1.0]], 1.0, r"^`reference` must be one-dimensional, got shape \[\]\.$"),
    ],
)
def test_hypervolume_refuses_what_does_not_fit(points, reference, words):
    with pytest.raises(ValueError, match=words):
        zo.hypervolume(points, reference)


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize(
    ("points", "front", "words"),
    [
        ([[1.0, 2.0]], [[1.0]], r"^`points` must have rows of 1 values, got 2\.$"),
        ([[1.0, 2.0]], [1.0, 2.0], r"^`front` must have shape \[k, n\], got \[2\]\.$"),
        ([[1.0, 2.0]], [[-math.inf, 2.0]], r"^`front` must be finite, got -inf\.$"),
        ([[1.0, 2.0]], np.zeros((0, 2)), r"^`front` must hold at least one point, got none\.$"),
        (np.zeros((0, 2)), [[1.0, 2.0]], r"^`points` must hold at least one point, got none\.$"),
    ],
)
def test_distances_to_a_front_refuse_what_does_not_fit(name, points, front, words):
    with pytest.raises(ValueError, match=words):
        INDICATORS[name](points, front)


def test_without_moocore_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "moocore", None)
    with pytest.raises(ImportError, match=r'^Indicators need moocore: pip install "zoopt-mo\[pareto\]"\.$'):
        zo.hypervolume([[1.0, 2.0]], [3.0, 3.0])
