"""The best points seen so far, none of which dominates another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import Floats, Points, check_count, check_points, check_vector

Matrix = npt.NDArray[np.float64]


class ParetoArchive:
    r"""Keeps the points that no other point dominates, each with an item of the user's, such as its parameters.

    A point comes in unless one that is held dominates or equals it; those that it dominates leave. One call costs
    :math:`O(kn)` for ``k`` points held. Without a ``capacity`` the content is the front of all points ever added,
    whatever their order. With one, the point in the most crowded place leaves when there are too many; the ends of the
    front stay where there is room. Having forgotten, it may later take in a point that a dropped one dominated.

    Crowding distance is that of NSGA-II: the gap between the neighbours on both sides, as a share of the range, summed
    over the losses. It spreads points evenly for two losses and less so for many.

    Args:
        capacity: Most points held; None holds all.

    Raises:
        ValueError: If ``capacity`` is below one.

    Example:
        >>> from zoopt_mo import ParetoArchive
        >>> archive = ParetoArchive()
        >>> archive.add([1.0, 3.0], "cheap"), archive.add([3.0, 1.0], "good"), archive.add([3.0, 3.0], "neither")
        (True, True, False)
        >>> archive.items, archive.losses.tolist()
        (['cheap', 'good'], [[1.0, 3.0], [3.0, 1.0]])

    Reference:
        Crowding distance: Deb et al. (2002), section III-B, https://doi.org/10.1109/4235.996017.
    """

    def __init__(self, *, capacity: int | None = None) -> None:
        self.capacity = None if capacity is None else check_count("capacity", capacity)
        self._losses: Matrix = np.zeros((0, 0))
        self._items: list[Any] = []

    def __len__(self) -> int:
        return len(self._items)

    @property
    def losses(self) -> Matrix:
        """A copy of the losses held ``[k, n]``, oldest first; ``[0, 0]`` before the first point."""
        return self._losses.copy()

    @property
    def items(self) -> list[Any]:
        """What came with the points held ``[k]``, in the order of :attr:`losses`."""
        return list(self._items)

    def add(self, losses: Floats, item: object = None) -> bool:
        """Offer one point.

        Args:
            losses: Losses ``[n]``; ``n`` is that of the first point.
            item: What to keep with it, held as it is: pass a copy of an array that will change.

        Returns:
            True if the archive holds it now.

        Raises:
            ValueError: If a loss is not finite or their number is not that of the points before.
        """
        point = check_vector("losses", losses, length=self._losses.shape[1] or None)
        if point.size == 0:
            raise ValueError("`losses` must hold at least one value, got none.")
        if len(self) and np.all(self._losses <= point, axis=1).any():
            return False
        kept = [index for index, held in enumerate(self._losses) if not np.all(point <= held)]
        self._losses = np.vstack([self._losses[kept].reshape(-1, point.size), point])
        self._items = [*(self._items[index] for index in kept), item]
        newest = len(self) - 1
        if self.capacity is None or len(self) <= self.capacity:
            return True
        return self._drop_most_crowded() != newest

    def update(self, points: Points, items: Iterable[object] | None = None) -> npt.NDArray[np.bool_]:
        """Offer several points, one after the other.

        Args:
            points: Losses ``[k, n]``, one row a point.
            items: What to keep with each of them ``[k]``; None keeps nothing.

        Returns:
            Mask ``[k]``: which points came in, though a later one may have put them out again.

        Raises:
            ValueError: If the shape is wrong, a loss is not finite, or there is not one item a point. No point is
                added then.
        """
        rows = check_points("points", points, width=self._losses.shape[1] or None)
        given = [None] * len(rows) if items is None else list(items)
        if len(given) != len(rows):
            raise ValueError(f"`items` must hold {len(rows)} values, one a point, got {len(given)}.")
        return np.array([self.add(row, item) for row, item in zip(rows, given, strict=True)], dtype=bool)

    def reset(self) -> None:
        """Forget all points."""
        self._losses, self._items = np.zeros((0, 0)), []

    def state_dict(self) -> dict[str, Any]:
        """The points held, as plain lists, and the items as they are."""
        return {"losses": self._losses.tolist(), "items": list(self._items)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.

        Raises:
            ValueError: If ``state`` holds more points than ``capacity``, or points that dominate each other.
        """
        restored = ParetoArchive()
        accepted = restored.update(state["losses"] or np.zeros((0, 0)), state["items"])
        if len(restored) < len(accepted):
            raise ValueError("`state` must hold points that do not dominate or equal each other.")
        if self.capacity is not None and len(restored) > self.capacity:
            raise ValueError(f"`state` must hold at most {self.capacity} points, got {len(restored)}.")
        self._losses, self._items = restored.losses, restored.items

    def _drop_most_crowded(self) -> int:
        """Drop one point and return where it was; the newest of several that are equally crowded."""
        distances = _crowding_distances(self._losses)
        index = len(distances) - 1 - int(np.argmin(distances[::-1]))
        self._losses = np.delete(self._losses, index, axis=0)
        del self._items[index]
        return index


def _crowding_distances(losses: Matrix) -> npt.NDArray[np.float64]:
    """Share of the range between the neighbours of each point, summed over the losses ``[k]``; infinite at the ends."""
    distances = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        span = ordered[-1] - ordered[0]
        gaps = (ordered[2:] - ordered[:-2]) / span if span > 0 else 0.0
        distances[order[1:-1]] += gaps
        distances[order[[0, -1]]] = np.inf
    return distances
