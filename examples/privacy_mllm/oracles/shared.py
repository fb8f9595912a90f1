"""One black box for several trainings at the same time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock

from torch import Tensor

from privacy_mllm.oracles.protocol import Answer, Oracle


class Shared:
    """An oracle that several threads may ask; where its calls take whole batches, they wait for each other.

    Args:
        oracle: The oracle.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._turn: AbstractContextManager[object] = Lock() if oracle.concurrency is None else nullcontext()
        self.name, self.concurrency, self.deterministic = oracle.name, oracle.concurrency, oracle.deterministic
        self.num_calls = oracle.num_calls

    def always_asked(self) -> Shared:
        """The same black box for one to whom recorded answers of others do not count: its calls are its own."""
        other = copy.copy(self)
        other.deterministic = False
        return other

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        """As of the oracle.

        Args:
            clips: ``uint8 [b, t, 3, h, w]``.
            questions: One question a clip.
        """
        with self._turn:
            answers = self._oracle.ask(clips, questions)
            self.num_calls = self._oracle.num_calls
            return answers

    def can_answer(self, question: str, answer: str) -> bool:
        """As of the oracle; costs no call."""
        return self._oracle.can_answer(question, answer)
