"""What may come of a query: a reply, or a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoopt_mo._checks import check_count, check_non_negative


@dataclass(frozen=True)
class Usage:
    """What a query took from a service.

    Args:
        attempts: Times that the service was asked, retries included; 0 for an answer from the ledger.
        tokens_in: Tokens sent, as the service counts them.
        tokens_out: Tokens received.
        cost: Price, in the user's currency.
    """

    attempts: int = 1
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    def __post_init__(self) -> None:
        """Check that nothing is negative."""
        for name in ("attempts", "tokens_in", "tokens_out"):
            check_count(name, getattr(self, name), least=0)
        check_non_negative("cost", self.cost)


@dataclass(frozen=True)
class Reply:
    """What a judge may return in the place of a bare loss: the same with its bill.

    Args:
        value: The loss; or, for a :class:`zoopt_mo.BlackBox` with ``score``, anything that JSON can hold.
        usage: What it took.
    """

    value: Any
    usage: Usage = Usage()


class QueryError(RuntimeError):
    """A query that failed, with its bill: a judge raises it (or any other exception) for one payload.

    Args:
        message: What went wrong; it is kept in the ledger, so it must hold no secret.
        usage: What the attempts took.
        fatal: Whether no other query can succeed either, such as with a wrong key: then the run ends at once.
    """

    def __init__(self, message: str, usage: Usage = Usage(), fatal: bool = False) -> None:  # noqa: FBT001, FBT002
        super().__init__(message)
        self.usage, self.fatal = usage, fatal

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the bill, so that it comes back from another process."""
        return type(self), (str(self), self.usage, self.fatal)


@dataclass(frozen=True)
class Failure:
    """A query that brought no loss.

    Args:
        objective: Name of the objective.
        step: The objective's own count of rounds of queries, from 0.
        probe: Number of the probe in the round, from 0.
        item: Number of the payload in the probe's batch, from 0.
        error: What went wrong.
    """

    objective: str
    step: int
    probe: int
    item: int
    error: str


class TooManyFailures(RuntimeError):  # noqa: N818 - it says what happened
    """More queries in a row failed than the policy bears, or one after which no other can succeed.

    Args:
        message: Which queries, and how the last one failed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
