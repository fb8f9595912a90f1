"""What ``minimize`` and ``minimize_by_search`` are given, checked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.backward import ScalarizeFunction
from zoopt_mo.budget import Budget
from zoopt_mo.objectives import Objective
from zoopt_mo.scalarizers import WeightedSum

Vector = npt.NDArray[np.float64]
Function = Callable[[Any], Any]


def check_bounds(num_black: int, budget: int | Budget | None, max_steps: int | None) -> None:
    """The run must end, and the budget must pay for the losses at its end."""
    if max_steps is None and (budget is None or num_black == 0):
        raise ValueError("`max_steps` must be given where no `budget` of black-box queries ends the run.")
    if max_steps is not None:
        check_count("max_steps", max_steps, least=0)
    if budget is not None and not isinstance(budget, Budget):
        check_count("budget", budget, least=num_black)


def as_budget(budget: int | Budget | None) -> Budget | None:
    """A number of queries as a budget; 0 is for white boxes alone, which need none."""
    if budget is None or isinstance(budget, Budget):
        return budget
    return Budget(queries=int(budget)) if budget else None


def is_one_function(objectives: Sequence[Objective | Function] | Function) -> bool:
    """Whether one plain function is all that is minimized."""
    given = list(objectives) if isinstance(objectives, Sequence) else [objectives]
    return len(given) == 1 and callable(given[0]) and not isinstance(given[0], Objective)


def as_schedule(lr: float | Callable[[int], float] | None) -> Callable[[int], float]:
    """The step size as a function of the step."""
    if callable(lr):
        return lr
    if lr is None:
        raise TypeError("`lr` must be given, unless one function is minimized without an `estimator`.")
    fixed = check_positive("lr", lr)
    return lambda _step: fixed


def names_apart(names: Sequence[str]) -> list[str]:
    """Names of which no two are the same: later ones get a number."""
    taken, found = set(names), list[str]()
    for name in names:
        if name in found:
            name = next(new for number in itertools.count(2) if (new := f"{name} {number}") not in taken)  # noqa: PLW2901
        found.append(name)
        taken.add(name)
    return found


def start_of(x0: npt.ArrayLike) -> Vector:
    """A copy of the start."""
    x = np.array(x0, dtype=np.float64)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"`x0` must be a finite vector of at least one number, got {x0!r}.")
    return x


def scalarizer_for(boxes: Sequence[object], scalarizer: ScalarizeFunction | None) -> ScalarizeFunction:
    """The scalarizer; one objective needs none."""
    if scalarizer is not None:
        return scalarizer
    if len(boxes) > 1:
        raise TypeError(f"`scalarizer` must be given for {len(boxes)} objectives.")
    return WeightedSum(weights=[1.0])
