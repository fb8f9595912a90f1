"""Which test clips are shown: a fixed seed draws them, nobody chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from privacy_mllm.data.clips import Clips, all_questions

Thing = TypeVar("Thing")

DRAW_SEED = 0
ACTION, VQA, ATTRIBUTES = "action", "vqa", "attributes"


@dataclass(frozen=True)
class Example:
    """One clip of a figure.

    Args:
        name: Its name in the fields of rows, such as "action 1".
        row: Its number among the test clips.
        subject: The question that is asked, or the attribute that is looked for.
        is_attribute: Whether it is an attribute.
    """

    name: str
    row: int
    subject: str
    is_attribute: bool = False

    def truth(self, clips: Clips) -> str:
        """The right answer, or whether the attribute can be seen."""
        if self.is_attribute:
            return f"{self.subject}: {'there' if self.is_there(clips) else 'not there'}"
        return clips.answers[self.row][self.subject][0]

    def is_there(self, clips: Clips) -> bool:
        """Whether the attribute can be seen in the clip."""
        return bool(clips.attributes[self.row, clips.attribute_names.index(self.subject)])


def draw_examples(clips: Clips, count: int) -> dict[str, list[Example]]:
    """The examples of each figure.

    Figure 5 has clips with the main question; figure 6 others, each with one of the other questions; figure 7 for each
    attribute a clip where it can be seen and one where it can't.

    Args:
        clips: The test clips, of which all questions are asked.
        count: Clips of figures 5 and 6 each.

    Raises:
        ValueError: If there are fewer clips than these figures need.
    """
    if len(clips) < 2 * count:
        raise ValueError(f"`clips` must hold {2 * count} clips for two figures of {count}, got {len(clips)}.")
    generator = torch.Generator().manual_seed(DRAW_SEED)
    order = torch.randperm(len(clips), generator=generator).tolist()
    main, *others = all_questions(clips)
    found = {
        ACTION: [Example(f"{ACTION} {place + 1}", row, main) for place, row in enumerate(order[:count])],
        VQA: [
            Example(f"{VQA} {place + 1}", row, _one_of(others, generator))
            for place, row in enumerate(order[count : 2 * count])
        ],
        ATTRIBUTES: [],
    }
    for column, name in enumerate(clips.attribute_names):
        for where, label in (("there", 1), ("not there", 0)):
            rows = (clips.attributes[:, column] == label).nonzero().flatten().tolist()
            if rows:
                found[ATTRIBUTES].append(Example(f"{name}, {where}", _one_of(rows, generator), name, is_attribute=True))
    return found


def _one_of(things: Sequence[Thing], generator: torch.Generator) -> Thing:
    return things[int(torch.randint(len(things), (), generator=generator))]
