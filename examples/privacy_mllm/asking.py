"""The one way to the black box: every call is counted, kept in the run's ledger, and may fail without harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.oracles.protocol import Answer, Oracle
from privacy_mllm.utility import Target, utility_loss

MAX_FAILURES = 20


@dataclass(frozen=True)
class Question:
    """One call.

    Args:
        clip: ``uint8 [t, 3, h, w]``.
        text: The question.
        targets: Its right answers, which the black box does not see.
        number: Its place among those that are asked together.
    """

    clip: Tensor
    text: str
    targets: Target
    number: int = 0


class Desk:
    """Puts questions to an oracle, for training and for judging alike.

    Args:
        oracle: The black box.
        ledger: Where answers are kept; None keeps none.
        max_failures: Failed calls in a row that are borne.
        repeats_exactly: Whether questions that are put again, by another process, have the same pictures bit for bit.
            Otherwise recorded answers count where they do, and the rest is asked again.
    """

    def __init__(
        self,
        oracle: Oracle,
        ledger: zo.Ledger | None = None,
        *,
        max_failures: int = MAX_FAILURES,
        repeats_exactly: bool = True,
    ) -> None:
        self.oracle, self.repeats_exactly = oracle, repeats_exactly
        self._pool = None if oracle.concurrency is None else ThreadPoolExecutor(oracle.concurrency)
        self.judge = self._ask_all if self._pool is None else self._in_threads(self._pool)
        self.queries = zo.QueryPolicy(
            ledger=ledger,
            reuse=ledger is not None and oracle.deterministic,
            key=lambda question: (oracle.name, question.text, question.clip),
            max_failures=max_failures,
        )

    def score(
        self, kind: str, hear: Callable[[Question, Answer], None] = lambda _question, _answer: None
    ) -> Callable[[Question, Any], float]:
        """From a question and a kept answer to the loss of utility.

        Args:
            kind: Kind of :func:`privacy_mllm.utility.utility_loss`.
            hear: Told of each answer, those that the ledger had too, in the order in which they come.
        """

        def read(question: Question, kept: Any) -> float:  # noqa: ANN401
            answer = Answer.from_json(kept)
            hear(question, answer)
            return float(utility_loss([answer], [question.targets], kind))

        return read

    def losses(self, questions: Sequence[Question], kind: str, *, name: str, step: int = 0) -> zo.Asked:
        """Losses of utility of questions that are asked beside the training.

        Args:
            questions: What is asked, a call each.
            kind: Kind of loss.
            name: What for; the ledger keeps them under it.
            step: Number of the round under this name.
        """
        self.let_pictures_differ(name, step)
        return zo.ask(self.judge, questions, name=name, step=step, score=self.score(kind), queries=self.queries)

    def answers(self, questions: Sequence[Question], *, name: str) -> list[str]:
        """What the black box says to each question; empty where a call failed.

        Args:
            questions: What is asked, a call each.
            name: What for; the ledger keeps them under it.
        """
        texts = [""] * len(questions)
        numbers = {id(question): number for number, question in enumerate(questions)}

        def read(question: Question, kept: Any) -> float:  # noqa: ANN401
            texts[numbers[id(question)]] = Answer.from_json(kept).text
            return 0.0

        self.let_pictures_differ(name)
        zo.ask(self.judge, questions, name=name, score=read, queries=self.queries)
        return texts

    def let_pictures_differ(self, name: str, step: int = 0) -> None:
        """Where pictures do not repeat exactly: allow for others than were asked about before.

        Answers that are asked for again are billed again, so limits on calls and money may be passed by as many.

        Args:
            name: What was asked for.
            step: The first round of it that may differ.
        """
        if not self.repeats_exactly and self.queries.ledger is not None:
            self.queries.ledger.void(name, step)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()

    def __enter__(self) -> Desk:
        """The desk itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _in_threads(self, pool: ThreadPoolExecutor) -> zo.Judge:
        # No more than run at once are handed out: what a killed process asked and did not record is as many at most.
        return zo.parallel(self._ask_one, pool, concurrency=self.oracle.concurrency)

    def _ask_all(self, questions: list[Question]) -> list[zo.Reply]:
        clips = torch.stack([question.clip for question in questions])
        answers = self.oracle.ask(clips, [question.text for question in questions])
        return [zo.Reply(answer.to_json(), answer.usage) for answer in answers]

    def _ask_one(self, question: Question) -> zo.Reply:
        (answer,) = self.oracle.ask(question.clip[None], [question.text])
        return zo.Reply(answer.to_json(), answer.usage)
