"""The functional front of the search methods, beside ``minimize`` for the gradient estimators."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from zoopt_mo._checks import check_count, check_seed
from zoopt_mo.backward import ScalarizeFunction
from zoopt_mo.minimize._arguments import Function, check_bounds, scalarizer_for, start_of
from zoopt_mo.objectives import Objective, QueryPolicy
from zoopt_mo.search._base import Search, Vector
from zoopt_mo.search._values import Value, values_of

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult


def minimize_by_search(
    objectives: Sequence[Objective | Function] | Function,
    x0: npt.ArrayLike,
    *,
    method: Search,
    scalarizer: ScalarizeFunction | None = None,
    budget: int | None = None,
    max_steps: int | None = None,
    seed: int = 0,
    callback: Callable[[OptimizeResult], None] | None = None,
    executor: Executor | None = None,
    queries: QueryPolicy | None = None,
) -> OptimizeResult:
    """Minimize the scalarized loss by a search method, which sees values only.

    It takes the objectives of :func:`zoopt_mo.minimize` and asks each for its value: an exact gradient that a white box
    could give stays unused. Costs, for every point asked, one query of each black box; white boxes are evaluated as
    often and free of charge. No query is spent on the result: it is the best point seen, with the losses seen there.

    Args:
        objectives: One function, or several functions and objectives ``[n]``.
        x0: Start ``[p]``; it is not changed.
        method: :class:`zoopt_mo.CMAES`, :class:`zoopt_mo.REINFORCE`, :class:`zoopt_mo.QLearning` or another
            :class:`zoopt_mo.Search`; a copy of it runs.
        scalarizer: From losses ``[n]`` to one number; needed for several objectives. With a running ideal point,
            scalarized losses of different steps are not comparable.
        budget: Most black-box queries in all; it must pay for the first step.
        max_steps: Most steps; needed where there is no budget or no black box.
        seed: Seed of the method.
        callback: Called after every step with the result so far as its one argument, ``intermediate_result``; raising
            ``StopIteration`` stops.
        executor: Where black boxes are evaluated, a step's points at the same time: any executor of
            ``concurrent.futures``. The result does not depend on it.
        queries: How black boxes ask that have no policy of their own: where answers are kept, how many may fail. A
            search that is run again with the same arguments and ledger takes its answers from there. A query that
            failed is asked again, which may exceed the budget by as many. Without ``queries`` and ``executor`` nothing
            is kept, and what a black box raises ends the search.

    Returns:
        scipy's ``OptimizeResult`` with ``x`` ``[p]`` (the best point seen), ``F`` (losses there, ``[n]``), ``fun``
        (scalarized), ``nfev`` (evaluations of each objective, ``[n]``), ``nit``, ``history`` (the best scalarized loss
        after each step), ``success``, ``status`` (0 budget or steps spent, 1 the method expects no more, 99 stopped by
        the callback) and ``message``.

    Raises:
        TypeError: If an objective is no function of x, or several objectives have no ``scalarizer``.
        ValueError: If a bound is missing or too small, ``x0`` is not a finite vector, or a loss is not finite.
        TooManyFailures: If more queries in a row failed than the policy bears.

    Example:
        >>> import zoopt_mo as zo
        >>> near = lambda x: float(((x - 1) ** 2).sum())
        >>> far = lambda x: float(((x + 1) ** 2).sum())
        >>> scalarizer = zo.WeightedSum(weights=[0.75, 0.25])
        >>> result = zo.minimize_by_search(
        ...     [near, far], [3.0, 3.0], method=zo.CMAES(sigma=0.5), scalarizer=scalarizer, budget=500
        ... )
        >>> result.x.round(1).tolist(), result.nfev.tolist()
        ([0.5, 0.5], [246, 246])
    """
    start = start_of(x0)
    given = list(objectives) if isinstance(objectives, Sequence) else [objectives]
    if not given:
        raise ValueError("`objectives` must hold at least one objective, got none.")
    values = values_of(given, queries, executor)
    check_bounds(sum(value.is_black for value in values), budget, max_steps)
    run = _Run(values, scalarizer_for(given, scalarizer), _seeded(method, seed), start)
    if budget is not None and max_steps != 0:
        check_count("budget", budget, least=run.step_cost())
    while True:
        ending = run.ending(budget, max_steps)
        if ending is not None:
            return run.result(success=ending[0] < 99, status=ending[0], message=ending[1])
        run.step()
        try:
            if callback is not None:
                callback(run.result())
        except StopIteration:
            return run.result(success=False, status=99, message="`callback` raised StopIteration")


class _Run:
    """One search: the method, the objectives and what they cost."""

    def __init__(self, values: Sequence[Value], scalarize: ScalarizeFunction, method: Search, x0: Vector) -> None:
        self.values, self.scalarize, self.method = values, scalarize, method
        self.method.start(x0)
        self.x, self.losses, self.fun = x0, np.full(len(values), np.nan), math.nan
        self.history: list[float] = []

    def step_cost(self) -> int:
        """Black-box queries of the next step."""
        return len(self.method.ask()) * sum(value.is_black for value in self.values)

    def ending(self, budget: int | None, max_steps: int | None) -> tuple[int, str] | None:
        """Status and message where no further step is to be taken."""
        if max_steps is not None and len(self.history) >= max_steps:
            return 0, "all steps were taken"
        reason = self.method.stop_reason()
        if reason is not None:
            return 1, f"the method expects no more: {reason}"
        spent = sum(value.num_calls for value in self.values if value.is_black)
        if budget is not None and spent + self.step_cost() > budget:
            return 0, "the budget of queries is spent"
        return None

    def step(self) -> None:
        points = self.method.ask()
        losses = np.array([value.at(points) for value in self.values]).T
        scalars = [self._scalarized(row) for row in losses]
        self.method.tell(scalars)
        leader = int(np.argmin(scalars))
        if not self.history or scalars[leader] < self.fun:
            self.x, self.losses, self.fun = points[leader], losses[leader], scalars[leader]
        self.history.append(self.fun)

    def _scalarized(self, losses: Vector) -> float:
        with torch.no_grad():
            return float(self.scalarize(torch.from_numpy(losses)))

    def result(self, **fields: object) -> OptimizeResult:
        from scipy.optimize import OptimizeResult

        return OptimizeResult(
            x=self.x.copy(),
            F=self.losses.copy(),
            fun=self.fun,
            nfev=np.array([value.num_calls for value in self.values]),
            nit=len(self.history),
            history=list(self.history),
            **fields,
        )


def _seeded(method: Search, seed: int) -> Search:
    if not isinstance(method, Search):
        raise TypeError(f"`method` must be a Search, got {type(method).__name__}.")
    own = copy.deepcopy(method)
    own.reset(seed=check_seed("seed", seed))
    return own
