"""What every reinforcement learner is: a search that acts in the environment, one query at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoopt_mo.search._base import Points, Search, Vector, as_array, as_tensor

if TYPE_CHECKING:
    from zoopt_mo.search._environment import BlackBoxEnv


class Agent(Search):
    """A search that learns from the rewards of :class:`zoopt_mo.search.BlackBoxEnv`, in one episode that never ends.

    The first point is the start, which ``env.reset`` queries; every other one is where ``env.step`` will query. Once
    the loss is told, the environment takes that step with the told loss as its answer, and the agent learns from the
    reward.

    A method implements ``_begin``, ``_act``, ``_learn``, ``_memory`` and ``_load_memory``.

    Args:
        scale: How far an action of 1 moves an entry of x.
        seed: Seed of the run.
    """

    def __init__(self, *, scale: float, seed: int) -> None:
        super().__init__(seed=seed)
        self._scale = scale
        self._env: BlackBoxEnv | None = None
        self._observation: Vector | None = None
        self._action: Vector | None = None
        self._answer = 0.0
        self._step = 0

    @property
    def env(self) -> BlackBoxEnv:
        """The environment of the present run."""
        if self._env is None:
            raise RuntimeError("`env` exists from start() on, but no run was started.")
        return self._env

    def _start(self, x0: Vector) -> None:
        from zoopt_mo.search._environment import BlackBoxEnv

        self._env = BlackBoxEnv(self._told_loss, x0, scale=self._scale, max_queries=None)
        self._observation = self._action = None
        self._step = 0

    def _told_loss(self, _x: Vector) -> float:
        return self._answer

    def _ask(self) -> Points:
        if self._observation is None:
            return self.env.x0[np.newaxis].copy()
        self._action = self._act(self._observation)
        return self.env.target(self._action)[np.newaxis]

    def _tell(self, _points: Points, losses: Vector) -> None:
        self._answer = float(losses[0])
        if self._observation is None or self._action is None:
            self._observation, info = self.env.reset()
            self._begin(info["loss"])
        else:
            before = self._observation
            self._observation, reward, _, _, info = self.env.step(self._action)
            self._learn(before, reward, self._observation, info["loss"])
        self._step += 1

    def _stop_reason(self) -> str | None:
        return None

    def _state(self) -> dict[str, Any]:
        state = {"env": self.env.state_dict(), "observation": as_tensor(self._observation), "step": self._step}
        return state if self._observation is None else {**state, **self._memory()}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.env.load_state_dict(state["env"])
        self._step = state["step"]
        if state["observation"] is not None:
            self._observation = as_array(state["observation"])
            self._load_memory(state)

    @abstractmethod
    def _begin(self, loss: float) -> None:
        """Set up what is learned, at the start's loss."""

    @abstractmethod
    def _act(self, observation: Vector) -> Vector:
        """The action ``[p]`` at this observation, the same until ``_learn``."""

    @abstractmethod
    def _learn(self, before: Vector, reward: float, after: Vector, loss: float) -> None:
        """Learn from the reward of the last action, between two observations; ``loss`` is where it led."""

    @abstractmethod
    def _memory(self) -> dict[str, Any]:
        """What was learned, as plain numbers and tensors."""

    @abstractmethod
    def _load_memory(self, state: Mapping[str, Any]) -> None:
        """Take back what ``_memory`` gave."""
