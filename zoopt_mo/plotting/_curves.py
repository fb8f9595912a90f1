"""Losses against queries, over many seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zoopt_mo._checks import Floats, Points, check_between, check_points, check_vector
from zoopt_mo.plotting._style import COLOURS, LINES, axes_for, pick

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_curves(
    queries: Floats | Mapping[str, Floats],
    curves: Mapping[str, Points],
    *,
    coverage: float = 0.5,
    label: str = "loss",
    ax: Axes | None = None,
) -> Axes:
    """Draw the median over seeds of each method against the queries spent, in a band that holds most seeds.

    The band runs between two quantiles of the seeds: it says how much a run varies, not how well the median is known.

    Args:
        queries: Queries spent at each point of the curves ``[s]``, for all methods or by the name of each.
        curves: Losses ``[r, s]`` by the name of the method, one row a seed.
        coverage: Share of the seeds inside the band, in (0, 1): 0.5 is the interquartile range; 0.95 needs forty seeds
            to mean more than their extremes.
        label: Name of what is drawn.
        ax: Where to draw; set its scale to "log" where losses differ by powers of ten.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no curve, the lengths or names differ, or ``coverage`` is out of range.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from zoopt_mo.plotting import plot_curves
        >>> ax = plot_curves([0, 10], {"SPSA": [[4.0, 2.0], [4.0, 1.0], [4.0, 0.0]]}, ax=Figure().add_subplot())
        >>> ax.lines[0].get_ydata().tolist()
        [4.0, 1.0]

    Reference:
        Figure 4 of Hui et al. (2026).
    """
    if not curves:
        raise ValueError("`curves` must hold at least one method, got none.")
    share = check_between("coverage", coverage, 0.0, 1.0, interval="(0, 1)")
    spent = queries if isinstance(queries, Mapping) else dict.fromkeys(curves, queries)
    if spent.keys() != curves.keys():
        raise ValueError(f"`queries` must have the names of `curves`, {sorted(curves)}, got {sorted(spent)}.")
    ax = axes_for(ax)
    for index, (name, rows) in enumerate(curves.items()):
        _draw_curve(ax, name, spent[name], rows, share, index)
    ax.set(xlabel="queries", ylabel=label)
    ax.legend(title=f"median and {'interquartile range' if share == 0.5 else f'middle {share:.0%} of seeds'}")
    return ax


def _draw_curve(ax: Axes, name: str, queries: Floats, rows: Points, share: float, index: int) -> None:
    spent = check_vector("queries", queries)
    values = check_points(f"curves[{name!r}]", rows, width=spent.size)
    low, median, high = np.quantile(values, [(1 - share) / 2, 0.5, (1 + share) / 2], axis=0)
    colour = pick(COLOURS, index)
    ax.plot(spent, median, pick(LINES, index), color=colour, label=name)
    ax.fill_between(spent, low, high, color=colour, alpha=0.2, linewidth=0)
