"""What was said and believed of the examples, under what came out over all test clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.ablations import Command, Row, spread, table
from benchmarks.gallery.examples import ACTION, ATTRIBUTES, DRAW_SEED, VQA, Example, draw_examples
from benchmarks.gallery.runs import METHODS, experiment_of
from privacy_mllm.data.clips import Clips
from privacy_mllm.metrics import same_words

TITLES: Mapping[str, str] = {
    ACTION: "Actions (figure 5)",
    VQA: "Other questions (figure 6)",
    ATTRIBUTES: "Private attributes (figure 7)",
}
OVER_ALL: Mapping[str, tuple[str, str]] = {
    ACTION: (ACTION, "Right answers to this question"),
    VQA: (VQA, "Right answers to the other questions, the mean over them,"),
    ATTRIBUTES: ("attacker_cmap", "cMAP of the attacker"),
}
"""The field that says what came out over all test clips, and its name."""


def report(rows: Sequence[Row], command: Command) -> list[str]:
    """All parts of the page."""
    test = experiment_of(rows[0].job).test
    parts = [_over_all(rows)]
    for figure, examples in draw_examples(test, int(rows[0].job["examples"])).items():
        numbers = ", ".join(str(one.row) for one in examples)
        parts += [
            f"### {TITLES[figure]}",
            f"Seed {DRAW_SEED} drew the test clips {numbers}. {sentence(rows, figure)}",
            f"![{TITLES[figure]}]({command.file(f'_{figure}.png').name})",
            _examples(first_seed(rows), examples, test),
        ]
    return parts


def first_seed(rows: Sequence[Row]) -> list[Row]:
    """The rows whose pictures are shown, one a method."""
    return [row for row in rows if row.job.seed == 0]


def said_of(row: Row, example: Example) -> str:
    """What the black box said, or what the attacker believes, with the probability."""
    if example.is_attribute:
        return f"{100 * row.number(f'believed: {example.name}'):.0f} %"
    return f"{row.found[f'said: {example.name}']}, {100 * row.number(f'probability: {example.name}'):.0f} %"


def is_right(row: Row, example: Example, test: Clips) -> bool:
    """Whether that is true; of a belief, whether its greater half is.

    Args:
        row: A method's row.
        example: The example.
        test: The test clips.
    """
    if example.is_attribute:
        return (row.number(f"believed: {example.name}") > 0.5) == example.is_there(test)
    said = str(row.found[f"said: {example.name}"])
    return any(same_words(said, word) for word in test.answers[example.row][example.subject])


def sentence(rows: Sequence[Row], figure: str) -> str:
    """What came out over all test clips, so that nobody takes the examples for it."""
    field, name = OVER_ALL[figure]
    found = [f"{method} {_figure([row.number(field) for row in mine])}" for method, mine in _by_method(rows).items()]
    blind = f"; who sees nothing reads {rows[0].number('chance'):.1f}" if figure == ATTRIBUTES else ""
    return f"{name} over all {rows[0].job['test_clips']} test clips, %: {', '.join(found)}{blind}."


def _figure(values: Sequence[float]) -> str:
    """A median with the range of the seeds, if there are several."""
    middle = f"{spread(values).median:.1f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.1f} to {max(values):.1f})"


def _over_all(rows: Sequence[Row]) -> str:
    heads = ["method", "right: main question", "right: other questions", "attacker cMAP"]
    lines = [
        [method, *(_figure([row.number(field) for row in mine]) for field, _ in OVER_ALL.values())]
        for method, mine in _by_method(rows).items()
    ]
    told = (
        f"Over all {rows[0].job['test_clips']} test clips, in percent; median and range over the seeds of a training."
    )
    return f"{told}\n\n{table(heads, lines)}"


def _examples(shown: Sequence[Row], examples: Sequence[Example], test: Clips) -> str:
    heads = ["clip", "question or attribute", "truth", *(row.job.method for row in shown)]
    lines = [
        [test.names[one.row], one.subject, one.truth(test), *(_cell(row, one, test) for row in shown)]
        for one in examples
    ]
    return table(heads, lines)


def _cell(row: Row, example: Example, test: Clips) -> str:
    return f"{said_of(row, example)}, {'right' if is_right(row, example, test) else 'wrong'}"


def _by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    return {name: [row for row in rows if row.job.method == name] for name in METHODS}
