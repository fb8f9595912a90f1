"""Folders of clips for tests: rendered noise, real photographs, and slips of the pen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from skimage import data
from torch import Tensor

from privacy_mllm.data.clips import Clips
from privacy_mllm.oracles.protocol import Answer

PHOTOGRAPHS = Path(data.__file__).parent
QUESTION = "what is the person doing"


class Talker:
    """An oracle that knows two answers and must not be asked."""

    name = "talker"
    num_calls = 0
    concurrency: int | None = None
    deterministic = True

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        raise AssertionError("a query was made")

    def can_answer(self, question: str, answer: str) -> bool:
        return question == QUESTION and answer in ("waving", "walking")


def make_clips(count: int = 3, frames: int = 4, *, people: bool = True, prefix: str = "clip") -> Clips:
    generator = torch.Generator().manual_seed(len(prefix))

    def random(channels: int) -> Tensor:
        shape = (count, frames, channels, 64, 64)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    return Clips(
        frames=random(3),
        attributes=torch.tensor([[index % 2, 1.0] for index in range(count)]),
        attribute_names=("face", "skin_color"),
        answers=tuple({QUESTION: ("waving",), f"é? {index}": ("a, b", 'c"')} for index in range(count)),
        names=tuple(f"{prefix}-{index:02d}" for index in range(count, 0, -1)),  # not in alphabetical order
        people=random(1) if people else None,
    )


def assert_same(first: Clips, second: Clips) -> None:
    assert torch.equal(first.frames, second.frames)
    assert first.frames.dtype == second.frames.dtype
    assert torch.equal(first.attributes, second.attributes)
    assert first.attributes.dtype == second.attributes.dtype
    assert first.attribute_names == second.attribute_names
    assert first.names == second.names
    assert first.answers == second.answers
    assert [list(answers) for answers in first.answers] == [list(answers) for answers in second.answers]
    assert (first.people is None) == (second.people is None)
    assert first.people is None or second.people is None or torch.equal(first.people, second.people)


def make_photographs(folder: Path) -> Path:
    """Three real photographs with a question each, without the column `split`."""
    for name in ("astronaut", "coffee", "chelsea"):
        shutil.copy(PHOTOGRAPHS / f"{name}.png", folder)
    lines = ["file,face,skin_color", "astronaut.png,1,1", "coffee.png,0,0", "chelsea.png,0,1"]
    (folder / "attributes.csv").write_text("\n".join(lines) + "\n")
    write_questions(folder, ["astronaut.png", "coffee.png", "chelsea.png"])
    return folder


def write_questions(folder: Path, files: Sequence[str], **changes: object) -> None:
    entries = [{"file": file, "question": QUESTION, "answers": ["waving"], **changes} for file in files]
    (folder / "questions.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def replace_line(file: Path, number: int, line: str) -> None:
    lines = file.read_text().splitlines()
    lines[number - 1 : number] = [line]
    file.write_text("\n".join(lines) + "\n")
