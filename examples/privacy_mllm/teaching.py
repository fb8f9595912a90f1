"""A guide that the black box teaches: what was paid for is learned from, so its gradient comes near the real one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.asking import Question
from privacy_mllm.devices import to_pictures
from privacy_mllm.guiding import Guide
from privacy_mllm.methods.surrogates.steps import descend
from privacy_mllm.metrics import same_words
from privacy_mllm.oracles.protocol import Answer

LESSON = 32
"""Remembered answers in a step of its training."""


@dataclass(frozen=True)
class Lesson:
    """What the black box said.

    Args:
        clip: The clip as it was sent, ``uint8 [t, 3, h, w]``.
        question: The question.
        belief: Probability of each answer that the guide knows, ``[a]``.
    """

    clip: Tensor
    question: str
    belief: Tensor


class TaughtGuide(Guide):
    r"""Learns the right answers from raw clips, and then the black box's own answers about anonymized ones.

    After each step it lowers :math:`KL(p \| q)` from what the black box answered, p, to what it answers itself, q, on
    clips drawn from those last asked about. Where the black box tells no log-probabilities, p is its answer alone. It
    never learns right answers from anonymized clips: it would come to read what the black box cannot.

    Args:
        *arguments: As of :class:`Guide`.
        memory: Answers that it remembers, the latest ones.
        **options: As of :class:`Guide`; ``refreshes`` are steps on what it remembers.

    Reference:
        Hinton et al. (2015), arXiv 1503.02531, distillation; Papernot et al. (2017), ASIA CCS, a substitute taught by
        the answers of a black box.
    """

    def __init__(self, *arguments: Any, memory: int, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        self._heard: list[tuple[Question, Answer]] = []
        self._memory: deque[Lesson] = deque(maxlen=memory)

    def prepare(self, _anonymizer: nn.Module) -> None:
        """Learn from the beginning, from raw clips."""
        super().prepare(nn.Identity())

    def hear(self, question: Question, answer: Answer) -> None:
        """Keep what the black box said of one of the step's clips until the next refresh."""
        self._heard.append((question, answer))

    def begin_step(self) -> None:
        """Forget what was heard since the last refresh: it was of a step that was broken off."""
        self._heard.clear()

    def refresh(self, _anonymizer: nn.Module) -> None:
        """Learn from what is remembered."""
        # Answers come in any order where several are under way.
        for question, answer in sorted(self._heard, key=lambda pair: pair[0].number):
            belief = self._belief(question.text, answer)
            if belief is not None:
                self._memory.append(Lesson(question.clip, question.text, belief))
        self._heard.clear()
        self.network.train()
        for _ in range(self.refreshes if self._memory else 0):
            drawn = torch.randint(len(self._memory), (LESSON,), generator=self._generator).tolist()
            descend(self._optimizer, self._divergence([self._memory[number] for number in drawn]))
        self.network.eval()

    def state_dict(self) -> dict[str, Any]:
        """All that its next answers and steps depend on."""
        return {**super().state_dict(), "memory": [vars(lesson) for lesson in self._memory]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.
        """
        super().load_state_dict(state)
        self._memory.clear()
        self._memory.extend(Lesson(**lesson) for lesson in state["memory"])

    def _belief(self, question: str, answer: Answer) -> Tensor | None:
        """Probabilities of the known answers, or None where nothing can be learned."""
        known = self.answers.get(question, ())
        if answer.logprobs is not None and any(word in answer.logprobs for word in known):
            return torch.tensor([answer.logprobs.get(word, -torch.inf) for word in known]).softmax(0)
        said = torch.tensor([same_words(word, answer.text) for word in known], dtype=torch.float32)
        return said if said.sum() == 1 else None

    def _divergence(self, lessons: list[Lesson]) -> Tensor:
        clips = to_pictures(torch.stack([lesson.clip for lesson in lessons]), self.device)
        beliefs = self.beliefs(clips)
        parts = [
            F.kl_div(beliefs[lesson.question][row], lesson.belief.to(self.device), reduction="sum")
            for row, lesson in enumerate(lessons)
        ]
        return torch.stack(parts).mean()
