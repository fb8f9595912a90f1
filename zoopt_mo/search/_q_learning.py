"""Tabular Q-learning over a few moves of one direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoopt_mo._checks import check_between, check_count, check_positive
from zoopt_mo.search._agent import Agent
from zoopt_mo.search._base import Vector, as_array, as_tensor, generator

MOVES = ("again", "grow", "back", "turn", "shrink")
"""Columns of the table: same direction, same at twice the length, opposite, new direction, new at half the length."""


class QLearning(Agent):
    r"""Learn which move pays after which outcome, by a table of expected returns.

    .. math:: Q(s, a) \leftarrow Q(s, a) + \alpha \left(r + \gamma \max_{a'} Q(s', a') - Q(s, a)\right)

    The state is whether the last move improved the loss, and the length level of that move: ``2 * num_levels`` states.
    The moves are ``again``, ``grow`` (again at twice the length), ``back`` (the opposite, which undoes a move),
    ``turn`` (a new random direction) and ``shrink`` (a new one at half the length): the table does not grow with ``p``.
    The move of largest :math:`Q` is taken, or with probability :math:`\epsilon d^t` any move. Costs one query a step,
    the first for the start. The moves that fail are walked as well: ``best`` holds the best point, not the last.

    The defaults are this library's own; the paper does not give its settings.

    Args:
        step: Largest move of an entry of x, positive, in the units of x.
        num_levels: Lengths of a move: ``step`` times 1, 1/2, 1/4 and so on.
        lr: Learning rate :math:`\alpha` in (0, 1].
        discount: Discount :math:`\gamma` in [0, 1).
        epsilon: Share of moves at random in the first step, in [0, 1].
        epsilon_decay: Factor :math:`d` of that share from step to step, in (0, 1].
        seed: Seed of directions and random moves.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from zoopt_mo import QLearning
        >>> method = QLearning(step=0.5, seed=0)
        >>> method.start([1.0, 1.0])
        >>> for _ in range(400):
        ...     method.tell([float((x**2).sum()) for x in method.ask()])
        >>> x, loss = method.best
        >>> loss < 0.01
        True

    Reference:
        Watkins and Dayan (1992), Machine Learning 8, table 6 of Hui et al. (2026); the moves are this library's.
    """

    def __init__(
        self,
        *,
        step: float,
        num_levels: int = 8,
        lr: float = 0.3,
        discount: float = 0.8,
        epsilon: float = 0.3,
        epsilon_decay: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__(scale=check_positive("step", step), seed=seed)
        self.num_levels = check_count("num_levels", num_levels)
        self.lr = check_between("lr", lr, 0.0, 1.0, interval="(0, 1]")
        self.discount = check_between("discount", discount, 0.0, 1.0, interval="[0, 1)")
        self.epsilon = check_between("epsilon", epsilon, 0.0, 1.0, interval="[0, 1]")
        self.epsilon_decay = check_between("epsilon_decay", epsilon_decay, 0.0, 1.0, interval="(0, 1]")
        self._table = np.zeros((2, self.num_levels, len(MOVES)))

    @property
    def table(self) -> Vector:
        """Expected returns learned so far, by outcome (worse, better), level and move, ``[2, num_levels, 5]``."""
        return self._table.copy()

    def _begin(self, _loss: float) -> None:
        self._table = np.zeros_like(self._table)
        self._level = 0
        self._direction = generator(self.seed, self._step).uniform(-1.0, 1.0, self.env.x0.size)

    def _act(self, observation: Vector) -> Vector:
        numbers = generator(self.seed, self._step)
        explores = numbers.random() < self.epsilon * self.epsilon_decay**self._step
        # Equal values are ordered at random: `argmax` alone would prefer the first move for ever.
        order = numbers.permutation(len(MOVES))
        values = self._table[self._state_at(observation, self._level)]
        self._move = int(order[0] if explores else order[values[order].argmax()])
        self._next_direction, self._next_level = self._moved(MOVES[self._move], numbers)
        return np.asarray(0.5**self._next_level * self._next_direction)

    def _moved(self, move: str, numbers: np.random.Generator) -> tuple[Vector, int]:
        """Direction and level after a move."""
        if move in ("turn", "shrink"):
            direction = numbers.uniform(-1.0, 1.0, self._direction.size)
        else:
            direction = -self._direction if move == "back" else self._direction
        level = self._level + {"grow": -1, "shrink": 1}.get(move, 0)
        return direction, min(max(level, 0), self.num_levels - 1)

    def _learn(self, before: Vector, reward: float, after: Vector, _loss: float) -> None:
        here = (*self._state_at(before, self._level), self._move)
        there = self._state_at(after, self._next_level)
        target = reward + self.discount * self._table[there].max()
        self._table[here] += self.lr * (target - self._table[here])
        self._direction, self._level = self._next_direction, self._next_level

    @staticmethod
    def _state_at(observation: Vector, level: int) -> tuple[int, int]:
        return int(observation[0] > 0), level

    def _memory(self) -> dict[str, Any]:
        return {"table": as_tensor(self._table), "direction": as_tensor(self._direction), "level": self._level}

    def _load_memory(self, state: Mapping[str, Any]) -> None:
        self._table, self._direction = as_array(state["table"]), as_array(state["direction"])
        self._level = state["level"]
