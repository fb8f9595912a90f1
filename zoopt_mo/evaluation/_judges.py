"""What every judge is, and the one that takes all payloads at once."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from zoopt_mo.evaluation._outcomes import Reply


class Outcome(NamedTuple):
    """What came of one payload.

    Args:
        number: Which of the payloads.
        reply: What the judge said of it, or the exception that it raised.
        latency: Seconds that it took.
    """

    number: int
    reply: Any
    latency: float


class StopAsking(Exception):  # noqa: N818 - a signal, not an error
    """Thrown into the stream of a judge's outcomes: begin no further call, but give what is under way."""


class Judge(ABC):
    """Says what payloads are worth. Use :func:`zoopt_mo.parallel` or :func:`zoopt_mo.concurrent`.

    A judge is called with a list of payloads ``[q]`` and returns what it says of each, in order.
    """

    @abstractmethod
    def outcomes(self, payloads: Sequence[Any]) -> Iterator[Outcome]:
        """What came of each payload, as soon as it is known, in any order.

        When ``StopAsking`` is thrown in, no further call begins; what is under way is still given.

        Args:
            payloads: The payloads ``[q]``.
        """

    def __call__(self, payloads: Sequence[Any]) -> list[Any]:
        """What the judge says of each payload, in order; raises the first exception."""
        found = sorted(self.outcomes(payloads), key=lambda outcome: outcome.number)
        for outcome in found:
            if isinstance(outcome.reply, Exception):
                raise outcome.reply
        return [outcome.reply.value if isinstance(outcome.reply, Reply) else outcome.reply for outcome in found]


class WholeJudge(Judge):
    """A plain function that takes all payloads and returns one reply a payload, exceptions among them.

    Args:
        function: The function.
        name: Of the objective, for messages.
    """

    def __init__(self, function: Callable[[list[Any]], Any], name: str) -> None:
        self.function, self.name = function, name

    def outcomes(self, payloads: Sequence[Any]) -> Iterator[Outcome]:
        """What came of each payload; an exception of the function is one of every payload."""
        started = time.perf_counter()
        try:
            replies = self._replies(list(payloads))
        except Exception as error:
            replies = [error] * len(payloads)
        latency = (time.perf_counter() - started) / max(len(payloads), 1)
        for number, reply in enumerate(replies):
            with contextlib.suppress(StopAsking):  # all of it is paid for
                yield Outcome(number, reply, latency)

    def _replies(self, payloads: list[Any]) -> list[Any]:
        replies = _as_list(self.function(payloads))
        if len(replies) != len(payloads):
            raise ValueError(
                f"`judge` of {self.name!r} must return {len(payloads)} losses, one a payload, got {len(replies)}."
            )
        return replies


def until_stopped(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """What is under way, after the stream was told to begin no further call.

    Args:
        outcomes: The stream of a judge.
    """
    throw = getattr(outcomes, "throw", None)
    if throw is None:
        return
    try:
        yield throw(StopAsking())
        yield from outcomes
    except (StopAsking, StopIteration):
        return


def _as_list(replies: Any) -> list[Any]:  # noqa: ANN401
    return replies.reshape(-1).tolist() if isinstance(replies, (Tensor, np.ndarray)) else list(replies)
