"""Clips as a white-box method trains on them: numbered actions beside the private attributes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data.clips import Clips, all_questions


@dataclass(frozen=True)
class Batch:
    """A few clips.

    Args:
        clips: In [0, 1], ``float32 [b, t, 3, h, w]``.
        actions: Index of the right answer to the main question, ``int64 [b]``.
        attributes: 0 or 1, ``float32 [b, k]``.
    """

    clips: Tensor
    actions: Tensor
    attributes: Tensor


@dataclass(frozen=True)
class LabelledClips:
    """Clips whose main question has a known answer.

    Args:
        frames: ``uint8 [n, t, 3, h, w]``.
        actions: Index into ``classes``, ``int64 [n]``.
        attributes: 0 or 1, ``float32 [n, k]``.
        classes: The answers, sorted.
    """

    frames: Tensor
    actions: Tensor
    attributes: Tensor
    classes: tuple[str, ...]

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Random clips with replacement; half of the batches are mirrored as a whole."""
        chosen = torch.randint(len(self.frames), (count,), generator=generator)
        clips = self.frames[chosen].float() / 255
        if torch.rand((), generator=generator) < 0.5:
            clips = clips.flip(-1)
        return Batch(clips, self.actions[chosen], self.attributes[chosen].float())


def label_clips(clips: Clips, question: str = "") -> LabelledClips:
    """The clips that are asked one question, its answers as classes.

    Where several answers count as right, the first of them is the class.

    Args:
        clips: Labelled clips.
        question: The main question; empty takes the first of the clips.

    Raises:
        ValueError: If fewer than two answers to the question occur: there is nothing to learn then.
    """
    asked = question or next(iter(all_questions(clips)), "")
    having = [index for index, answers in enumerate(clips.answers) if answers.get(asked)]
    said = [clips.answers[index][asked][0] for index in having]
    classes = tuple(sorted(set(said)))
    if len(classes) < 2:
        raise ValueError(f"`clips` must have at least two answers to {asked!r}, got {list(classes)}.")
    actions = torch.tensor([classes.index(answer) for answer in said])
    return LabelledClips(clips.frames[having], actions, clips.attributes[having], classes)
