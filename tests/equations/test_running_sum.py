"""The sum behind the averaging estimators: its recurrence, and that what was given out stays what it was."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import zoopt_mo as zo
from zoopt_mo.estimators import _running_sum
from zoopt_mo.estimators._running_sum import RunningSum

SIZE = 6
numbers = st.floats(-2, 2).map(lambda number: round(number, 2))


@pytest.fixture(autouse=True, params=[0, 1 << 16], ids=["large", "small"])
def _either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sums are held in one vector, or anew each step."""
    with mock.patch.object(_running_sum, "LARGE", request.param):
        yield


def gradient(number: int) -> zo.Combination:
    return zo.Combination([(0.5, zo.rademacher(SIZE, 0, number)), (2.0, zo.gaussian(SIZE, 0, number))])


def read(combination: zo.Combination) -> list[float]:
    return combination.dense(dtype=torch.float64).tolist()


def advance(total: RunningSum, count: int, first: int = 0) -> list[zo.Combination]:
    return [total.advance(0.5, gradient(first + number), 2.0) for number in range(count)]


def by_hand(count: int) -> list[list[float]]:
    vector, values = torch.zeros(SIZE, dtype=torch.float64), []
    for number in range(count):
        vector = 0.5 * vector + 2.0 * gradient(number).dense(dtype=torch.float64)
        values.append(vector.tolist())
    return values


def test_two_steps_by_hand():
    """a = 0.5, b = 2, g = 1 then 3: v = 2, then 0.5 * 2 + 2 * 3 = 7."""
    total = RunningSum()
    ones = zo.Combination([(1.0, zo.DenseDirection(torch.ones(2)))])
    assert read(total.advance(0.5, ones, 2.0)) == [2.0, 2.0]
    assert read(total.advance(0.5, 3 * ones, 2.0)) == [7.0, 7.0]


def test_values_that_are_held_stay_what_they_were():
    values = advance(RunningSum(), 5)
    for value, expected in zip(values, by_hand(5), strict=True):
        assert read(value) == pytest.approx(expected, rel=1e-6)


@given(st.lists(numbers, min_size=3, max_size=3), numbers)
def test_a_value_is_a_vector_in_every_operation(other, factor):
    value = advance(RunningSum(), 3)[-1]
    vector = value.dense(dtype=torch.float64)
    one = zo.Combination([(number, zo.rademacher(SIZE, 1, k)) for k, number in enumerate(other)])
    dense = one.dense(dtype=torch.float64)
    assert value.dot(one) == pytest.approx(float(vector @ dense), rel=1e-5, abs=1e-5)
    assert one.dot(value) == pytest.approx(float(vector @ dense), rel=1e-5, abs=1e-5)
    assert value.dot(dense) == pytest.approx(float(vector @ dense), rel=1e-5, abs=1e-5)
    assert value.norm() == pytest.approx(float(vector.norm()), rel=1e-5)
    assert read(factor * value + one) == pytest.approx((factor * vector + dense).tolist(), rel=1e-6, abs=1e-6)
    again = zo.Combination.from_state(value.state_dict())
    assert read(again) == pytest.approx(vector.tolist(), rel=1e-6)
    part = torch.zeros(2, dtype=torch.float64)
    value.add_to(part, 3.0, start=2)
    assert part.tolist() == pytest.approx((3 * vector[2:4]).tolist(), rel=1e-6)


def test_a_saved_state_goes_on_to_the_same_values():
    total = RunningSum()
    advance(total, 2)
    again = RunningSum(total.fold())
    assert read(advance(again, 1, first=2)[0]) == read(advance(total, 1, first=2)[0])


def test_a_saved_vector_that_is_held_is_not_written_over():
    total = RunningSum()
    advance(total, 2)
    saved = total.fold()
    assert saved is not None
    before = saved.tolist()
    advance(total, 3, first=2)
    assert saved.tolist() == before


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda total: pickle.loads(pickle.dumps(total))])
def test_a_copy_leaves_the_original_alone(duplicate):
    total = RunningSum()
    value = advance(total, 2)[-1]
    other = duplicate(total)
    before = read(value)
    advance(other, 3, first=7)
    assert read(value) == pytest.approx(before, rel=1e-6)
    assert read(advance(total, 1, first=2)[0]) == pytest.approx(by_hand(3)[-1], rel=1e-6)


def test_a_large_sum_that_no_one_holds_stays_in_its_memory():
    if _running_sum.LARGE:
        pytest.skip("small sums take new memory each step")
    total = RunningSum()
    total.advance(0.5, gradient(0), 2.0)
    places = set()
    for number in range(1, 5):
        total.advance(0.5, gradient(number), 2.0)
        vector = total.fold()
        assert vector is not None
        places.add(vector.data_ptr())
        del vector
    assert len(places) == 1


def test_nothing_is_saved_before_the_first_step():
    assert RunningSum().fold() is None
