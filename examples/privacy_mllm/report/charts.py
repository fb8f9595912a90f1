"""The drawings of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import zoopt_mo as zo
from privacy_mllm.records import StepRecord
from privacy_mllm.report.model import Entry
from privacy_mllm.report.scales import running_mean, thinned
from privacy_mllm.report.svg import LEFT, RIGHT, TOP, WIDTH, Plot, element, mark_of, path_of, style_of
from privacy_mllm.summaries import Spread

TALL = 330.0
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A method in the plane of leakage and utility.

    Args:
        number: Its number in the table.
        style: Number of its run.
        label: What is said of it.
        leakage: cMAP of the strongest attacker, in percent.
        utility: Right answers to the main question, in percent.
        ours: Whether it is the anonymizer that the page is about.
    """

    number: int
    style: int
    label: str
    leakage: Spread
    utility: Spread
    ours: bool = False


def points_of(entries: Sequence[Entry], numbers: Mapping[str, int]) -> list[Point]:
    """The methods that have both figures.

    Args:
        entries: The folders.
        numbers: The number of each method in the table.
    """
    return [
        Point(
            numbers[method.name],
            style,
            f"{method.name}{f' of {entry.name}' if len(entries) > 1 else ''}",
            method.values["attacker"],
            method.values["action"],
            method.is_ours,
        )
        for style, entry in enumerate(entries)
        for method in entry.methods
        if {"attacker", "action"} <= set(method.values)
    ]


def front_of(points: Sequence[Point]) -> list[Point]:
    """Those that no other of them beats in both, by leakage: none leaks less and keeps more."""
    best = zo.non_dominated([[point.leakage.mean, -point.utility.mean] for point in points])
    return sorted(
        (point for point, is_best in zip(points, best, strict=True) if is_best), key=lambda point: point.leakage.mean
    )


def draw_trade_off(points: Sequence[Point], blind: Sequence[float]) -> str:
    """Utility against leakage, a numbered point a method that leads to its row; up and to the left is better.

    Args:
        points: At least one.
        blind: What attackers read who see nothing.
    """
    styles = dict.fromkeys(point.style for point in points)
    fronts = [front_of([point for point in points if point.style == style]) for style in styles]
    leakages = [edge for point in points for edge in (point.leakage.low, point.leakage.high)]
    names = "; ".join(", ".join(point.label for point in front) for front in fronts)
    plot = Plot(
        title="Utility against leakage",
        description=f"{len(points)} methods; not dominated, from the least leakage: {names}.",
        x=(min([*leakages, *blind]), max([*leakages, *blind])),
        y=(0.0, 100.0),
        x_name="leakage: cMAP of the strongest attacker, %",
        y_name="utility: right answers to the main question, %",
        height=TALL,
        holds_links=True,
    )
    for number, rate in enumerate(blind):
        x = plot.across(rate)
        plot.add("line", x1=x, x2=x, y1=plot.up.end, y2=plot.up.start, class_="blind")
        if number == 0:
            plot.add("text", "sees nothing", x=x + 4, y=plot.up(2), class_="note")
    for front in fronts:
        _draw_front(plot, front)
    taken: list[Box] = [_around(*plot.place(point.leakage.mean, point.utility.mean), 5, 5) for point in points]
    for point in points:
        _draw_point(plot, point, taken, on_front=any(point in front for front in fronts))
    return plot.to_text()


def draw_curve(
    entries: Sequence[Entry],
    value: Callable[[StepRecord], float | None],
    *,
    title: str,
    y: tuple[float, float] | None = None,
    y_marks: Sequence[tuple[float, str]] | None = None,
) -> str:
    """A quantity against the calls spent: each step faint, the mean of 20 steps strong; a line a run.

    Args:
        entries: The folders; those without steps draw nothing, but keep their colour.
        value: From a step to the quantity, or None where it is not known.
        title: What the quantity is.
        y: Range of the axis; None for the range of the values.
        y_marks: Marks of the axis in words; None for numbers.
    """
    series = [[value(record) for record in entry.steps] for entry in entries]
    known = [number for values in series for number in values if number is not None]
    calls = [record.calls for entry in entries for record in entry.steps]
    plot = Plot(
        title=title,
        description=_tell(entries, series),
        x=(0, max(calls, default=1)),
        y=y or (min(known, default=0.0), max(known, default=1.0)),
        x_name="black-box calls spent",
        y_marks=y_marks,
    )
    for number, (entry, values) in enumerate(zip(entries, series, strict=True)):
        kept = thinned(len(values))
        xs = [float(entry.steps[index].calls) for index in kept]
        means = running_mean(values)
        plot.line(xs, [values[index] for index in kept], f"step {style_of(number)}")
        plot.line(xs, [means[index] for index in kept], f"mean {style_of(number)}")
    return plot.to_text()


def _draw_front(plot: Plot, front: Sequence[Point]) -> None:
    """The edge of what some method reaches, as steps."""
    places = [plot.place(point.leakage.mean, point.utility.mean) for point in front]
    corners = [places[0]]
    for (_, above), (x, y) in pairwise(places):
        corners += [(x, above), (x, y)]
    plot.add("path", d=path_of(corners), class_=f"front {style_of(front[0].style)}")


def _draw_point(plot: Plot, point: Point, taken: list[Box], *, on_front: bool) -> None:
    x, y = plot.place(point.leakage.mean, point.utility.mean)
    words = (
        f"{point.number}: {point.label}, {point.utility.mean:.1f} % right at {point.leakage.mean:.1f} % leakage"
        f"{', not dominated' if on_front else ''}"
    )
    link = plot.add("a", href=f"#method-{point.number}", class_=style_of(point.style), aria_label=words)
    link.append(element("title", words))
    for spread, ends in ((point.leakage, "x"), (point.utility, "y")):
        if spread.high > spread.low:
            scale = plot.across if ends == "x" else plot.up
            low, high = scale(spread.low), scale(spread.high)
            line = (low, high, y, y) if ends == "x" else (x, x, low, high)
            link.append(element("line", x1=line[0], x2=line[1], y1=line[2], y2=line[3], class_="range"))
    outline = mark_of(point.style, x, y, 7.0 if point.ours else 4.5)
    link.append(element("path", d=outline, class_="mark on-front" if on_front else "mark"))
    at = _free_place(x, y, taken, bottom=plot.up.start)
    taken.append(_around(at[0], at[1] - 4, 8, 6))
    link.append(element("text", str(point.number), x=at[0], y=at[1], text_anchor="middle"))


def _free_place(x: float, y: float, taken: Iterable[Box], *, bottom: float) -> tuple[float, float]:
    """Where a number can stand beside its point: the first place that hides nothing, else the first."""
    boxes = list(taken)
    places = [(x + dx, y + dy) for far in (13, 18, 24) for dx, dy in _ring(far)]
    inside = [place for place in places if LEFT + 8 < place[0] < WIDTH - RIGHT - 6 and 2 * TOP + 8 < place[1] < bottom]
    free = (place for place in inside if not any(_overlap(_around(place[0], place[1] - 4, 8, 6), box) for box in boxes))
    return next(free, places[0])


def _ring(far: float) -> list[tuple[float, float]]:
    """Places around a point: right, left, above, below, and the corners; the letters stand on their base line."""
    near = 0.75 * far
    corners = [(near, -near), (-near, -near), (near, near), (-near, near)]
    return [(dx, dy + 4) for dx, dy in [(far, 0.0), (-far, 0.0), (0.0, -far), (0.0, far), *corners]]


def _around(x: float, y: float, half_width: float, half_height: float) -> Box:
    return x - half_width, y - half_height, x + half_width, y + half_height


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _tell(entries: Sequence[Entry], series: Sequence[Sequence[float | None]]) -> str:
    """How each line begins and ends, as the mean of up to 20 steps."""
    told = []
    for entry, values in zip(entries, series, strict=True):
        known = [value for value in values if value is not None]
        if known:
            first, last = known[:20], known[-20:]
            told.append(f"{entry.name}: {sum(first) / len(first):.2f} at first, {sum(last) / len(last):.2f} at the end")
    return "; ".join(told) + "." if told else "Nothing was recorded."
