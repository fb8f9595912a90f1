"""Two forms of problems: by formulas, and averaged over rows of data."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_count
from zoopt_mo.problems._base import Array, Problem, as_point, as_points

Rows = npt.NDArray[np.integer[Any]]


class AnalyticProblem(Problem):
    """A problem given by formulas: a leaf fills in ``_losses`` and ``_gradients``.

    Args:
        size: Number of parameters ``p``.
        num_objectives: Number of losses ``n``.
        name: Its name in tables; the name of the class where None.
        lower: Lower bounds ``[p]``, or None where every vector is allowed.
        upper: Upper bounds ``[p]``, given with ``lower``.
    """

    def losses(self, x: npt.ArrayLike) -> Array:
        """The losses ``[n]`` at ``x`` ``[p]``, or ``[b, n]`` at a batch ``[b, p]``."""
        return self._losses(self._checked(x))

    def gradients(self, x: npt.ArrayLike) -> Array:
        """The gradients ``[n, p]`` of all losses at ``x`` ``[p]``."""
        return self._gradients(as_point(self._checked(x)))

    @abstractmethod
    def _losses(self, x: Array) -> Array:
        """From ``[..., p]`` to ``[..., n]``."""

    @abstractmethod
    def _gradients(self, x: Array) -> Array:
        """From ``[p]`` to ``[n, p]``."""

    def _checked(self, x: npt.ArrayLike) -> Array:
        points = as_points(x, self.size)
        if self.lower is not None and not bool(np.all(self._inside(points) == points)):
            raise ValueError(f"`x` of {self.name} must lie within its bounds; `project` brings it there.")
        return points


class DataProblem(Problem):
    """A problem whose losses are averages over rows of data: a leaf fills in ``_losses`` and ``_gradients``.

    Args:
        size: Number of parameters ``p``.
        num_rows: Number of rows.
        num_objectives: Number of losses ``n``.
        name: Its name in tables; the name of the class where None.
    """

    def __init__(self, size: int, num_rows: int, num_objectives: int = 1, *, name: str | None = None) -> None:
        super().__init__(size, num_objectives, name=name)
        self.num_rows = check_count("num_rows", num_rows)

    def losses(self, x: npt.ArrayLike, rows: Rows | None = None) -> Array:
        """The losses ``[n]`` at ``x`` ``[p]``, or ``[b, n]`` at ``[b, p]``, averaged over ``rows`` or over all rows."""
        return self._losses(as_points(x, self.size), _as_rows(rows, self.num_rows))

    def gradients(self, x: npt.ArrayLike, rows: Rows | None = None) -> Array:
        """The gradients ``[n, p]`` at ``x`` ``[p]``, averaged over ``rows`` or over all rows."""
        return self._gradients(as_point(as_points(x, self.size)), _as_rows(rows, self.num_rows))

    @abstractmethod
    def _losses(self, x: Array, rows: Rows | slice) -> Array:
        """From ``[..., p]`` to ``[..., n]``."""

    @abstractmethod
    def _gradients(self, x: Array, rows: Rows | slice) -> Array:
        """From ``[p]`` to ``[n, p]``."""


def sum_last(values: Array) -> Array:
    """The sum over the last axis, kept with length one: ``[..., p]`` to ``[..., 1]``."""
    return np.asarray(values.sum(axis=-1, keepdims=True))


def _as_rows(rows: Rows | None, num_rows: int) -> Rows | slice:
    if rows is None:
        return slice(None)
    chosen = np.asarray(rows)
    if chosen.ndim != 1 or chosen.size == 0 or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"`rows` must be a vector of at least one index, got {rows!r}.")
    if chosen.min() < 0 or chosen.max() >= num_rows:
        raise ValueError(f"`rows` must be from 0 to {num_rows - 1}, got {chosen.min()} to {chosen.max()}.")
    return chosen
