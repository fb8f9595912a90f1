"""What each step of a training looks at: clips with a question each, and labelled pictures.

The clips of the next step are read while the present one computes. For that the next draws are looked up, not made: the
generator, and so a resumed run, knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.ahead import ReadAhead
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.lazy import Index
from privacy_mllm.devices import send
from privacy_mllm.drawing import Draw


@dataclass(frozen=True)
class Judged:
    """Labelled pictures, on the networks' device.

    Args:
        pictures: Single pictures, ``float32 [p, 3, h, w]`` in [0, 1], or for an anonymizer that looks at whole clips
            these, ``[p, t, 3, h, w]``.
        times: Of clips, the picture of each that is judged, ``long [p]``; else None.
        labels: The attributes, ``float32 [p, k]``.
    """

    pictures: Tensor
    times: Tensor | None
    labels: Tensor

    def shown(self, anonymizer: nn.Module) -> Tensor:
        """What an anonymizer makes of the pictures that are judged, ``[p, 3, h, w]``.

        Args:
            anonymizer: The network.
        """
        shown: Tensor = anonymizer(self.pictures)
        return shown if self.times is None else shown[torch.arange(len(shown)), self.times]


@dataclass(frozen=True)
class StepBatch:
    """What one step looks at; pictures are on the networks' device.

    Args:
        rows: Numbers of the clips that are asked about, ``long [b]``.
        frames: These clips, ``uint8 [b, t, 3, h, w]``.
        questions: A question for each.
        targets: Its right answers.
        judged: What the reviewer judges.
    """

    rows: Tensor
    frames: Tensor
    questions: list[str]
    targets: list[tuple[str, ...]]
    judged: Judged


class StepBatches:
    """Draws the batches of a training, one a step.

    Args:
        config: The settings.
        pool: The clips that are asked about.
        private: The labelled clips.
        scheduler: Chooses clips by what was answered, with the schedule "adaptive".
        device: Where the networks are.
        whole: Whether the anonymizer looks at whole clips.
    """

    def __init__(
        self,
        config: TrainConfig,
        pool: Clips,
        private: Clips,
        scheduler: zo.SampleScheduler,
        device: torch.device,
        *,
        whole: bool = False,
    ) -> None:
        self._whole = whole
        self.config, self.pool, self.private = config, pool, private
        self.question = config.question or all_questions(pool)[0]
        self._scheduler, self._device = scheduler, device
        self._asked, self._judged = ReadAhead(pool.frames), ReadAhead(private.frames)
        self._generator = torch.Generator().manual_seed(config.seed)
        self._more = torch.Generator().manual_seed(config.seed + 1)  # apart, for the next step's draws are looked up
        self._order = torch.empty(0, dtype=torch.long)  # clips of the pool that are still to be asked about

    def draw(self, *, is_last: bool) -> StepBatch:
        """The next batch.

        Args:
            is_last: Whether no other will be wanted; else that one begins to be read.
        """
        adaptive = self.config.schedule == "adaptive"
        rows = torch.from_numpy(self._scheduler.draw(self.config.batch)) if adaptive else self._next_in_turn()
        shares, judged = self._draw_shares(), self._draw_judged()
        questions = [self._choose_question(row, *pair) for row, pair in zip(rows.tolist(), shares, strict=True)]
        frames, pictures = self._asked.take(rows), self._judged.take(self._index(judged))
        if not is_last:
            self._read_ahead()
        return StepBatch(
            rows,
            send(frames, self._device),
            questions,
            [self.pool.answers[row][question] for row, question in zip(rows.tolist(), questions, strict=True)],
            self._judge(judged, pictures),
        )

    def draw_more(self) -> Judged:
        """Further pictures for the reviewer."""
        draw = Draw.of(self.private.frames, self.config.privacy_batch, self._more, one_frame=True)
        return self._judge(draw, self.private.frames[self._index(draw)])

    def state_dict(self) -> dict[str, Any]:
        """What the next draws depend on."""
        state = {"generator": self._generator.get_state(), "order": self._order}
        return {**state, "more": self._more.get_state()} if self.config.reviewer_refreshes else state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self._generator.set_state(state["generator"])
        self._order = state["order"]
        if "more" in state:
            self._more.set_state(state["more"])

    def _read_ahead(self) -> None:
        """Begin to read what the next step will draw; an adaptive schedule does not know its clips before this one."""
        if not (self._asked.is_lazy or self._judged.is_lazy):
            return
        state = self.state_dict()
        if self.config.schedule != "adaptive":
            self._asked.expect(self._next_in_turn())
        self._draw_shares()
        self._judged.expect(self._index(self._draw_judged()))
        self.load_state_dict(state)

    def _next_in_turn(self) -> Tensor:
        """Every clip of the pool once, in random order, then again."""
        size = self.config.batch
        if len(self._order) < size:
            self._order = torch.randperm(len(self.pool), generator=self._generator)
        rows, self._order = self._order[:size], self._order[size:]
        return rows

    def _draw_shares(self) -> list[list[float]]:
        """Two numbers in [0, 1) for each clip, which decide its question."""
        return [torch.rand(2, generator=self._generator).tolist() for _ in range(self.config.batch)]

    def _draw_judged(self) -> Draw:
        return Draw.of(self.private.frames, self.config.privacy_batch, self._generator, one_frame=True)

    def _index(self, draw: Draw) -> Index:
        """What is read: the pictures themselves, or their clips."""
        return draw.rows if self._whole else draw.index

    def _judge(self, draw: Draw, read: Tensor) -> Judged:
        times = draw.times if self._whole else None
        return Judged(draw.show(read, self._device), times, draw.labels(self.private.attributes, self._device))

    def _choose_question(self, row: int, main: float, other: float) -> str:
        """The main question with its share of the queries, else one of the clip's others: untrained ones collapse."""
        questions = list(self.pool.answers[row])
        others = [question for question in questions if question != self.question]
        if self.question in questions and (not others or main < self.config.question_share):
            return self.question
        return others[int(other * len(others))]
