"""Pareto dominance between points in the space of losses (definitions 1 and 2 of the paper)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import Floats, Points, check_points, check_vector


def dominates(first: Floats, second: Floats) -> bool:
    """Whether ``first`` is nowhere worse than ``second`` and somewhere better; smaller is better.

    Args:
        first: Losses ``[n]``.
        second: Losses ``[n]``.

    Returns:
        True if ``first`` dominates ``second``.

    Raises:
        ValueError: If the shapes differ or a loss is not finite.

    Example:
        >>> from zoopt_mo import dominates
        >>> dominates([1.0, 2.0], [1.0, 3.0]), dominates([1.0, 2.0], [1.0, 2.0])
        (True, False)

    Reference:
        Definition 1 of Hui et al. (2026); Miettinen (1999).
    """
    a = check_vector("first", first)
    b = check_vector("second", second, length=a.size)
    return bool(np.all(a <= b) and np.any(a < b))


def non_dominated(points: Points) -> npt.NDArray[np.bool_]:
    """Which points no other point dominates. Equal points stay together.

    Args:
        points: Losses ``[k, n]``, one row a point.

    Returns:
        Mask ``[k]``, True for the Pareto-optimal points.

    Raises:
        ValueError: If the shape is wrong or a loss is not finite.

    Example:
        >>> from zoopt_mo import non_dominated
        >>> non_dominated([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).tolist()
        [True, True, False]

    Reference:
        Definition 2 of Hui et al. (2026); Miettinen (1999).
    """
    losses = check_points("points", points)
    mask = np.ones(len(losses), dtype=bool)
    for index, point in enumerate(losses):
        rivals = losses[mask]
        beaten = np.all(rivals <= point, axis=1) & np.any(rivals < point, axis=1)
        mask[index] = not beaten.any()
    return mask
