"""Paths over the landscape of a loss of two parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import Floats, Points, check_count, check_points, check_vector
from zoopt_mo.plotting._style import COLOURS, GREY, LINES, axes_for, pick

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Vector = npt.NDArray[np.float64]
Limits = tuple[tuple[float, float], tuple[float, float]]


def plot_trajectories(
    loss: Callable[[Vector], float],
    trajectories: Mapping[str, Points],
    target: Floats | None = None,
    *,
    limits: Limits | None = None,
    num_levels: int = 20,
    resolution: int = 121,
    ax: Axes | None = None,
) -> Axes:
    """Draw the paths of several methods over the contours of a loss of two parameters; darker is lower.

    Between two contours lies the same share of the picture's area, so a steep rim does not hide a flat valley.

    Args:
        loss: Function of ``x`` ``[2]``.
        trajectories: Points visited ``[s, 2]`` by the name of the method; the first of each is marked as its start.
        target: Where they should arrive ``[2]``, drawn as a star.
        limits: Range of the picture, ``((left, right), (bottom, top))``; by default all that is drawn, with a margin.
        num_levels: Number of contours.
        resolution: Evaluations of ``loss`` along each side of the picture.
        ax: Where to draw.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no trajectory, or one is not a list of points in the plane.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from zoopt_mo.plotting import plot_trajectories
        >>> bowl = lambda x: float((x**2).sum())
        >>> ax = plot_trajectories(bowl, {"descent": [[1.0, 1.0], [0.0, 0.0]]}, ax=Figure().add_subplot())
        >>> [text.get_text() for text in ax.get_legend().texts]
        ['descent', 'start']

    Reference:
        Figure 3 of Hui et al. (2026).
    """
    if not trajectories:
        raise ValueError("`trajectories` must hold at least one path, got none.")
    paths = {name: check_points(f"trajectories[{name!r}]", path, width=2) for name, path in trajectories.items()}
    goals = np.zeros((0, 2)) if target is None else check_vector("target", target, length=2)[None]
    ax = axes_for(ax)
    area = limits or _around(np.vstack([*paths.values(), goals]))
    _draw_landscape(ax, loss, area, num_levels, resolution)
    for index, (name, path) in enumerate(paths.items()):
        ax.plot(*path.T, pick(LINES, index), color=pick(COLOURS, index), linewidth=1.6, label=name, zorder=3)
    starts = np.unique([path[0] for path in paths.values()], axis=0)
    ax.scatter(starts[:, 0], starts[:, 1], s=45, color="white", edgecolors="black", label="start", zorder=4)
    if len(goals):
        ax.scatter(
            goals[:, 0], goals[:, 1], s=220, marker="*", color=COLOURS[2], edgecolors="white", label="target", zorder=5
        )
    ax.set(xlim=area[0], ylim=area[1], xlabel="parameter 1", ylabel="parameter 2")
    ax.legend()
    return ax


def _draw_landscape(
    ax: Axes, loss: Callable[[Vector], float], limits: Limits, num_levels: int, resolution: int
) -> None:
    side, bands = check_count("resolution", resolution, least=2), check_count("num_levels", num_levels, least=2)
    across, up = (np.linspace(low, high, side) for low, high in limits)
    heights = np.array([[loss(np.array([x, y])) for x in across] for y in up])
    levels = np.unique(np.quantile(heights, np.linspace(0, 1, bands)))
    ranks = np.interp(heights, levels, np.linspace(0, 1, len(levels)))
    ax.contourf(across, up, ranks, levels=np.linspace(0, 1, len(levels)), cmap="Greys_r", vmin=-0.5, vmax=1.1)
    ax.contour(across, up, heights, levels=levels, colors=GREY, linewidths=0.3)


def _around(points: Vector) -> Limits:
    """The box that holds all points, with a tenth more on every side."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.1 * np.where(high > low, high - low, 1.0)
    (left, bottom), (right, top) = low - margin, high + margin
    return (float(left), float(right)), (float(bottom), float(top))
