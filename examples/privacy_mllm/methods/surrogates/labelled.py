"""Clips as a white-box method trains on them: those with numbered actions, and those with private attributes.

Where one data set has both labels they are the same clips. Else two are drawn from, each with its own labels: clips of
actions, and clips or still pictures of private attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.lazy import take
from privacy_mllm.drawing import Draw, show_ahead

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Batch:
    """What one round looks at.

    Args:
        clips: Clips whose actions are known, in [0, 1], ``float32 [b, t, 3, h, w]``.
        actions: Index of the right answer to the main question, ``int64 [b]``.
        private: Clips whose attributes are known, ``float32 [p, s, 3, v, u]``; ``clips`` itself if they are the same.
        attributes: 0 or 1, ``float32 [p, k]``.
    """

    clips: Tensor
    actions: Tensor
    private: Tensor
    attributes: Tensor

    @property
    def sources(self) -> tuple[Tensor, ...]:
        """The clips of each source, each once."""
        return (self.clips,) if self.private is self.clips else (self.clips, self.private)


@dataclass(frozen=True)
class LabelledClips:
    """Clips whose main question has a known answer, and clips with private attributes.

    Args:
        frames: ``uint8 [n, t, 3, h, w]``.
        actions: Index into ``classes``, ``int64 [n]``.
        classes: The answers, sorted.
        private: ``uint8 [m, s, 3, v, u]``, still pictures if s = 1; ``frames`` itself if they are the same.
        attributes: 0 or 1, ``float32 [m, k]``.
        device: Where batches go.
    """

    frames: Tensor
    actions: Tensor
    classes: tuple[str, ...]
    private: Tensor
    attributes: Tensor
    device: torch.device = CPU

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """As many random clips of each source; of one source, the same clips with both labels."""
        return next(self.draw_ahead(1, count, generator))

    def draw_ahead(self, steps: int, count: int, generator: torch.Generator) -> Iterator[Batch]:
        """What :meth:`draw` gives, one step after another; see :func:`show_ahead`.

        All is drawn at the first step, so nothing else may draw from the generator in between.
        """
        is_one = self.private is self.frames
        sources = (self.frames,) if is_one else (self.frames, self.private)
        draws = [[Draw.of(frames, count, generator) for frames in sources] for _ in range(steps)]
        shown = [
            show_ahead(frames, [each[place] for each in draws], self.device) for place, frames in enumerate(sources)
        ]
        for chosen, clips in zip(draws, zip(*shown, strict=True), strict=True):
            yield Batch(clips[0], self._actions(chosen[0]), clips[-1], chosen[-1].labels(self.attributes, self.device))

    def draw_actions(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random clips with their actions, ``[b, t, 3, h, w]`` and ``[b]``; those with attributes are not read."""
        return next(self.draw_actions_ahead(1, count, generator))

    def draw_actions_ahead(self, steps: int, count: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """What :meth:`draw_actions` gives, one step after another, as in :meth:`draw_ahead`."""
        draws = [Draw.of(self.frames, count, generator) for _ in range(steps)]
        for draw, clips in zip(draws, show_ahead(self.frames, draws, self.device), strict=True):
            yield clips, self._actions(draw)

    def draw_private(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random clips with their attributes, ``[p, s, 3, v, u]`` and ``[p, k]``; those with actions are not read."""
        return next(self.draw_private_ahead(1, count, generator))

    def draw_private_ahead(self, steps: int, count: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """What :meth:`draw_private` gives, one step after another, as in :meth:`draw_ahead`."""
        draws = [Draw.of(self.private, count, generator) for _ in range(steps)]
        for draw, clips in zip(draws, show_ahead(self.private, draws, self.device), strict=True):
            yield clips, draw.labels(self.attributes, self.device)

    def _actions(self, draw: Draw) -> Tensor:
        return self.actions[draw.rows].to(self.device)


def label_clips(
    clips: Clips, question: str = "", private: Clips | None = None, *, device: torch.device = CPU
) -> LabelledClips:
    """The clips that are asked one question, its answers as classes, beside those with private attributes.

    Where several answers count as right, the first of them is the class. Frames that are read when they are needed stay
    unread.

    Args:
        clips: Clips with questions.
        question: The main question; empty takes the first of the clips.
        private: Clips with private attributes; None for those that are asked the question.
        device: Where batches go.

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
    frames = take(clips.frames, having)
    if private is None:
        return LabelledClips(frames, actions, classes, frames, clips.attributes[having], device)
    return LabelledClips(frames, actions, classes, private.frames, private.attributes, device)
