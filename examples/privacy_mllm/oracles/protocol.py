"""What the application asks of a multimodal model, whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

import zoopt_mo as zo


@dataclass(frozen=True)
class Answer:
    """What the model said about one clip.

    Args:
        text: The answer in words.
        logprobs: Log-probability of each candidate answer where the service returns them, else None.
        ranked: Further answers, best first and ``text`` among them, where the service was asked for several.
        usage: What the answer took from the service.
    """

    text: str
    logprobs: Mapping[str, float] | None = None
    ranked: tuple[str, ...] = ()
    usage: zo.Usage = field(default_factory=zo.Usage)

    def to_json(self) -> dict[str, Any]:
        """The answer without its bill, as the ledger keeps it."""
        return {"text": self.text, "logprobs": self.logprobs, "ranked": list(self.ranked)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Answer:
        """The answer that :meth:`to_json` wrote."""
        return cls(content["text"], content["logprobs"], tuple(content["ranked"]))


class Oracle(Protocol):
    """A black box that looks at clips and answers questions. One call is one clip with one question."""

    name: str
    """What its answers depend on, such as service, model and form of the prompt; it never holds a key."""

    num_calls: int
    """Calls so far, retries included; this is what a cloud would bill."""

    concurrency: int | None
    """Calls that may run at the same time, each of one clip; None where one call takes a whole batch."""

    deterministic: bool
    """Whether the same clip and question always get the same answer, so that a recorded one may be used again."""

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        """Answer ``questions[i]`` about ``clips[i]``; clips are ``uint8 [b, t, 3, h, w]``, as a file holds them.

        Raises:
            zoopt_mo.QueryError: If the service gave no usable answer, with what it took.
        """
        ...

    def can_answer(self, question: str, answer: str) -> bool:
        """Whether ``answer`` can be this model's answer to ``question``; costs no call."""
        ...
