"""What a search is told of its points: the value of each objective, counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Protocol

import numpy as np
import torch

from zoopt_mo.evaluation import parallel
from zoopt_mo.ledger import Place
from zoopt_mo.minimize._arguments import Function, names_apart
from zoopt_mo.objectives import BlackBox, Objective, QueryPolicy, WhiteBox
from zoopt_mo.objectives._asking import Asker, Question
from zoopt_mo.search._base import Vector


class Value(Protocol):
    """One objective as a function of ``x``."""

    is_black: bool

    @property
    def num_calls(self) -> int:
        """Evaluations so far."""
        ...

    def at(self, points: Vector) -> Vector:
        """Its values ``[k]`` at the points ``[k, p]`` of a step."""
        ...


def values_of(
    objectives: Sequence[Objective | Function], queries: QueryPolicy | None, executor: Executor | None
) -> list[Value]:
    """The objectives of a search.

    Args:
        objectives: Functions and objectives ``[n]``.
        queries: Policy of black boxes that have none of their own.
        executor: Where black boxes are evaluated.

    Raises:
        TypeError: If one is no function of ``x``.
    """
    names = names_apart([_name_of(box) for box in objectives])
    return [_value_of(box, name, queries, executor) for box, name in zip(objectives, names, strict=True)]


def _value_of(box: Objective | Function, name: str, queries: QueryPolicy | None, executor: Executor | None) -> Value:
    function = _function_of(box)
    if isinstance(box, BlackBox) and box.queries != QueryPolicy():
        queries = box.queries
    if isinstance(box, WhiteBox) or (queries is None and executor is None):
        return _Computed(box, name, function)
    return _Asked(name, function, QueryPolicy() if queries is None else queries, executor)


class _Computed:
    """Values that are computed here and kept nowhere."""

    def __init__(self, box: Objective | Function, name: str, function: Function) -> None:
        self.is_black = not isinstance(box, WhiteBox)
        self.num_calls = 0
        self.name = name
        self._function = function
        self._needs_tensor = isinstance(box, WhiteBox) and box.grad is None

    def at(self, points: Vector) -> Vector:
        return np.array([self._at_one(point.copy()) for point in points])

    def _at_one(self, x: Vector) -> float:
        self.num_calls += 1
        with torch.no_grad():
            value = float(self._function(torch.from_numpy(x) if self._needs_tensor else x))
        if not math.isfinite(value):
            raise ValueError(f"Losses of {self.name!r} must be finite, got {value} at query {self.num_calls}.")
        return value


class _Asked:
    """Values of a black box that is asked by a policy, on an executor: kept, counted, and asked again on failure."""

    is_black = True

    def __init__(self, name: str, function: Function, policy: QueryPolicy, executor: Executor | None) -> None:
        self.name = name
        self._judge = parallel(function, executor)
        self._asker = Asker(policy, None)
        self._round = 0

    @property
    def num_calls(self) -> int:
        return self._asker.tally.num_paid

    def at(self, points: Vector) -> Vector:
        values = np.full(len(points), np.nan)
        while due := np.flatnonzero(np.isnan(values)).tolist():
            self._asker.begin_round(self.name, self._round)
            questions = [Question(Place(self.name, self._round, number), points[number].copy(), 0.0) for number in due]
            values[due] = self._asker.ask(self._judge, questions)
            self._asker.tally.begin_step()
            self._round += 1
        return values


def _name_of(box: Objective | Function) -> str:
    return box.name if isinstance(box, Objective) else getattr(box, "__name__", "black box")


def _function_of(box: Objective | Function) -> Function:
    function: Function | Objective | None = box.loss if isinstance(box, (BlackBox, WhiteBox)) else box
    if function is None:
        raise TypeError(
            "`objectives` of minimize_by_search must be functions of x; `render` and `judge` are for backward."
        )
    if isinstance(function, Objective) or not callable(function):
        raise TypeError(f"`objectives` must be functions, BlackBox or WhiteBox, got {type(box).__name__}.")
    return function
