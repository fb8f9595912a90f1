"""The one form in which pictures and clips travel through the application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from privacy_mllm.data.lazy import load, take

Answers = Mapping[str, tuple[str, ...]]
"""The questions of one clip, each with the answers that count as right."""


@dataclass(frozen=True)
class Clips:
    """Clips with their private attributes and their questions.

    A picture is a clip of one frame. Everything is on the CPU; frames are bytes, as a camera or a file gives them.

    Args:
        frames: Pictures, ``uint8 [n, t, 3, h, w]``, RGB.
        attributes: 1 where the private attribute can be seen in the clip, else 0; ``float32 [n, k]``.
        attribute_names: Names of the ``k`` attributes.
        answers: One mapping a clip, from question to the accepted answers.
        names: One name a clip, for messages.
        people: How much of each pixel a person covers, ``uint8 [n, t, 1, h, w]``, where it is known.
            Only the classical baselines use it; no trained method sees it.
        apart: Seconds between the pictures of a usual clip, where it is known.
    """

    frames: Tensor
    attributes: Tensor
    attribute_names: tuple[str, ...]
    answers: tuple[Answers, ...]
    names: tuple[str, ...]
    people: Tensor | None = None
    apart: float | None = None

    def __post_init__(self) -> None:
        """Check that all parts speak of the same ``n`` clips."""
        lengths = {len(self.frames), len(self.attributes), len(self.answers), len(self.names)}
        if self.people is not None:
            lengths.add(len(self.people))
        if len(lengths) != 1:
            raise ValueError(f"All parts of `Clips` must have one entry a clip, got lengths {sorted(lengths)}.")
        if self.attributes.shape[1] != len(self.attribute_names):
            raise ValueError(
                f"`attributes` must have one column a name: {self.attributes.shape[1]} columns, "
                f"{len(self.attribute_names)} names."
            )

    def __len__(self) -> int:
        """Number of clips ``n``."""
        return len(self.frames)

    def head(self, count: int) -> Clips:
        """The first ``count`` clips."""
        return replace(
            self,
            frames=self.frames[:count],
            attributes=self.attributes[:count],
            answers=self.answers[:count],
            names=self.names[:count],
            people=None if self.people is None else self.people[:count],
        )

    def select(self, rows: Sequence[int]) -> Clips:
        """Some of the clips, in the order given; pictures that are read when they are needed stay unread.

        Args:
            rows: Their numbers.

        Raises:
            IndexError: If a number is out of range.
        """
        return replace(
            self,
            frames=take(self.frames, rows),
            attributes=take(self.attributes, rows),
            answers=tuple(self.answers[row] for row in rows),
            names=tuple(self.names[row] for row in rows),
            people=None if self.people is None else take(self.people, rows),
        )

    def load(self) -> Clips:
        """The same clips with all of their pictures in memory."""
        return replace(self, frames=load(self.frames), people=None if self.people is None else load(self.people))

    def with_frames(self, frames: Tensor) -> Clips:
        """The same clips with other pictures, for example anonymized ones ``uint8 [n, t, 3, h, w]``."""
        return replace(self, frames=frames)


def all_questions(clips: Clips) -> list[str]:
    """The questions of the clips, each once, in the order in which they first occur."""
    return list(dict.fromkeys(question for answers in clips.answers for question in answers))
