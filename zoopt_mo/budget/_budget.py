"""Limits on queries, money and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from zoopt_mo._checks import check_count, check_non_negative, check_positive

Limit = Literal["queries", "cost", "seconds"]


class Budget:
    """What a run may spend: queries, money, seconds, or several of them; the first limit that is reached counts.

    It does arithmetic alone. Tell it what was spent with :meth:`spend`; before a step, ask whether it fits with
    :meth:`allows`. Costs no query.

    Args:
        queries: Most queries.
        cost: Most money, in any unit, the one of :meth:`spend`.
        seconds: Most seconds on the clock, from now on; those before a saved state count too. A run that a clock ends,
            or that looks at :attr:`share_left`, is no longer the same each time.
        clock: Gives the time in seconds.

    Raises:
        TypeError: If no limit is given, or one is not a number.
        ValueError: If a limit is not positive.

    Example:
        >>> from zoopt_mo import Budget
        >>> budget = Budget(queries=100, cost=1.0)
        >>> budget.spend(queries=50, cost=0.75)
        >>> budget.share_left  # of the money
        0.25
        >>> budget.allows(16), budget.allows(17), budget.reason(17)  # at 0.015 a query
        (True, False, 'cost')
    """

    def __init__(
        self,
        *,
        queries: int | None = None,
        cost: float | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if queries is None and cost is None and seconds is None:
            raise TypeError("`Budget` needs at least one of `queries`, `cost` and `seconds`.")
        limits: dict[Limit, float | None] = {
            "queries": None if queries is None else check_count("queries", queries),
            "cost": None if cost is None else check_positive("cost", cost),
            "seconds": None if seconds is None else check_positive("seconds", seconds),
        }
        self.limits = {name: limit for name, limit in limits.items() if limit is not None}
        self.clock = clock
        self.queries = 0
        """Queries spent."""
        self.cost = 0.0
        """Money spent."""
        self._seconds_before = 0.0
        self._start = clock()

    @property
    def seconds(self) -> float:
        """Seconds spent, those before a saved state included."""
        return self._seconds_before + self.clock() - self._start

    def spend(self, *, queries: int = 0, cost: float = 0.0) -> None:
        """Count what was paid, failed queries included; it may go over a limit.

        Args:
            queries: Queries made.
            cost: What they cost.

        Raises:
            ValueError: If one of them is negative.
        """
        queries, cost = check_count("queries", queries, least=0), check_non_negative("cost", cost)
        self.queries += queries
        self.cost += cost

    @property
    def share_left(self) -> float:
        """What is left of the scarcest limit, from 1 (all) to 0 (nothing)."""
        spent = self._spent()
        return max(0.0, min(1 - spent[name] / limit for name, limit in self.limits.items()))

    def allows(self, num_queries: int = 1, *, cost: float | None = None) -> bool:
        """Whether that many queries more stay within all limits.

        Args:
            num_queries: Queries to be made.
            cost: What they will cost together; by default as much each as the queries so far.
        """
        return self.reason(num_queries, cost=cost) is None

    def reason(self, num_queries: int = 1, *, cost: float | None = None) -> Limit | None:
        """The limit that forbids that many queries more: "queries", "cost" or "seconds"; None if all allow them.

        Args:
            num_queries: Queries to be made.
            cost: What they will cost together; by default as much each as the queries so far.
        """
        num_queries = check_count("num_queries", num_queries, least=0)
        mean_cost = self.cost / self.queries if self.queries else 0.0
        more = num_queries * mean_cost if cost is None else check_non_negative("cost", cost)
        spent, added = self._spent(), {"queries": num_queries, "cost": more, "seconds": 0.0}
        for name, limit in self.limits.items():
            if spent[name] + added[name] > limit or (name != "queries" and spent[name] >= limit):
                return name
        return None

    def _spent(self) -> dict[Limit, float]:
        return {"queries": self.queries, "cost": self.cost, "seconds": self.seconds}

    def state_dict(self) -> dict[str, float]:
        """What was spent so far."""
        return {"queries": self.queries, "cost": self.cost, "seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what was spent; the time since the state was saved does not count.

        Args:
            state: What :meth:`state_dict` gave. The limits stay those of this budget: it may allow more than before.
        """
        self.queries, self.cost = state["queries"], state["cost"]
        self._seconds_before, self._start = state["seconds"], self.clock()
