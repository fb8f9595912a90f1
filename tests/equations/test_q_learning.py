"""Q-learning's update worked by hand: Watkins and Dayan (1992), equation 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zoopt_mo as zo
from zoopt_mo.search._q_learning import MOVES

AGAIN, GROW, BACK, TURN, SHRINK = range(5)


def begun(**options: Any) -> zo.QLearning:
    """A learner that never explores, has seen the loss 10 at x0 = 0, and has the table of zeros."""
    method = zo.QLearning(step=1.0, num_levels=3, **{"lr": 0.5, "discount": 0.5, "epsilon": 0.0, **options})
    method.start([0.0, 0.0])
    assert method.ask().tolist() == [[0.0, 0.0]]
    method.tell([10.0])
    return method


def prefer(method: zo.QLearning, values: dict[tuple[int, int, int], float]) -> None:
    for place, value in values.items():
        method._table[place] = value


def moves_of(method: zo.QLearning, count: int) -> list[int]:
    """The moves taken while `again` is always the best."""
    moves = []
    for _ in range(count):
        method._table[:, :, AGAIN] = 1e9
        method.ask()
        moves.append(method._move)
        method.tell([10.0])
    return moves


def test_one_update_by_hand():
    """At (worse, level 0) `shrink` is worth 2, the best; the loss falls from 10 to 7, so r = 3 and the next state is
    (better, level 1), whose best move is worth 4: Q = 2 + 0.5 (3 + 0.5 * 4 - 2) = 3.5."""
    method = begun()
    prefer(method, {(0, 0, SHRINK): 2.0, (1, 1, GROW): 4.0, (1, 1, TURN): -1.0})
    method.ask()
    method.tell([7.0])
    assert method.table[0, 0, SHRINK] == 3.5
    untouched = method.table
    untouched[0, 0, SHRINK] = 2.0
    assert untouched.sum() == 2.0 + 4.0 - 1.0


def test_a_worse_loss_leads_to_the_other_state_and_a_negative_reward():
    """From (worse, level 0) `back` is worth 6; the loss rises from 10 to 14, so r = -4 and the state stays:
    Q = 6 + 0.5 (-4 + 0.5 * 6 - 6) = 2.5. Then `again`, worth 8, brings the loss to 12: r = 2 and the next state,
    (better, level 0), is worth nothing yet: Q = 8 + 0.5 (2 + 0 - 8) = 5."""
    method = begun()
    prefer(method, {(0, 0, BACK): 6.0})
    method.ask()
    method.tell([14.0])
    assert method.table[0, 0, BACK] == 2.5
    prefer(method, {(0, 0, AGAIN): 8.0})
    method.ask()
    method.tell([12.0])
    assert method.table[0, 0, AGAIN] == 5.0


def test_the_largest_value_is_chosen_and_moves_do_what_they_say():
    method = begun()
    direction = method._direction.copy()
    point = np.zeros(2)
    expected = [(AGAIN, direction), (BACK, -direction), (GROW, -direction)]
    for move, displacement in expected:
        method._table[:] = 0.0
        method._table[:, :, move] = 1.0
        asked = method.ask()[0]
        assert asked == pytest.approx(point + displacement)
        method.tell([10.0])
        point = asked
    method._table[:, :, :] = 0.0
    method._table[:, :, SHRINK] = 1.0
    asked = method.ask()[0]
    assert np.abs(asked - point).max() <= 0.5
    method.tell([10.0])
    halved = method._direction.copy()
    assert method._level == 1
    method._table[:, :, AGAIN] = 2.0
    assert method.ask()[0] == pytest.approx(asked + 0.5 * halved)


def test_levels_end_at_the_longest_and_the_shortest():
    method = begun()
    levels = []
    for move in (GROW, SHRINK, SHRINK, SHRINK, GROW, GROW, GROW):
        method._table[:] = 0.0
        method._table[:, :, move] = 1.0
        method.ask()
        method.tell([10.0])
        levels.append(method._level)
    assert levels == [0, 1, 2, 2, 1, 0, 0]


def test_exploration_takes_every_move_equally_often_and_dies_out():
    """With epsilon 1 and no decay: 1000 moves, 200 of each, give or take 4 standard deviations of 12.6."""
    counts = np.bincount(moves_of(begun(epsilon=1.0, epsilon_decay=1.0), 1000), minlength=len(MOVES))
    assert np.abs(counts - 200).max() <= 4 * np.sqrt(1000 * 0.2 * 0.8)
    fading = moves_of(begun(epsilon=1.0, epsilon_decay=0.9), 300)
    assert set(fading[:20]) != {AGAIN}
    assert set(fading[200:]) == {AGAIN}


def test_equal_values_are_tried_in_random_order():
    first = set()
    for seed in range(40):
        method = zo.QLearning(step=1.0, epsilon=0.0, seed=seed)
        method.start([0.0])
        method.ask()
        method.tell([1.0])
        method.ask()
        first.add(method._move)
    assert first == set(range(5))
