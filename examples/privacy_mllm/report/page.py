"""A page from its data: one HTML file that holds everything and asks for nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from importlib import resources

import jinja2
from markupsafe import Markup

from privacy_mllm.records import StepRecord
from privacy_mllm.report import charts
from privacy_mllm.report.gather import COLUMNS, column_names
from privacy_mllm.report.model import Entry, Example, Reply
from privacy_mllm.report.svg import mark_of, style_of
from privacy_mllm.summaries import Spread

LEADERS = ((0.0, "privacy"), (0.5, "half"), (1.0, "utility"))


def to_html(entries: Sequence[Entry], *, title: str = "What the anonymizer does", command: str = "") -> str:
    """The page.

    Args:
        entries: What it tells of, with different names.
        title: Its heading.
        command: The command that wrote it.
    """
    numbers = number_methods(entries)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            entries=entries,
            title=title,
            lead=", ".join(entry.name for entry in entries),
            command=command,
            style=Markup(_read("page.css")),
            script=Markup(_read("page.js")),
            numbers=numbers,
            first_in={method.name: entry.name for entry in reversed(entries) for method in entry.methods},
            ours=[method.name for entry in entries for method in entry.methods if method.is_ours],
            columns=[(name, *COLUMNS[name]) for name in column_names(entries)],
            trade_off=_trade_off(entries, numbers),
            curves=_curves(entries),
            clips=group_examples(entries),
            style_of=style_of,
            mark_of=mark_of,
        )
    )


def to_page(content: str, *, title: str, lead: str, command: str = "") -> str:
    """A page in the look of a report, without its script.

    Args:
        content: HTML of what it holds, from the level of ``h2`` on; taken as it is.
        title: Its heading.
        lead: The line below the heading.
        command: The command that wrote it.
    """
    template = _environment().get_template("frame.html.j2")
    style = Markup(_read("page.css"))
    return template.render(content=Markup(content), title=title, lead=lead, command=command, style=style, script="")


def number_methods(entries: Sequence[Entry]) -> dict[str, int]:
    """A number for each method's name, in the order in which they first stand in a table."""
    names = dict.fromkeys(method.name for entry in entries for method in entry.methods)
    return {name: number for number, name in enumerate(names, start=1)}


def group_examples(entries: Sequence[Entry]) -> list[tuple[Example, list[tuple[Entry, Example]]]]:
    """The examples of all entries by clip, those of the same clip side by side."""
    found: dict[str, list[tuple[Entry, Example]]] = {}
    for entry in entries:
        for example in entry.examples:
            found.setdefault(example.clip, []).append((entry, example))
    return [(shown[0][1], shown) for shown in found.values()]


def _trade_off(entries: Sequence[Entry], numbers: dict[str, int]) -> Markup | None:
    points = charts.points_of(entries, numbers)
    if not points:
        return None
    blind = sorted({round(entry.blind, 1) for entry in entries if entry.blind is not None})
    return Markup(charts.draw_trade_off(points, blind))


def _curves(entries: Sequence[Entry]) -> list[tuple[str, str, Markup]]:
    """The drawings over the calls spent: heading, what it means, drawing."""
    if not any(entry.steps for entry in entries):
        return []
    draw = partial(charts.draw_curve, entries)
    made = [
        (
            "Utility loss",
            "What the black box's answers lose; less is better.",
            draw(lambda record: record.utility, title="Utility loss against calls"),
        ),
        (
            "Privacy loss",
            "What the reviewer reads; less is better.",
            draw(lambda record: record.privacy, title="Privacy loss against calls"),
        ),
        (
            "Which loss leads (i_max)",
            "The loss that lies furthest from its ideal point; the strong line is the mean of 20 steps.",
            draw(_leader, title="Leading loss against calls", y=(-0.08, 1.08), y_marks=LEADERS),
        ),
        (
            "Likeness to the past (cosine)",
            "Cosine of the estimated gradient and the critical history: 1 is the same direction, 0 tells nothing.",
            draw(lambda record: record.cosine, title="Cosine against calls", y=(-1.0, 1.0)),
        ),
    ]
    return [(heading, meaning, Markup(drawing)) for heading, meaning, drawing in made]


def _leader(record: StepRecord) -> float | None:
    return None if record.i_max is None else 1.0 - record.i_max


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(figure=_figure, share=_share, answer_of=_answer_of, in_short=_in_short)
    return environment


def _read(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _figure(value: Spread | None) -> str:
    """A figure of the table, or a dash where there is none."""
    return "-" if value is None else str(value)


def _share(share: float | None) -> str:
    """A probability in percent."""
    if share is None or math.isnan(share):
        return ""
    percent = 100 * share
    words = "<1" if percent < 1 else ">99" if percent > 99 else f"{percent:.0f}"
    return f"{words}\N{NO-BREAK SPACE}%"


def _in_short(entry: Entry) -> str:
    """What came of it, in sentences; empty where nothing was judged."""
    methods = {method.name: method.values for method in entry.methods}
    ours = next((method for method in entry.methods if method.is_ours), None)
    if ours is None or not {"action", "attacker"} <= set(ours.values):
        return ""
    raw, control = methods.get("raw", {}), methods.get("no query", {})
    kept = _beside(ours.values["action"], [("raw", raw.get("action")), ("without asking", control.get("action"))])
    blind = None if entry.blind is None else Spread.of([entry.blind])
    read = _beside(ours.values["attacker"], [("raw", raw.get("attacker")), ("seeing nothing", blind)])
    return (
        f"Of 100 answers of the black box to the main question about anonymized pictures, {kept} are right. "
        f"An attacker trained on such pictures reads private attributes with a cMAP of {read}."
    )


def _beside(value: Spread, others: Sequence[tuple[str, Spread | None]]) -> str:
    known = [f"{name} {other}" for name, other in others if other is not None]
    return str(value) + (f" ({', '.join(known)})" if known else "")


def _answer_of(reply: Reply | None) -> str:
    """An answer in words, for alternative texts."""
    if reply is None:
        return "the black box's answer is not known"
    return f"the black box says {reply.text!r}, which is {'right' if reply.right else 'wrong'}"
