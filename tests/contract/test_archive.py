"""Promises of the archive: it holds the front of all it was offered, and a bound holds."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import zoopt_mo as zo

# Few different values, so that ties and equal points are common.
points = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(st.integers(-2, 2).map(float), min_size=n, max_size=n), min_size=1, max_size=15)
)


def filled(rows: Any, **options: Any) -> zo.ParetoArchive:
    """An archive that was offered the rows, each with its number."""
    archive = zo.ParetoArchive(**options)
    archive.update(rows, range(len(rows)))
    return archive


# --- without a bound -------------------------------------------------------------------------------------------------


def test_five_points_by_hand():
    """(3, 3) comes in and leaves when (2, 2) comes; (1, 5) is beaten by (1, 4); the second (2, 2) is held already."""
    archive = zo.ParetoArchive()
    offered = [[1.0, 4.0], [3.0, 3.0], [2.0, 2.0], [1.0, 5.0], [2.0, 2.0]]
    assert [archive.add(point, name) for point, name in zip(offered, "abcde", strict=True)] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert archive.losses.tolist() == [[1.0, 4.0], [2.0, 2.0]]
    assert archive.items == ["a", "c"]
    assert len(archive) == 2


@given(points)
def test_it_holds_the_first_of_every_point_on_the_front(rows):
    archive = filled(rows)
    front = [index for index, best in enumerate(zo.non_dominated(rows)) if best and rows[index] not in rows[:index]]
    assert archive.items == front
    assert archive.losses.tolist() == [rows[index] for index in front]


@given(points, st.randoms(use_true_random=False))
def test_its_losses_do_not_depend_on_the_order(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert sorted(filled(rows).losses.tolist()) == sorted(filled(shuffled).losses.tolist())


@given(points)
def test_update_is_add_one_by_one(rows):
    one, many = zo.ParetoArchive(), zo.ParetoArchive()
    assert [one.add(row, index) for index, row in enumerate(rows)] == many.update(rows, range(len(rows))).tolist()
    assert one.state_dict() == many.state_dict()


def test_items_are_optional_and_held_as_they_are():
    archive, item = zo.ParetoArchive(), object()
    archive.add([1.0, 2.0], item)
    archive.update([[2.0, 1.0]])
    assert archive.items[0] is item
    assert archive.items[1] is None


def test_what_it_gives_out_does_not_change_it():
    archive = filled([[1.0, 2.0]])
    archive.losses[0] = 9.0
    archive.items.append("spoiler")
    assert archive.state_dict() == {"losses": [[1.0, 2.0]], "items": [0]}


def test_what_it_was_given_does_not_change_it():
    row = np.array([1.0, 2.0])
    archive = zo.ParetoArchive()
    archive.add(row)
    row[:] = 9.0
    assert archive.losses.tolist() == [[1.0, 2.0]]


# --- with a bound ----------------------------------------------------------------------------------------------------


def test_the_point_in_the_most_crowded_place_leaves():
    """In a range of 10 x 10, (1, 8) lies between (0, 10) and (5, 5): .5 + .5; (5, 5) has .9 + .8 around it."""
    archive = filled([[0.0, 10.0], [1.0, 8.0], [5.0, 5.0], [10.0, 0.0]], capacity=3)
    assert archive.items == [0, 2, 3]


def test_the_units_of_a_loss_do_not_matter():
    """(1, 5) has .3 + .6 around it and (3, 4) has .9 + .5; with the second loss in hundreds, 3 + 600 and 9 + 500."""
    rows = np.array([[0.0, 10.0], [1.0, 5.0], [3.0, 4.0], [10.0, 0.0]])
    for units in ([1.0, 1.0], [1.0, 100.0]):
        assert filled(rows * units, capacity=3).items == [0, 2, 3]


def test_a_newcomer_in_the_most_crowded_place_does_not_come_in():
    archive = filled([[0.0, 10.0], [5.0, 5.0], [10.0, 0.0]], capacity=3)
    assert archive.add([1.0, 8.0]) is False
    assert archive.items == [0, 1, 2]


def test_among_equally_crowded_points_the_newest_leaves():
    """(1, 2) and (2, 1) both lie between neighbours 2 of 3 away on both axes."""
    archive = filled([[0.0, 3.0], [3.0, 0.0], [1.0, 2.0], [2.0, 1.0]], capacity=3)
    assert archive.items == [0, 1, 2]


def test_a_loss_that_all_points_share_does_not_count():
    """The last loss is 1 for all: it would divide by a range of zero."""
    archive = filled([[0.0, 10.0, 1.0], [1.0, 8.0, 1.0], [5.0, 5.0, 1.0], [10.0, 0.0, 1.0]], capacity=3)
    assert archive.losses[:, 2].tolist() == [1.0, 1.0, 1.0]


@given(points, st.integers(1, 5))
def test_a_bound_holds_and_what_is_held_is_no_worse_than_anything_else_held(rows, capacity):
    archive = zo.ParetoArchive(capacity=capacity)
    for index, row in enumerate(rows):
        held = archive.add(row, index)
        assert held == (index in archive.items)
        assert len(archive) <= capacity
        assert zo.non_dominated(archive.losses).all()
        assert archive.losses.tolist() == [rows[kept] for kept in archive.items]


@given(points.filter(lambda rows: len(rows[0]) == 2), st.integers(2, 5))
def test_the_ends_of_a_front_of_two_losses_stay(rows, capacity):
    bounded, front = filled(rows, capacity=capacity).losses, filled(rows).losses
    assert bounded.min(axis=0).tolist() == front.min(axis=0).tolist()


def test_a_bounded_archive_spreads_over_the_front():
    """Of 500 random points on a quarter circle, 11 held: no gap is wider than three times the even one of 9 degrees."""
    angles = np.sort(np.random.default_rng(0).uniform(0, np.pi / 2, size=500))
    order = np.random.default_rng(1).permutation(500)
    archive = filled((1 - np.c_[np.cos(angles), np.sin(angles)])[order], capacity=11)
    held = np.sort(angles[order][archive.items])
    assert np.degrees(np.diff(held)).max() < 27


# --- saved, restored, emptied ----------------------------------------------------------------------------------------


@given(points, st.one_of(st.none(), st.integers(1, 4)), st.integers(0, 15))
def test_a_restored_archive_goes_on_as_the_saved_one(rows, capacity, cut):
    whole = filled(rows, capacity=capacity)
    first, second = filled(rows[:cut] or np.zeros((0, 1)), capacity=capacity), zo.ParetoArchive(capacity=capacity)
    second.load_state_dict(first.state_dict())
    second.update(rows[cut:] or np.zeros((0, len(rows[0]))), range(cut, max(cut, len(rows))))
    assert second.state_dict() == whole.state_dict()


def test_the_state_goes_through_torch_save():
    archive, buffer = zo.ParetoArchive(), io.BytesIO()
    archive.add([1.0, 2.0], torch.ones(3))
    torch.save(archive.state_dict(), buffer)
    buffer.seek(0)
    restored = zo.ParetoArchive()
    restored.load_state_dict(torch.load(buffer))
    assert restored.losses.tolist() == [[1.0, 2.0]]
    assert restored.items[0].tolist() == [1.0, 1.0, 1.0]


def test_reset_forgets_all_and_takes_another_number_of_losses():
    archive = filled([[1.0, 2.0]])
    archive.reset()
    assert (len(archive), archive.items, archive.losses.shape) == (0, [], (0, 0))
    assert archive.add([1.0, 2.0, 3.0])


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "error", "words"),
    [
        (0, ValueError, r"^`capacity` must be at least 1, got 0\.$"),
        (2.0, TypeError, r"^`capacity` must be a whole number, got 2\.0\.$"),
    ],
)
def test_a_capacity_is_a_positive_whole_number(capacity, error, words):
    with pytest.raises(error, match=words):
        zo.ParetoArchive(capacity=capacity)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([1.0], r"^`losses` must hold 2 values, got 1\.$"),
        ([1.0, math.nan], r"^`losses` must be finite, got nan at index 1\.$"),
        ([[1.0, 2.0]], r"^`losses` must be one-dimensional, got shape \[1, 2\]\.$"),
    ],
)
def test_a_bad_point_is_refused(losses, words):
    archive = filled([[1.0, 2.0]])
    with pytest.raises(ValueError, match=words):
        archive.add(losses)


def test_a_point_without_losses_is_refused():
    with pytest.raises(ValueError, match=r"^`losses` must hold at least one value, got none\.$"):
        zo.ParetoArchive().add([])


@pytest.mark.parametrize(
    ("rows", "items", "words"),
    [
        ([[0.0, 1.0]], [1, 2], r"^`items` must hold 1 values, one a point, got 2\.$"),
        ([[0.0, 1.0, 2.0]], None, r"^`points` must have rows of 2 values, got 3\.$"),
        ([[0.0, 1.0], [0.0, math.inf]], None, r"^`points` must be finite, got inf\.$"),
    ],
)
def test_of_bad_points_none_is_added(rows, items, words):
    archive = filled([[1.0, 2.0]])
    with pytest.raises(ValueError, match=words):
        archive.update(rows, items)
    assert archive.losses.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([[1.0, 1.0], [2.0, 2.0]], r"^`state` must hold points that do not dominate or equal each other\.$"),
        ([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0]], r"^`state` must hold at most 2 points, got 3\.$"),
    ],
)
def test_a_state_that_is_no_archive_is_refused(losses, words):
    archive = filled([[1.0, 2.0]], capacity=2)
    with pytest.raises(ValueError, match=words):
        archive.load_state_dict({"losses": losses, "items": list(range(len(losses)))})
    assert archive.losses.tolist() == [[1.0, 2.0]]
