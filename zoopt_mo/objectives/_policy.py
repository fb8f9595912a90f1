"""How queries are asked: what is kept of them, and how many may fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoopt_mo._checks import check_count
from zoopt_mo.ledger import Ledger


@dataclass(frozen=True)
class QueryPolicy:
    """How a :class:`zoopt_mo.BlackBox` asks: where answers are kept, and how many queries in a row may fail.

    Args:
        ledger: Where every answer is kept as soon as it comes, and where those of an earlier, killed process are taken
            from; None keeps nothing.
        reuse: Whether a recorded answer to an equal payload counts wherever in the run, or in which run, it was asked.
            Right for a service whose answer depends on the payload alone, such as a model at temperature 0, and no
            other: answers of a random one are kept for each query by itself.
        key: From a payload to what identifies it (bytes, text, arrays, numbers or tuples of them); None takes the
            payload itself, or the parameters where a loss without payload is asked. With ``reuse`` it must hold all
            that the answer depends on, such as the name of the model.
        max_failures: Failed queries in a row that are borne; one more ends the run with an error. 0 bears none.

    Raises:
        TypeError: If ``ledger`` is no ledger.
        ValueError: If ``max_failures`` is negative, or ``reuse`` has no ledger.
    """

    ledger: Ledger | None = None
    reuse: bool = False
    key: Callable[[Any], Any] | None = None
    max_failures: int = 20

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.ledger is not None and not isinstance(self.ledger, Ledger):
            raise TypeError(f"`ledger` must be a Ledger, got {type(self.ledger).__name__}.")
        if self.reuse and self.ledger is None:
            raise ValueError("`reuse` needs a `ledger` to take answers from.")
        check_count("max_failures", self.max_failures, least=0)
