"""Budgets: limits that are kept, and history that is reused more towards the end."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoopt_mo as zo
from tests.contract.test_estimators import numbers, steps


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# --- limits ----------------------------------------------------------------------------------------------------------


def test_queries_are_allowed_up_to_the_limit():
    budget = zo.Budget(queries=10)
    budget.spend(queries=6)
    assert [budget.allows(count) for count in (0, 1, 4, 5)] == [True, True, True, False]
    assert (budget.reason(4), budget.reason(5)) == (None, "queries")
    budget.spend(queries=4)
    assert (budget.allows(), budget.reason(), budget.share_left) == (False, "queries", 0.0)


def test_the_cost_of_more_queries_is_guessed_from_those_before_or_given():
    budget = zo.Budget(cost=2.0)
    assert budget.allows(1000)  # nothing is known of their price yet
    budget.spend(queries=4, cost=1.0)
    assert [budget.allows(count) for count in (4, 5)] == [True, False]
    assert (budget.allows(5, cost=1.0), budget.allows(1, cost=1.01)) == (True, False)
    budget.spend(cost=1.0)
    assert (budget.allows(0), budget.reason(0)) == (False, "cost")


def test_seconds_are_those_since_it_was_made():
    clock = Clock()
    budget = zo.Budget(seconds=60.0, clock=clock)
    clock.now += 45.0
    assert (budget.seconds, budget.share_left, budget.reason(99)) == (45.0, 0.25, None)
    clock.now += 15.0
    assert (budget.reason(), budget.share_left) == ("seconds", 0.0)


def test_the_scarcest_limit_counts():
    clock = Clock()
    budget = zo.Budget(queries=100, cost=10.0, seconds=50.0, clock=clock)
    budget.spend(queries=10, cost=5.0)
    clock.now += 20.0
    assert budget.share_left == 0.5
    clock.now += 20.0
    assert budget.share_left == pytest.approx(0.2)
    budget.spend(queries=90)
    assert budget.reason() == "queries"


def test_what_was_overspent_leaves_nothing_and_no_less():
    budget = zo.Budget(queries=10, cost=1.0)
    budget.spend(queries=12, cost=3.0)
    assert (budget.share_left, budget.queries, budget.cost) == (0.0, 12, 3.0)


def test_answers_that_were_kept_cost_nothing():
    budget = zo.Budget(queries=10)
    budget.spend()
    assert budget.share_left == 1.0


@given(limit=st.integers(1, 50), spent=st.lists(st.integers(0, 9), max_size=9), more=st.integers(0, 60))
def test_it_allows_what_fits_and_nothing_else(limit, spent, more):
    budget = zo.Budget(queries=limit, cost=float(limit))
    for count in spent:
        budget.spend(queries=count)
    assert budget.allows(more) == (sum(spent) + more <= limit)
    assert 0.0 <= budget.share_left <= 1.0


def test_a_saved_budget_counts_seconds_before_but_not_between():
    clock = Clock()
    budget = zo.Budget(queries=10, seconds=60.0, clock=clock)
    budget.spend(queries=3, cost=0.5)
    clock.now += 40.0
    state = json.loads(json.dumps(budget.state_dict()))
    later = Clock()
    later.now = 1e6
    resumed = zo.Budget(queries=10, seconds=60.0, clock=later)
    resumed.load_state_dict(state)
    later.now += 10.0
    assert (resumed.queries, resumed.cost, resumed.seconds) == (3, 0.5, 50.0)
    later.now += 10.0
    assert resumed.reason() == "seconds"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, TypeError, r"^`Budget` needs at least one of `queries`, `cost` and `seconds`\.$"),
        ({"queries": 0}, ValueError, r"^`queries` must be at least 1, got 0\.$"),
        ({"queries": 1.5}, TypeError, r"^`queries` must be a whole number, got 1\.5\.$"),
        ({"cost": 0.0}, ValueError, r"^`cost` must be positive, got 0\.0\.$"),
        ({"seconds": math.inf}, ValueError, r"^`seconds` must be finite, got inf\.$"),
    ],
)
def test_a_budget_refuses_bad_limits(options, error, words):
    with pytest.raises(error, match=words):
        zo.Budget(**options)


def test_nothing_is_given_back():
    with pytest.raises(ValueError, match=r"^`queries` must be at least 0, got -1\.$"):
        zo.Budget(queries=5).spend(queries=-1)
    with pytest.raises(ValueError, match=r"^`cost` must not be negative, got -0\.5\.$"):
        zo.Budget(cost=5.0).spend(cost=-0.5)


# --- more of the past ------------------------------------------------------------------------------------------------


def test_a_setting_moves_evenly_as_the_budget_is_spent():
    budget = zo.Budget(queries=100)
    blend, capacity = zo.reuse_more(budget, full=0.6, empty=0.2), zo.reuse_more(budget, full=10, empty=40)
    found = []
    for _ in range(5):
        found.append((round(blend(0), 12), capacity(7)))
        budget.spend(queries=25)
    assert found == [(0.6, 10.0), (0.5, 17.5), (0.4, 25.0), (0.3, 32.5), (0.2, 40.0)]
    budget.spend(queries=1000)
    assert (blend(0), capacity(0)) == (0.2, 40)


def history(budget: zo.Budget, *, seed: int = 0) -> zo.CriticalHistory:
    return zo.CriticalHistory(
        zo.SPSA(radius=0.1, seed=seed),
        capacity=zo.reuse_more(budget, full=2, empty=8),
        blend=zo.reuse_more(budget, full=0.7, empty=0.3),
    )


def spending_steps(estimator: zo.Estimator, budget: zo.Budget, count: int) -> list[zo.Estimate]:
    estimates = []
    for _ in range(count):
        estimates += steps(estimator, 1)
        budget.spend(queries=2)
    return estimates


def test_a_history_that_grows_with_the_budget_goes_on_bit_for_bit():
    budget, other = zo.Budget(queries=40), zo.Budget(queries=40)
    estimator, copy = history(budget), history(other, seed=1)
    spending_steps(estimator, budget, 9)
    copy.load_state_dict(estimator.state_dict())
    other.load_state_dict(budget.state_dict())
    expected = numbers(spending_steps(estimator, budget, 11))
    assert numbers(spending_steps(copy, other, 11)) == expected
    assert len(estimator.state_dict()["gradients"]) == 8


def test_a_history_follows_the_budget_that_minimize_spends():
    """minimize copies estimators: the copy must still look at the same budget."""
    budget = zo.Budget(queries=41)
    follow, seen = zo.reuse_more(budget, full=0.8, empty=0.4), []

    def blend(step: int) -> float:
        seen.append((step, follow(step)))
        return seen[-1][1]

    estimator = zo.CriticalHistory(zo.SPSA(radius=0.01), blend=blend)
    zo.minimize(lambda x: float(x @ x), [1.0, 1.0], lr=0.1, estimator=estimator, budget=budget)
    assert [step for step, _ in seen] == list(range(20))
    assert [value for _, value in seen] == pytest.approx([0.8 - 0.4 * 2 * step / 41 for step in range(20)])
