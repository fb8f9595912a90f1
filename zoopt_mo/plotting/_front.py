"""Points in the space of losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import Floats, Points, check_points, check_vector
from zoopt_mo.pareto import non_dominated
from zoopt_mo.plotting._style import COLOURS, GREY, MARKERS, axes_for, pick

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Losses = npt.NDArray[np.float64]


def plot_front(
    points: Points | Mapping[str, Points],
    front: Points | None = None,
    *,
    reference: Floats | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw points in the space of losses, filled where no other point of their set dominates them, hollow elsewhere.

    Args:
        points: Losses ``[k, n]`` of one set, or several sets by name, for two or three losses.
        front: Points of the true front ``[m, n]``, drawn as dots, since a front may have gaps.
        reference: Reference point ``[n]`` of the hypervolume, drawn as a cross.
        labels: Names of the losses ``[n]``; "loss 1", "loss 2" and so on by default.
        ax: Where to draw; for three losses it must be a 3-d axes.

    Returns:
        The axes.

    Raises:
        ValueError: If the shapes do not fit or there are not two or three losses.
        TypeError: If there are three losses and ``ax`` is not a 3-d axes.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from zoopt_mo.plotting import plot_front
        >>> ax = Figure().add_subplot()
        >>> plot_front([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ax=ax).get_xlabel()
        'loss 1'
    """
    sets = _as_sets(points)
    size = next(iter(sets.values())).shape[1]
    names = _axis_labels(size, labels)
    target = None if front is None else check_points("front", front, width=size)
    corner = None if reference is None else check_vector("reference", reference, length=size)
    ax = axes_for(ax, three=size == 3)
    if target is not None:
        ax.plot(*target.T, linestyle="none", marker=".", markersize=2.5, color=GREY, label="true front", zorder=1)
    for index, (name, rows) in enumerate(sets.items()):
        _draw_set(ax, name, rows, index)
    if corner is not None:
        ax.plot(*corner[:, None], linestyle="none", marker="x", color=GREY, label="reference point")
    ax.set(**{f"{axis}label": name for axis, name in zip("xyz", names, strict=False)})
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend()
    return ax


def _as_sets(points: Points | Mapping[str, Points]) -> dict[str, Losses]:
    """The sets by name, checked; all have the same number of losses, two or three."""
    if not isinstance(points, Mapping):
        sets = {"points found": check_points("points", points)}
    elif points:
        sets = {name: check_points(f"points[{name!r}]", rows) for name, rows in points.items()}
    else:
        raise ValueError("`points` must hold at least one set, got none.")
    sizes = sorted({rows.shape[1] for rows in sets.values()})
    if sizes not in ([2], [3]):
        raise ValueError(f"`points` must all have two or all three losses, got {' and '.join(map(str, sizes))}.")
    return sets


def _axis_labels(size: int, labels: Sequence[str] | None) -> list[str]:
    names = [f"loss {index + 1}" for index in range(size)] if labels is None else list(labels)
    if len(names) != size:
        raise ValueError(f"`labels` must hold {size} names, one a loss, got {len(names)}.")
    return names


def _draw_set(ax: Axes, name: str, rows: Losses, index: int) -> None:
    best = non_dominated(rows)
    style: dict[str, Any] = {"linestyle": "none", "marker": pick(MARKERS, index), "color": pick(COLOURS, index)}
    ax.plot(*rows[best].T, label=name, zorder=2, **style)
    if not best.all():
        ax.plot(*rows[~best].T, fillstyle="none", label=f"{name}, dominated", zorder=2, **style)
