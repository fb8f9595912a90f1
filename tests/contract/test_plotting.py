"""Pictures draw the data they were given, say what they show, and leave matplotlib's state alone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoopt_mo import plotting


def axes(**options: Any) -> Axes:
    """Axes of a figure that pyplot does not know."""
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.add_subplot(**options)


def drawn(ax: Axes) -> dict[str, list[list[float]]]:
    """The points of every line that is named in the legend."""
    return {str(line.get_label()): np.column_stack(line.get_data()).tolist() for line in ax.lines}


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    return [] if box is None else [text.get_text() for text in box.get_texts()]


def rendered(ax: Axes) -> bool:
    """Whether the whole figure can be drawn and is not empty."""
    canvas = ax.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return bool((np.asarray(canvas.buffer_rgba()) < 255).any())


# --- fronts ----------------------------------------------------------------------------------------------------------

POINTS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


def test_a_front_is_filled_where_nothing_dominates_and_hollow_elsewhere():
    ax = axes()
    assert plotting.plot_front(POINTS, ax=ax) is ax
    best, rest = ax.lines
    assert drawn(ax) == {"points found": [[0.0, 1.0], [1.0, 0.0]], "points found, dominated": [[1.0, 1.0]]}
    assert (best.get_fillstyle(), rest.get_fillstyle()) == ("full", "none")
    assert legend(ax) == ["points found", "points found, dominated"]
    assert rendered(ax)


def test_sets_have_their_names_colours_and_markers():
    ax = plotting.plot_front({"sum": POINTS[:2], "norm": [[0.5, 0.5]]}, ax=axes())
    assert drawn(ax) == {"sum": POINTS[:2], "norm": [[0.5, 0.5]]}
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()


def test_dominance_is_within_a_set():
    """(0.5, 0.5) of the second set is dominated by the first, and best of its own."""
    assert list(drawn(plotting.plot_front({"a": [[0.0, 0.0]], "b": [[0.5, 0.5]]}, ax=axes()))) == ["a", "b"]


def test_the_true_front_is_not_joined_over_its_gaps_and_the_reference_is_a_cross():
    front = [[1.0, 0.0], [0.0, 1.0], [0.25, 0.25]]
    ax = plotting.plot_front(POINTS[:1], front, reference=[2.0, 2.0], ax=axes())
    assert drawn(ax) == {"true front": front, "points found": [[0.0, 1.0]], "reference point": [[2.0, 2.0]]}
    assert (ax.lines[0].get_linestyle(), ax.lines[2].get_marker()) == ("None", "x")


def test_losses_are_named():
    ax = plotting.plot_front(POINTS, labels=["leakage", "error"], ax=axes())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("leakage", "error")
    assert plotting.plot_front(POINTS, ax=axes()).get_ylabel() == "loss 2"


def test_one_set_alone_needs_no_legend():
    assert legend(plotting.plot_front(POINTS[:2], ax=axes())) == []


def test_three_losses_are_drawn_in_space():
    ax: Any = axes(projection="3d")
    plotting.plot_front([[0.0, 1.0, 2.0]], [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], labels=["a", "b", "c"], ax=ax)
    front, points = (np.column_stack(line.get_data_3d()).tolist() for line in ax.lines)
    assert front == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    assert points == [[0.0, 1.0, 2.0]]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()) == ("a", "b", "c")
    assert rendered(ax)


# --- trajectories ----------------------------------------------------------------------------------------------------

PATHS = {"raw": [[0.0, 2.0], [1.0, 1.0]], "steady": [[0.0, 2.0], [2.0, 0.0]]}


def bowl(x: np.ndarray) -> float:
    return float((x**2).sum())


def test_trajectories_are_lines_with_their_names():
    ax = axes()
    assert plotting.plot_trajectories(bowl, PATHS, target=[2.0, 0.0], ax=ax) is ax
    assert drawn(ax) == PATHS
    assert legend(ax) == ["raw", "steady", "start", "target"]
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert rendered(ax)


def marks(ax: Axes) -> dict[str, Any]:
    return {str(mark.get_label()): np.asarray(mark.get_offsets()).tolist() for mark in ax.collections}


def test_start_and_target_are_marked_and_a_shared_start_once():
    found = marks(plotting.plot_trajectories(bowl, PATHS, target=[2.0, 0.0], ax=axes()))
    assert found["start"] == [[0.0, 2.0]]
    assert found["target"] == [[2.0, 0.0]]
    other = {**PATHS, "third": [[5.0, 5.0]]}
    assert marks(plotting.plot_trajectories(bowl, other, ax=axes()))["start"] == [[0.0, 2.0], [5.0, 5.0]]
    assert "target" not in marks(plotting.plot_trajectories(bowl, other, ax=axes()))


def test_the_landscape_is_the_loss_over_the_limits():
    seen: list[list[float]] = []

    def loss(x: np.ndarray) -> float:
        seen.append(x.tolist())
        return bowl(x)

    ax = plotting.plot_trajectories(loss, PATHS, limits=((-1.0, 3.0), (0.0, 2.0)), resolution=3, ax=axes())
    assert seen == [[x, y] for y in (0.0, 1.0, 2.0) for x in (-1.0, 1.0, 3.0)]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1.0, 3.0), (0.0, 2.0))


def test_by_default_all_that_is_drawn_lies_inside_with_a_tenth_around_it():
    ax = plotting.plot_trajectories(bowl, PATHS, target=[4.0, 0.0], ax=axes())
    assert ax.get_xlim() == pytest.approx((-0.4, 4.4))
    assert ax.get_ylim() == pytest.approx((-0.2, 2.2))


def test_a_path_that_does_not_move_can_be_drawn():
    assert rendered(plotting.plot_trajectories(bowl, {"stuck": [[1.0, 1.0], [1.0, 1.0]]}, ax=axes()))


def test_contours_split_the_picture_in_equal_shares():
    """Of a loss with a steep rim, x^8, ten levels are its deciles: the fifth of eleven lies at the median."""
    ax = plotting.plot_trajectories(
        lambda x: float(x[0] ** 8), PATHS, limits=((0.0, 1.0), (0.0, 1.0)), num_levels=11, resolution=101, ax=axes()
    )
    levels = [mark.levels for mark in ax.collections if hasattr(mark, "levels")]
    assert levels[-1] ** (1 / 8) == pytest.approx(np.linspace(0, 1, 11), abs=0.02)


# --- curves ----------------------------------------------------------------------------------------------------------

CURVES = {"SPSA": [[4.0, 0.0], [4.0, 1.0], [4.0, 2.0], [4.0, 3.0], [4.0, 4.0]], "other": [[4.0, 5.0]]}


def bands(ax: Axes) -> list[list[float]]:
    """Lower and upper edge of every band at the last point."""
    corners = [np.asarray(band.get_paths()[0].vertices) for band in ax.collections]
    return [[rows[rows[:, 0] == 10, 1].min(), rows[rows[:, 0] == 10, 1].max()] for rows in corners]


def test_curves_are_medians_in_an_interquartile_band():
    """Of 0, 1, 2, 3, 4 the median is 2 and the quartiles are 1 and 3."""
    ax = axes()
    assert plotting.plot_curves([0.0, 10.0], CURVES, ax=ax) is ax
    assert drawn(ax) == {"SPSA": [[0.0, 4.0], [10.0, 2.0]], "other": [[0.0, 4.0], [10.0, 5.0]]}
    assert bands(ax) == [[1.0, 3.0], [5.0, 5.0]]
    assert legend(ax) == ["SPSA", "other"]
    assert ax.get_legend().get_title().get_text() == "median and interquartile range"  # type: ignore[union-attr]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("queries", "loss")
    assert rendered(ax)


def test_the_band_can_hold_more_seeds():
    """95 % of 0, 1, 2, 3, 4 leave out a fortieth on each side: 0.1 and 3.9 by linear interpolation."""
    ax = plotting.plot_curves([0.0, 10.0], CURVES, coverage=0.95, label="error", ax=axes())
    assert bands(ax)[0] == pytest.approx([0.1, 3.9])
    assert ax.get_legend().get_title().get_text() == "median and middle 95% of seeds"  # type: ignore[union-attr]
    assert ax.get_ylabel() == "error"


def test_every_method_may_have_queries_of_its_own():
    queries = {"SPSA": [0.0, 10.0], "other": [0.0, 5.0, 10.0]}
    ax = plotting.plot_curves(queries, {**CURVES, "other": [[4.0, 3.0, 2.0]]}, ax=axes())
    assert drawn(ax)["other"] == [[0.0, 4.0], [5.0, 3.0], [10.0, 2.0]]


# --- matplotlib's state ----------------------------------------------------------------------------------------------


def test_drawing_on_given_axes_changes_no_setting():
    before = dict(mpl.rcParams)
    plotting.plot_front(POINTS, ax=axes())
    plotting.plot_trajectories(bowl, PATHS, ax=axes())
    plotting.plot_curves([0.0, 10.0], CURVES, ax=axes())
    assert dict(mpl.rcParams) == before


ALONE = """
import sys
from zoopt_mo import plotting
assert "matplotlib" not in sys.modules
from matplotlib import pyplot
pyplot.show = lambda *args, **options: sys.exit("shown")
drawn = [
    plotting.plot_front([[0.0, 1.0]]),
    plotting.plot_front([[0.0, 1.0, 2.0]]),
    plotting.plot_trajectories(lambda x: float(x @ x), {"path": [[0.0, 1.0], [1.0, 1.0]]}),
    plotting.plot_curves([0.0], {"SPSA": [[1.0]]}),
]
assert len({id(ax.figure) for ax in drawn}) == len(pyplot.get_fignums()) == 4
print(*(ax.name for ax in drawn))
"""


def test_without_axes_each_call_makes_a_new_figure_and_shows_nothing():
    """In a process of its own, as pyplot holds on to its figures and its backend."""
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == ""
    assert done.stdout.split() == ["rectilinear", "3d", "rectilinear", "rectilinear"]


# --- refused ---------------------------------------------------------------------------------------------------------

BAD: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("plot_front", ([[1.0]],), {}, r"^`points` must all have two or all three losses, got 1\.$"),
    ("plot_front", ({"a": [[1.0, 2.0]], "b": [[1.0, 2.0, 3.0]]},), {}, r"all three losses, got 2 and 3\.$"),
    ("plot_front", ({},), {}, r"^`points` must hold at least one set, got none\.$"),
    ("plot_front", ({"a": [1.0]},), {}, r"^`points\['a'\]` must have shape \[k, n\], got \[1\]\.$"),
    ("plot_front", (POINTS, [[1.0]]), {}, r"^`front` must have rows of 2 values, got 1\.$"),
    ("plot_front", (POINTS,), {"reference": [1.0]}, r"^`reference` must hold 2 values, got 1\.$"),
    ("plot_front", (POINTS,), {"labels": ["a"]}, r"^`labels` must hold 2 names, one a loss, got 1\.$"),
    ("plot_trajectories", (bowl, {}), {}, r"^`trajectories` must hold at least one path, got none\.$"),
    ("plot_trajectories", (bowl, {"a": [[1.0]]}), {}, r"^`trajectories\['a'\]` must have rows of 2 values, got 1\.$"),
    ("plot_trajectories", (bowl, PATHS, [1.0]), {}, r"^`target` must hold 2 values, got 1\.$"),
    ("plot_trajectories", (bowl, PATHS), {"resolution": 1}, r"^`resolution` must be at least 2, got 1\.$"),
    ("plot_trajectories", (bowl, PATHS), {"num_levels": 0}, r"^`num_levels` must be at least 2, got 0\.$"),
    ("plot_curves", ([0.0], {}), {}, r"^`curves` must hold at least one method, got none\.$"),
    ("plot_curves", ([0.0], CURVES), {}, r"^`curves\['SPSA'\]` must have rows of 1 values, got 2\.$"),
    ("plot_curves", ([0.0, 1.0], CURVES), {"coverage": 1.0}, r"^`coverage` must be in \(0, 1\), got 1\.0\.$"),
    ("plot_curves", ({"SPSA": [0.0]}, CURVES), {}, r"^`queries` must have the names of `curves`, \['SPSA', 'other'\]"),
]


@pytest.mark.parametrize(("name", "arguments", "options", "words"), BAD)
def test_what_cannot_be_drawn_is_refused(name, arguments, options, words):
    ax = axes()
    with pytest.raises(ValueError, match=words):
        getattr(plotting, name)(*arguments, ax=ax, **options)


def test_three_losses_need_axes_in_space():
    with pytest.raises(TypeError, match=r"^`ax` must be a 3-d axes for three losses, got Axes\.$"):
        plotting.plot_front([[0.0, 1.0, 2.0]], ax=axes())
