"""How many queries were paid for: each once, whichever process asked it and however often it is replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoopt_mo.evaluation import Usage
from zoopt_mo.ledger import Place


class Tally:
    """What the queries of one objective took."""

    def __init__(self) -> None:
        self.num_paid = 0
        """Queries that were put to the service, failed ones included; not those that the ledger knew from elsewhere."""
        self.cost = 0.0
        """What they cost, in the user's currency."""
        self.num_in_step = 0
        """Of these, those of the present step, also where an earlier process asked them."""
        self._counted: set[Place] = set()  # recorded queries of the last rounds that are in ``num_paid``
        self._in_step: set[Place] = set()
        self._given_up = (0, 0.0)  # number and cost of the void queries that are in ``num_paid``

    def add(self, place: Place, usage: Usage, *, kept: bool) -> None:
        """Count a query that was asked now.

        Args:
            place: Which one.
            usage: What it took.
            kept: Whether a ledger holds it, so that it may be met again.
        """
        if not usage.attempts:
            return
        self.num_paid += 1
        self.num_in_step += 1
        self.cost += usage.cost
        if kept:
            self._counted.add(place)
            self._in_step.add(place)

    def add_known(self, place: Place, usage: Usage, *, void: bool) -> None:
        """Count a query that the ledger holds, if it is not counted yet.

        Args:
            place: Which one.
            usage: What it took.
            void: Whether it is one of those that :meth:`add_given_up` counts.
        """
        if not usage.attempts:
            return
        if place not in self._in_step:
            self._in_step.add(place)
            self.num_in_step += 1
        if place not in self._counted and not void:
            self._counted.add(place)
            self.num_paid += 1
            self.cost += usage.cost

    def add_given_up(self, number: int, cost: float) -> None:
        """Count the void queries of rounds up to the present one.

        Args:
            number: How many of them were paid for, by all processes.
            cost: What they cost.
        """
        self.num_paid += number - self._given_up[0]
        self.cost += cost - self._given_up[1]
        self._given_up = (number, cost)

    def give_up(self, first: int, number: int, cost: float) -> None:
        """Take note that the counted queries of some rounds are void, and will be asked and counted again.

        Args:
            first: The first of the rounds.
            number: As for :meth:`add_given_up`, the new ones included.
            cost: What they cost.
        """
        self._given_up = (number, cost)
        self._counted = {place for place in self._counted if place.step < first}

    def forget(self, before: int) -> None:
        """Forget which queries of the rounds before this one are counted: they are not met again."""
        self._counted = {place for place in self._counted if place.step >= before}

    def begin_step(self) -> None:
        """Count the queries of a step from here on."""
        self.num_in_step = 0
        self._in_step.clear()

    def state_dict(self, number: int) -> dict[str, Any]:
        """The counts, and which queries from round ``number`` on are in them."""
        return {
            "num_queries": self.num_paid,
            "cost": self.cost,
            "num_in_step": self.num_in_step,
            "counted": [tuple(place) for place in sorted(place for place in self._counted if place.step >= number)],
            "in_step": [tuple(place) for place in sorted(self._in_step)],
            "given_up": self._given_up,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.num_paid, self.cost, self.num_in_step = state["num_queries"], state["cost"], state["num_in_step"]
        self._counted = {Place(*place) for place in state["counted"]}
        self._in_step = {Place(*place) for place in state["in_step"]}
        self._given_up = tuple(state["given_up"])

    def mark(self) -> Callable[[], None]:
        """A function that goes back to this step; what was paid since stays counted."""
        num_in_step, in_step = self.num_in_step, set(self._in_step)

        def go_back() -> None:
            self.num_in_step, self._in_step = num_in_step, in_step

        return go_back
