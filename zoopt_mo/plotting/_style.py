"""Colours, markers and lines that all pictures share, and where they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008), https://jfly.uni-koeln.de/color/
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
GREY = "#595959"


def pick(styles: tuple[str, ...], index: int) -> str:
    """The style of the method or set with this number, from the start again after the last."""
    return styles[index % len(styles)]


def axes_for(ax: Axes | None, *, three: bool = False) -> Axes:
    """The caller's axes, or those of a new figure."""
    if ax is None:
        from matplotlib import pyplot

        return pyplot.figure(layout="constrained").add_subplot(projection="3d" if three else None)
    if three and ax.name != "3d":
        raise TypeError(f"`ax` must be a 3-d axes for three losses, got {type(ax).__name__}.")
    return ax
