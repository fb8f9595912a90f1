"""The pictures: a row a clip, a column a method, and below them what came out over all test clips."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.ablations import Row
from benchmarks.gallery.examples import ACTION, ATTRIBUTES, VQA, Example, draw_examples
from benchmarks.gallery.runs import experiment_of, kept_networks, method_of
from benchmarks.gallery.tables import first_seed, is_right, said_of, sentence
from privacy_mllm.data.clips import Clips
from privacy_mllm.figures import Shown, draw_clips

HEADINGS: Mapping[str, str] = {
    ACTION: '"{main}?" Answer of the black box with its probability, green where it is right',
    VQA: "Another question for each clip. Answer of the black box with its probability, green where it is right",
    ATTRIBUTES: "Probability of the attribute, as a fine-tuned attacker reads it, red where its greater half is true",
}
WIDTH = 26
"""Letters in a line left of a row."""


def draw(rows: Sequence[Row], figure: str, file: Path, folder: Path) -> None:
    """One of the pictures, from the first seed.

    Args:
        rows: The rows.
        figure: Which.
        file: Where the PNG goes.
        folder: Where networks are kept.
    """
    shown = first_seed(rows)
    job = shown[0].job
    test = experiment_of(job).test
    examples = draw_examples(test, int(job["examples"]))[figure]
    columns = {row.job.method: _column(row, examples, test, folder) for row in shown}
    draw_clips(
        file,
        columns,
        heading=HEADINGS[figure].format(main=examples[0].subject),
        rows=[_label(figure, one, test) for one in examples],
        caption=sentence(rows, figure),
    )
    _reduce_colours(file)


def _reduce_colours(file: Path) -> None:
    """A picture in 256 colours takes a quarter of the repository's room."""
    from PIL import Image

    with Image.open(file) as picture:
        reduced = picture.convert("RGB").quantize(256)
    reduced.save(file, optimize=True)


def _column(row: Row, examples: Sequence[Example], test: Clips, folder: Path) -> list[Shown]:
    """The examples as a method shows them."""
    method = method_of(row.job, kept_networks(row.job, folder))
    frames = method.anonymize(test.select([one.row for one in examples]).load())
    return [
        Shown(clip, said_of(row, one), is_right(row, one, test) != one.is_attribute)
        for clip, one in zip(frames, examples, strict=True)
    ]


def _label(figure: str, example: Example, test: Clips) -> str:
    """What stands left of a row: the clip, and what is true of it."""
    lines = [test.names[example.row], *([f"{example.subject}?"] if figure == VQA else []), example.truth(test)]
    return "\n".join(textwrap.fill(line, WIDTH) for line in lines)
