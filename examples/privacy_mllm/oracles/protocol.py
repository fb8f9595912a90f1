"""What the application asks of a multimodal model, whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Answer:
    """What the model said about one clip.

    Args:
        text: The answer in words.
        logprobs: Log-probability of each candidate answer where the service returns them, else None.
    """

    text: str
    logprobs: Mapping[str, float] | None = None


class Oracle(Protocol):
    """A black box that looks at clips and answers questions. One call is one clip with one question."""

    num_calls: int
    """Calls answered so far; this is what a cloud would bill."""

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        """Answer ``questions[i]`` about ``clips[i]``; clips are ``uint8 [b, t, 3, h, w]``, as a file holds them."""
        ...

    def can_answer(self, question: str, answer: str) -> bool:
        """Whether ``answer`` can be this model's answer to ``question``; costs no call."""
        ...
