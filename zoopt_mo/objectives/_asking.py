"""Asking a judge: known answers are taken from the ledger, new ones kept, failures counted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo.evaluation import (
    Failure,
    Judge,
    Outcome,
    QueryError,
    Reply,
    TooManyFailures,
    Usage,
    payload_key,
    until_stopped,
)
from zoopt_mo.ledger import Entry, Ledger, Place
from zoopt_mo.objectives._policy import QueryPolicy
from zoopt_mo.objectives._tally import Tally

Values = npt.NDArray[np.float64]
Score = Callable[[Any, Any], float]

_NOT_FINITE = "the loss must be finite, got {}"
_LONGEST_ERROR = 500  # characters kept of a message
_ONE = Usage()


@dataclass(frozen=True)
class Question:
    """One query that is due.

    Args:
        place: Which query of the run.
        payload: What is asked.
        radius: Distance of its probe, over the square root of ``p``.
    """

    place: Place
    payload: Any
    radius: float


class Asker:
    """Puts the queries of one objective to a judge.

    Args:
        policy: How.
        score: From payload and reply to the loss; None where the reply is the loss.
    """

    def __init__(self, policy: QueryPolicy, score: Score | None) -> None:
        self.policy, self.score = policy, score
        self.tally = Tally()
        """What the queries took."""
        self.failures: list[Failure] = []
        """Queries that brought no loss since the last :meth:`begin_round`."""
        self.seed: int | None = None
        self._in_row = 0
        self._last_straw: tuple[int, Failure, Exception | None] | None = None

    def begin_round(self, objective: str, number: int, seed: int | None = None) -> None:
        """Forget the failures of the round before.

        Args:
            objective: Name of the objective.
            number: The round; the same as before where its queries are put once more.
            seed: Seed of the directions, for the record.
        """
        self.seed, self.failures = seed, []
        if self.policy.ledger is not None:
            self.tally.add_given_up(*self.policy.ledger.given_up(objective, number))
            self.tally.forget(number - self.policy.max_failures - 1)  # a failed step goes back no further

    def give_up(self, objective: str, first: int) -> None:
        """Let the failed queries of a round and all that followed be asked again when the run is gone on with.

        Args:
            objective: Name of the objective.
            first: The round.
        """
        ledger = self.policy.ledger
        if ledger is not None:
            ledger.void(objective, first)
            self.tally.give_up(first, *ledger.given_up(objective, first))

    def ask(self, judge: Judge, questions: Sequence[Question]) -> Values:
        """The losses ``[q]``, NaN where a query failed.

        Args:
            judge: Whom to ask.
            questions: What is asked.

        Raises:
            TooManyFailures: If more queries in a row failed than the policy bears.
            RuntimeError: If the ledger cannot be written.
        """
        losses = np.full(len(questions), np.nan)
        ledger = self.policy.ledger
        keys = [""] * len(questions) if ledger is None else [self._key_of(question) for question in questions]
        due: list[int] = []
        twins: list[int] = []
        unknown: set[str] = set()
        for index, (question, key) in enumerate(zip(questions, keys, strict=True)):
            known = None if ledger is None else self._known(ledger, question, key)
            if known is not None:
                losses[index] = self._read(question, known)
            else:
                (twins if self.policy.reuse and key in unknown else due).append(index)
            if known is None or known.error is not None:
                unknown.add(key)
        self._put(judge, questions, keys, due, losses)
        for index in twins if self._last_straw is None else []:
            losses[index] = self._repeat(questions[index], keys[index])
        self._check_failures()
        return losses

    def ask_here(self, place: Place, loss: Callable[[], Any]) -> float:
        """One loss, computed in this thread and kept nowhere: the short way of :meth:`ask`.

        Args:
            place: Which query of the run.
            loss: Says what it is.
        """
        usage = _ONE
        try:
            reply = loss()
            if isinstance(reply, Reply):
                usage, reply = reply.usage, reply.value
            value = float(reply)
            if not math.isfinite(value):
                raise ValueError(_NOT_FINITE.format(value))  # noqa: TRY301 - as a failing loss
        except Exception as error:
            self.tally.add(place, error.usage if isinstance(error, QueryError) else usage, kept=False)
            self._fail(place, _sentence(error), error)
            self._check_failures()
            return math.nan
        self.tally.add(place, usage, kept=False)
        self._in_row = 0
        return value

    def _put(
        self, judge: Judge, questions: Sequence[Question], keys: Sequence[str], due: Sequence[int], losses: Values
    ) -> None:
        """Ask what is due and write the losses; whatever ends it, answers under way are kept."""
        if not due:
            return
        told: set[int] = set()

        def keep(number: int, reply: Any, latency: float) -> None:  # noqa: ANN401
            told.add(number)
            index = due[number]
            entry = self._entry_of(questions[index], keys[index], reply, latency)
            losses[index] = self._keep(questions[index], entry, reply)

        stream = judge.outcomes([questions[index].payload for index in due])
        try:
            for outcome in self._until_given_up(stream):
                keep(*outcome)
        except KeyboardInterrupt:
            for outcome in until_stopped(stream):
                keep(*outcome)
            raise
        finally:
            getattr(stream, "close", _nothing)()
        for number in range(len(due) if self._last_straw is None else 0):
            if number not in told:
                keep(number, QueryError("the judge told nothing of this payload"), 0.0)

    def _until_given_up(self, stream: Iterator[Outcome]) -> Iterator[Outcome]:
        """The outcomes; when too many failed, only those that are under way."""
        for outcome in stream:
            yield outcome
            if self._last_straw:
                break
        if self._last_straw:
            yield from until_stopped(stream)

    def _known(self, ledger: Ledger, question: Question, key: str) -> Entry | None:
        """What the ledger holds; an answer given elsewhere gets a row of its own, without a bill."""
        entry = ledger.recall(question.place, key)
        if entry is not None:
            self.tally.add_known(question.place, entry.usage, void=entry.void)
            return entry
        return self._reused(ledger, question, key) if self.policy.reuse else None

    def _reused(self, ledger: Ledger, question: Question, key: str) -> Entry | None:
        other = ledger.lookup(key)
        if other is None:
            return None
        entry = Entry(question.place, key, other.reply, other.value, None, Usage(0), 0.0, self.seed, question.radius)
        ledger.record(entry)
        return entry

    def _repeat(self, question: Question, key: str) -> float:
        """The loss of a payload that was in the same round before: it is not asked twice."""
        ledger = self.policy.ledger
        entry = None if ledger is None else self._known(ledger, question, key)
        if entry is not None:
            return self._read(question, entry)
        failure = QueryError("the same payload failed in this round", Usage(attempts=0))
        return self._keep(question, self._entry_of(question, key, failure, 0.0), failure)

    def _entry_of(self, question: Question, key: str, outcome: Any, latency: float) -> Entry:  # noqa: ANN401
        """The row of an answer or a failure; a reply that gives no finite loss is a failure, with its bill."""
        usage = outcome.usage if isinstance(outcome, (Reply, QueryError)) else Usage()
        reply, value, error = outcome.value if isinstance(outcome, Reply) else outcome, None, None
        if isinstance(outcome, Exception):
            reply, error = None, _sentence(outcome)
        else:
            try:
                reply, value = self._loss_of(question.payload, reply)
            except Exception as wrong:
                reply, error = None, _sentence(wrong)
        radius = question.radius
        return Entry(question.place, key, reply, value, error, usage, latency, self.seed, radius)

    def _loss_of(self, payload: Any, reply: Any) -> tuple[Any, float]:  # noqa: ANN401
        """The reply as JSON gives it back, and the loss made of that: a replay sees the same."""
        if self.score is None:
            loss = float(reply)
            reply = loss
        else:
            reply = json.loads(json.dumps(reply)) if self.policy.ledger is not None else reply
            loss = float(self.score(payload, reply))
        if not math.isfinite(loss):
            raise ValueError(_NOT_FINITE.format(loss))
        return reply, loss

    def _keep(self, question: Question, entry: Entry, outcome: Any) -> float:  # noqa: ANN401
        """Count and record; the loss, or NaN."""
        self.tally.add(question.place, entry.usage, kept=self.policy.ledger is not None)
        if self.policy.ledger is not None:
            self.policy.ledger.record(entry)
        if entry.error is not None or entry.value is None:
            self._fail(question.place, entry.error or "", outcome if isinstance(outcome, Exception) else None)
            return math.nan
        self._in_row = 0
        return entry.value

    def _read(self, question: Question, entry: Entry) -> float:
        """The loss of a recorded answer, or NaN of a recorded failure, which has been borne before."""
        error = entry.error
        if error is None:
            try:
                loss = self._loss_of(question.payload, entry.reply)[1]
            except Exception as wrong:
                error = _sentence(wrong)
            else:
                self._in_row = 0
                return loss
        self.failures.append(Failure(*question.place, error))
        self._in_row += 1
        return math.nan

    def _fail(self, place: Place, error: str, cause: Exception | None) -> None:
        failure = Failure(*place, error)
        self.failures.append(failure)
        self._in_row += 1
        fatal = isinstance(cause, QueryError) and cause.fatal
        if (fatal or self._in_row > self.policy.max_failures) and self._last_straw is None:
            self._last_straw = (self._in_row, failure, cause)

    def _check_failures(self) -> None:
        """An error where too many failed in a row; they are asked again when the run is gone on with."""
        if self._last_straw is None:
            return
        count, last, cause = self._last_straw
        self._last_straw, self._in_row = None, 0
        self.give_up(last.objective, last.step)
        if isinstance(cause, QueryError) and cause.fatal:
            raise TooManyFailures(f"A query of {last.objective!r} failed, and no other can succeed: {cause}") from cause
        raise TooManyFailures(
            f"{count} queries of {last.objective!r} failed in a row, more than `max_failures` bears "
            f"({self.policy.max_failures}); the last one at step {last.step}, probe {last.probe}: {last.error}"
        ) from cause

    def _key_of(self, question: Question) -> str:
        key = self.policy.key
        payload = question.payload if key is None else key(question.payload)
        return payload_key(payload, salt=question.place.objective if not self.policy.reuse else "")


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]


def _nothing() -> None:
    return None
