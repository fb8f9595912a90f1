"""What every search method is: it says where to look, and reads the losses; it estimates no gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zoopt_mo._checks import Floats, check_seed, check_vector

Vector = npt.NDArray[np.float64]
Points = npt.NDArray[np.float64]


class Search(ABC):
    """Looks for the point of least loss from losses alone; it never calls a model itself.

    :meth:`start` sets the first point, :meth:`ask` says where to look, :meth:`tell` takes the losses found there. In
    contrast to an :class:`zoopt_mo.Estimator`, the points are absolute and the method moves by itself: there is no
    gradient and no optimizer. Asking again before telling gives the same points. :func:`zoopt_mo.minimize_by_search`
    runs a method on a scalarized loss.

    A method implements ``_start``, ``_ask``, ``_tell``, ``_state`` and ``_load_state``.

    Args:
        seed: Seed of the run; the same seed gives the same points.
    """

    def __init__(self, *, seed: int) -> None:
        self.seed = check_seed("seed", seed)
        self._x0: Vector | None = None
        self._points: Points | None = None
        self._best: tuple[Vector, float] | None = None

    @property
    def best(self) -> tuple[Vector, float] | None:
        """The point ``[p]`` of the least loss told so far, and that loss; None before any was told."""
        return None if self._best is None else (self._best[0].copy(), self._best[1])

    def start(self, x0: Floats) -> None:
        """Begin a run at a point; an earlier run is forgotten.

        Args:
            x0: Where to start ``[p]``.

        Raises:
            ValueError: If ``x0`` is not a finite vector of at least one number.
        """
        start = check_start("x0", x0)
        self.reset()
        self._x0 = start
        self._start(start)

    def ask(self) -> Points:
        """Where to look next.

        Returns:
            Points ``[q, p]``, one a query.

        Raises:
            RuntimeError: If no run was started.
        """
        if self._x0 is None:
            raise RuntimeError("ask() must follow start(), but no run was started.")
        if self._points is None:
            self._points = self._ask()
        return self._points.copy()

    def tell(self, losses: Floats) -> None:
        """Read the losses at the points of the last :meth:`ask`.

        Args:
            losses: Losses ``[q]``, in the order asked.

        Raises:
            RuntimeError: If nothing was asked.
            ValueError: If the number of losses is wrong or one is not finite; the points are kept.
        """
        if self._points is None:
            raise RuntimeError("tell() must follow ask(), but nothing was asked.")
        checked = check_vector("losses", losses, length=len(self._points)).copy()
        leader = int(checked.argmin())
        self._tell(self._points, checked)
        if self._best is None or checked[leader] < self._best[1]:
            self._best = (self._points[leader].copy(), float(checked[leader]))
        self._points = None

    def stop_reason(self) -> str | None:
        """Why the method expects no more from further queries, in a word; None to go on."""
        return self._stop_reason() if self._x0 is not None else None

    def reset(self, *, seed: int | None = None) -> None:
        """Forget the run and its start, as if new.

        Args:
            seed: A new seed; the old one by default.
        """
        self.seed = self.seed if seed is None else check_seed("seed", seed)
        self._x0 = self._points = self._best = None

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, as plain numbers and tensors, for ``torch.save``."""
        state: dict[str, Any] = {"seed": self.seed, "x0": as_tensor(self._x0), "best": None}
        if self._best is not None:
            state["best"] = [as_tensor(self._best[0]), self._best[1]]
        return state if self._x0 is None else {**state, **self._state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state; the next step is the same as it would have been.

        Args:
            state: What :meth:`state_dict` gave on a method built with the same arguments.
        """
        self.reset(seed=state["seed"])
        if state["x0"] is None:
            return
        self.start(as_array(state["x0"]))
        self._load_state(state)
        if state["best"] is not None:
            self._best = (as_array(state["best"][0]), state["best"][1])

    @abstractmethod
    def _start(self, x0: Vector) -> None:
        """Set up all that the method holds for a run from ``x0``."""

    @abstractmethod
    def _ask(self) -> Points:
        """Points ``[q, p]`` of this step."""

    @abstractmethod
    def _tell(self, points: Points, losses: Vector) -> None:
        """Take checked losses ``[q]`` at the points asked ``[q, p]`` and move on to the next step."""

    @abstractmethod
    def _stop_reason(self) -> str | None:
        """As :meth:`stop_reason`, of a started run."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """The method's own part of ``state_dict``, of a started run."""

    @abstractmethod
    def _load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what ``_state`` gave; ``_start`` was called before."""


def check_start(name: str, x0: Floats) -> Vector:
    """A copy of a finite vector of at least one number."""
    start = check_vector(name, x0).copy()
    if start.size == 0:
        raise ValueError(f"`{name}` must hold at least one number, got none.")
    return start


def as_tensor(array: Vector | None) -> torch.Tensor | None:
    """A copy of ``array`` that ``torch.save`` stores and ``torch.load(weights_only=True)`` reads."""
    return None if array is None else torch.from_numpy(array.copy())


def as_array(tensor: torch.Tensor) -> Vector:
    """A copy of what :func:`as_tensor` made."""
    return np.array(tensor.numpy(), dtype=np.float64)


def generator(seed: int, step: int) -> np.random.Generator:
    """Random numbers of one step, the same on every call, so that nothing random must be stored to resume."""
    # Arrays of whole words: a list with a seed of 2^63 or above would be rounded as a float.
    key = np.array([seed, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, step], dtype=np.uint64)))
