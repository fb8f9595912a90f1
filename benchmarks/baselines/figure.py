"""The picture: right answers against what the fine-tuned attacker reads, a panel a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ablations import Row
from benchmarks.baselines.printed import TABLES, PaperTable
from benchmarks.baselines.runs import ACTION, FRAMES, METHODS, PEOPLE, RAW, SILHOUETTE, SURROGATES
from benchmarks.baselines.tables import rows_of
from privacy_mllm.contestants import BOUND, CONTROL, MOVES, OURS, SPSA, START

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

CONTROLS = (SILHOUETTE, FRAMES, START, CONTROL)
LOOKS = {
    "ours": ((OURS, SPSA, MOVES), "#0072b2", "o"),
    "bound: gradient known": ((BOUND,), "#007a59", "*"),
    "trained on a surrogate": (SURROGATES, "#c77700", "^"),
    "without training": (tuple(name for name in METHODS if name not in (*CONTROLS, *SURROGATES)), "#666666", "s"),
    "control": (CONTROLS, "#b3478a", "D"),
}
"""Methods, colour and marker of each group; a method belongs to the first that has it."""
NAMES = {
    OURS: "ours",
    SPSA: "SPSA",
    MOVES: "ours, what moves",
    BOUND: "bound",
    RAW: "raw",
    SILHOUETTE: "oracle silhouette",
    PEOPLE: "SelectivePrivacy",
    FRAMES: "frame difference",
    START: "start",
    CONTROL: "no query",
    "surrogate BDQ": "BDQ",
}
"""The points that are named."""
PLACES = [(6 * x * far, 7 * y * far) for far in (1, 1.5, 2, 2.5) for x in (1, -1, 0) for y in (0, 1, -1) if x or y]
"""Where a name may stand beside its point, in points; the first with room is taken."""
MARGIN = 6.0
"""Pixels that are kept free around a point."""


@dataclass(frozen=True)
class Cross:
    """Where a method is: its medians, and its ranges over seeds.

    Args:
        point: The medians.
        across: Ends of the range of leakage, first their x, then their y.
        up: Those of the range of answers.
    """

    point: tuple[float, float]
    across: tuple[tuple[float, float], tuple[float, float]]
    up: tuple[tuple[float, float], tuple[float, float]]

    def boxes(self, axes: Axes) -> list[Bbox]:
        """What it covers, in pixels."""
        from matplotlib.transforms import Bbox

        dot = Bbox([axes.transData.transform(self.point)] * 2).padded(MARGIN)
        lines = (
            Bbox(axes.transData.transform(list(zip(*ends, strict=True)))).padded(1) for ends in (self.across, self.up)
        )
        return [dot, *lines]


def draw(rows: Sequence[Row], file: Path) -> None:
    """Medians over seeds with their range.

    Args:
        rows: All runs.
        file: The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8.4), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    points = [_draw_table(axes, paper, rows) for axes, paper in zip(panels.flat, TABLES, strict=True)]
    for axes in panels[1]:
        axes.set_xlabel("cMAP of the fine-tuned attacker (%)")
    figure.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    figure.draw_without_rendering()  # only then is it known where points are
    for axes, of_table in zip(panels.flat, points, strict=True):
        _name_points(axes, of_table)
    figure.savefig(file, dpi=130)


def _draw_table(axes: Axes, paper: PaperTable, rows: Sequence[Row]) -> dict[str, Cross]:
    """Points, ranges, and what who sees nothing reads; gives where each method is."""
    axes.set_title(str(paper), fontsize=11)
    axes.set_ylabel(f"right answers (%), {'main question' if paper.task == ACTION else 'all questions'}")
    axes.axvline(rows[0].number("chance"), color="grey", linestyle=":", linewidth=1, label="who sees nothing")
    found = {}
    for name, runs in rows_of(rows, paper).items():
        group, (_, colour, marker) = _look(name)
        ranges = [(min(values), max(values)) for values in _values(runs, paper)]
        x, y = (statistics.median(values) for values in _values(runs, paper))
        label = group if name == LOOKS[group][0][0] else None
        axes.plot(x, y, marker, color=colour, markersize=11 if marker == "*" else 7, label=label)
        found[name] = Cross((x, y), (ranges[0], (y, y)), ((x, x), ranges[1]))
        for line in (found[name].across, found[name].up):
            axes.plot(*line, color=colour, linewidth=0.8, alpha=0.7)
    axes.margins(0.08)
    axes.grid(alpha=0.25)
    return found


def _look(name: str) -> tuple[str, tuple[Sequence[str], str, str]]:
    return next((group, look) for group, look in LOOKS.items() if name in look[0])


def _values(runs: Sequence[Row], paper: PaperTable) -> list[list[float]]:
    return [[row.number(field) for row in runs] for field in ("attacker_cmap", paper.task)]


def _name_points(axes: Axes, crosses: Mapping[str, Cross]) -> None:
    """Write each name where it covers neither a method nor another name."""
    taken = [box for cross in crosses.values() for box in cross.boxes(axes)]
    for name in (name for name in NAMES if name in crosses):
        for place in PLACES:
            text = _write(axes, name, crosses[name].point, place)
            box = text.get_window_extent()
            if box.count_overlaps(taken) == 0 and axes.bbox.x0 < box.x0 < box.x1 < axes.bbox.x1:
                taken.append(box)
                break
            text.remove()


def _write(axes: Axes, name: str, point: tuple[float, float], place: tuple[float, float]) -> Annotation:
    across, up = place
    return axes.annotate(
        NAMES[name],
        point,
        place,
        textcoords="offset points",
        fontsize=9,
        fontweight="bold" if name == OURS else "normal",
        color=_look(name)[1][1],
        ha="left" if across > 0 else "right" if across < 0 else "center",
        va="bottom" if up > 0 else "top" if up < 0 else "center",
    )
