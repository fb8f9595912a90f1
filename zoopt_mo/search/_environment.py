"""A black box as a gymnasium environment: an action moves the parameters, the reward is the improvement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from zoopt_mo._checks import Floats, check_count, check_positive, check_real, check_vector
from zoopt_mo.search._base import Vector, check_start

Info = dict[str, Any]

NUM_FEATURES = 4
"""Entries of the observation before those of x: last improvement, loss, best loss, share of queries left."""


def sum_of_squares(x: Vector) -> float:
    """The loss of the environment that ``gymnasium.make`` gives without arguments."""
    return float(x @ x)


class BlackBoxEnv(gymnasium.Env[Vector, Vector]):
    r"""Minimizing a black box, one query a step, as a task for reinforcement learning.

    .. math:: x_{t+1} = x_t + s\, a_t, \qquad r_t = L(x_t) - L(x_{t+1})

    so the rewards of an episode sum to the improvement. An episode starts at ``x0`` and is truncated after
    ``max_queries`` queries; there is no terminal state. ``reset`` costs one query, ``step`` another.

    Actions lie in :math:`[-1, 1]^p`. Observations lie in :math:`[-1, 1]^{4 + p}` and have no unit: the last
    improvement, the improvements of the present and of the best loss on the first one, each as
    :math:`(a - b) / (|a| + |b|)`; the share of queries left; and :math:`\tanh((x - x_0) / 10 s)`.
    ``info`` holds ``loss`` and the episode's ``queries``.

    Args:
        loss: Returns the loss at ``x`` ``[p]``; the sum of squares by default.
        x0: Where every episode starts ``[p]``.
        scale: How far an action of 1 moves an entry, in the units of x.
        max_queries: Queries an episode, at least 2; None never ends one.
        render_mode: None; there is nothing to draw.

    Raises:
        ValueError: If an argument is out of range, or an action lies outside the action space.

    Example:
        >>> import gymnasium, numpy as np
        >>> import zoopt_mo as zo
        >>> zo.register_envs()
        >>> env = gymnasium.make("zoopt_mo/BlackBox-v0", loss=lambda x: float(x @ x), x0=[2.0], scale=0.5)
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(np.array([-1.0]))
        >>> reward, info["loss"], info["queries"]
        (1.75, 2.25, 2)

    Reference:
        Towers et al. (2024), Gymnasium, arXiv:2407.17032.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own declaration

    def __init__(
        self,
        loss: Callable[[Vector], float] = sum_of_squares,
        x0: Floats = (1.0, 1.0),
        *,
        scale: float = 0.1,
        max_queries: int | None = 100,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise ValueError(f"`render_mode` must be None, there is nothing to draw, got {render_mode!r}.")
        self.loss, self.render_mode = loss, render_mode
        self.x0 = check_start("x0", x0)
        self.scale = check_positive("scale", scale)
        self.max_queries = None if max_queries is None else check_count("max_queries", max_queries, least=2)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (self.x0.size,), np.float64)
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (NUM_FEATURES + self.x0.size,), np.float64)
        self.num_queries = 0
        """Queries of all episodes, failed ones included."""
        self._x = self.x0
        self._losses: dict[str, float] | None = None  # first, best, previous and last of the episode
        self._queries = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Vector, Info]:
        """Start an episode at ``x0``. Costs one query.

        Args:
            seed: Seed of ``np_random``, which the environment itself does not use.
            options: None are known; taken for gymnasium's sake.
        """
        super().reset(seed=seed, options=options)
        loss = self._query(self.x0)
        self._x, self._queries = self.x0, 1
        self._losses = {"first": loss, "best": loss, "previous": loss, "last": loss}
        return self._observe(), self._info()

    def step(self, action: Vector) -> tuple[Vector, float, bool, bool, Info]:
        """Move by the action. Costs one query.

        Args:
            action: Move in units of ``scale``, ``[p]``, every entry in [-1, 1].
        """
        if self._losses is None or self._spent():
            raise RuntimeError("step() must follow reset(), but no episode is under way.")
        point = self.target(action)
        loss = self._query(point)
        self._x, self._queries = point, self._queries + 1
        previous, best = self._losses["last"], min(self._losses["best"], loss)
        self._losses.update(previous=previous, best=best, last=loss)
        return self._observe(), previous - loss, False, self._spent(), self._info()

    def target(self, action: Vector) -> Vector:
        """Where a step with this action would query; nothing moves.

        Args:
            action: Move in units of ``scale``, ``[p]``.
        """
        if action not in self.action_space:
            raise ValueError(f"`action` must be {self.action_space}, got {action!r}.")
        return np.asarray(self._x + self.scale * action)

    @property
    def x(self) -> Vector:
        """The present point ``[p]``."""
        return self._x.copy()

    def state_dict(self) -> dict[str, Any]:
        """The episode so far, as plain numbers."""
        losses = None if self._losses is None else dict(self._losses)
        return {"x": self._x.tolist(), "losses": losses, "queries": self._queries, "num_queries": self.num_queries}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a saved episode.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self._x = check_vector("x", state["x"], length=self.x0.size)
        self._losses = None if state["losses"] is None else dict(state["losses"])
        self._queries, self.num_queries = state["queries"], state["num_queries"]

    def _query(self, point: Vector) -> float:
        self.num_queries += 1
        return check_real("loss", float(self.loss(point.copy())))

    def _spent(self) -> bool:
        return self.max_queries is not None and self._queries >= self.max_queries

    def _info(self) -> Info:
        return {"loss": self._losses["last"] if self._losses else None, "queries": self._queries}

    def _observe(self) -> Vector:
        if self._losses is None:
            raise RuntimeError("An observation must follow reset().")
        first, best, previous, last = (self._losses[name] for name in ("first", "best", "previous", "last"))
        left = 1.0 if self.max_queries is None else 1.0 - self._queries / self.max_queries
        features = [_relative(previous, last), _relative(first, last), _relative(first, best), left]
        return np.concatenate([features, np.tanh((self._x - self.x0) / (10 * self.scale))])


def _relative(before: float, after: float) -> float:
    """Improvement without unit, in [-1, 1]; halved first, so that the sum cannot overflow."""
    size = abs(before) / 2 + abs(after) / 2
    return 0.0 if size == 0 else (before / 2 - after / 2) / size
