"""Drawings as SVG whose colours come from the page's style sheet, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from privacy_mllm.report.scales import Scale, round_ticks

WIDTH, HEIGHT = 400.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 12.0, 12.0, 44.0
NUM_STYLES = 6


def element(tag: str, text: str = "", **attributes: object) -> ET.Element:
    """An element; ``class_`` stands for ``class``, an underscore for a hyphen, numbers get one decimal.

    Args:
        tag: Its name.
        text: What it holds.
        attributes: Its attributes.
    """
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    made = ET.Element(tag, {names[name]: _number(value) for name, value in attributes.items()})
    made.text = text
    return made


def path_of(points: Iterable[tuple[float, float] | None]) -> str:
    """The path through points, interrupted where one is None."""
    parts, draws = [], False
    for point in points:
        if point is not None:
            parts.append(f"{'L' if draws else 'M'}{point[0]:.1f} {point[1]:.1f}")
        draws = point is not None
    return "".join(parts)


def mark_of(number: int, x: float, y: float, radius: float) -> str:
    """The outline of the ``number``-th run's points: a circle, square, diamond or triangle, or one upside down."""
    sides, turned = ((40, 0.0), (4, 0.125), (4, 0.0), (3, 0.0), (3, 0.5), (5, 0.0))[number % NUM_STYLES]
    corners = [2 * math.pi * (corner / sides + turned) for corner in range(sides)]
    reach = radius * (1.0 if sides > 5 else 1.25)
    return f"{path_of((x + reach * math.sin(angle), y - reach * math.cos(angle)) for angle in corners)}Z"


def style_of(number: int) -> str:
    """The class of the ``number``-th run, whose colour and dashes the style sheet has."""
    return f"run-{number % NUM_STYLES}"


@dataclass
class Plot:
    """Two axes with marks, lines across and names, into which lines and points are drawn.

    Args:
        title: What a screen reader says first.
        description: What the drawing shows, in a sentence.
        x: Range of the numbers across.
        y: Range of the numbers upwards.
        x_name: Name of the axis across.
        y_marks: Marks of the axis upwards with their words; None for round numbers.
        y_name: Name of the axis upwards; empty where the heading tells it.
        height: Height of the drawing.
        holds_links: Whether parts of it can be reached with the keyboard.
    """

    title: str
    description: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_marks: Sequence[tuple[float, str]] | None = None
    y_name: str = ""
    height: float = HEIGHT
    holds_links: bool = False
    root: ET.Element = field(init=False)
    across: Scale = field(init=False)
    up: Scale = field(init=False)

    def __post_init__(self) -> None:
        """Draw the axes."""
        x_ticks, y_ticks = round_ticks(*self.x), round_ticks(*self.y)
        marks = [(tick, f"{tick:g}") for tick in y_ticks] if self.y_marks is None else list(self.y_marks)
        y_low, y_high = (y_ticks[0], y_ticks[-1]) if self.y_marks is None else self.y
        self.across = Scale(x_ticks[0], x_ticks[-1], LEFT, WIDTH - RIGHT)
        self.up = Scale(y_low, y_high, self.height - BOTTOM, 2 * TOP if self.y_name else TOP)
        role = "group" if self.holds_links else "img"
        self.root = element("svg", viewBox=f"0 0 {WIDTH:g} {self.height:g}", role=role, aria_label=self.title)
        self.root.append(element("desc", self.description))
        for tick in x_ticks:
            self._mark_across(tick)
        for tick, words in marks:
            self._mark_up(tick, words)
        if self.y_name:
            self.add("text", self.y_name, x=4, y=TOP - 2, class_="axis-name")
        middle = (LEFT + WIDTH - RIGHT) / 2
        self.add("text", self.x_name, x=middle, y=self.height - 8, text_anchor="middle", class_="axis-name")

    def add(self, tag: str, text: str = "", **attributes: object) -> ET.Element:
        """Draw an element, and return it."""
        made = element(tag, text, **attributes)
        self.root.append(made)
        return made

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point falls."""
        return self.across(x), self.up(y)

    def line(self, xs: Sequence[float], ys: Sequence[float | None], class_: str) -> None:
        """Draw a line, interrupted where a value is None."""
        points = (None if y is None else self.place(x, y) for x, y in zip(xs, ys, strict=True))
        self.add("path", d=path_of(points), class_=class_)

    def to_text(self) -> str:
        """The SVG."""
        return ET.tostring(self.root, encoding="unicode")

    def _mark_across(self, tick: float) -> None:
        x, bottom = self.across(tick), self.height - BOTTOM
        self.add("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="tick")
        self.add("text", f"{tick:g}", x=x, y=bottom + 17, text_anchor="middle")

    def _mark_up(self, tick: float, words: str) -> None:
        y = self.up(tick)
        self.add("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
        self.add("text", words, x=LEFT - 6, y=y + 4, text_anchor="end")


def _number(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
