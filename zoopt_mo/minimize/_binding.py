"""Turning functions of ``x`` into objectives without arguments."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from zoopt_mo._checks import check_count
from zoopt_mo.estimators import Estimator
from zoopt_mo.evaluation import parallel
from zoopt_mo.minimize._arguments import Function, Vector, names_apart
from zoopt_mo.objectives import BlackBox, Objective, QueryPolicy, WhiteBox
from zoopt_mo.objectives._shipping import PointsByFile, ships_by_file


@dataclass(frozen=True)
class Binding:
    """What all objectives of a run share.

    Args:
        x: The point, which the run moves.
        theta: The same numbers as a tensor.
        estimator: Of plain functions, which each get a copy.
        executor: Where black boxes are evaluated; None for this thread.
        queries: Policy of black boxes that have none of their own.
    """

    x: Vector
    theta: Tensor
    estimator: Estimator | None
    executor: Executor | None
    queries: QueryPolicy | None

    def bind(self, objectives: Sequence[Objective | Function] | Function, seed: int) -> list[BlackBox | WhiteBox]:
        """The objectives of the run, each estimator a copy with a seed of its own."""
        given = list(objectives) if isinstance(objectives, Sequence) else [objectives]
        seeds = np.random.SeedSequence(check_count("seed", seed, least=0)).generate_state(max(len(given), 1), np.uint64)
        boxes = [self._bind_one(box, int(own)) for box, own in zip(given, seeds, strict=False)]
        _name_apart(boxes)
        return boxes

    def _bind_one(self, box: Objective | Function, seed: int) -> BlackBox | WhiteBox:
        if isinstance(box, WhiteBox):
            return self._bind_white(box)
        if isinstance(box, BlackBox):
            return self._bind_black(box, seed)
        if isinstance(box, Objective) or not callable(box):
            raise TypeError(f"`objectives` must be functions, BlackBox or WhiteBox, got {type(box).__name__}.")
        if self.estimator is None:
            raise TypeError("`estimator` must be given for a plain function, whose gradient is estimated.")
        name = getattr(box, "__name__", "black box")
        return self._bind_black(BlackBox(box, estimator=self.estimator, name=name), seed)

    def _bind_white(self, box: WhiteBox) -> WhiteBox:
        x, theta, loss, grad = self.x, self.theta, box.loss, box.grad
        bound = copy.copy(box)
        bound.loss = (lambda: loss(theta)) if grad is None else (lambda: loss(x.copy()))
        bound.grad = None if grad is None else (lambda: grad(x.copy()))
        return bound

    def _bind_black(self, box: BlackBox, seed: int) -> BlackBox:
        bound = copy.copy(box)
        self._bind_queries(box, bound)
        bound.prior = None if box.prior is None else self._bind_white(box.prior)
        bound.estimator = copy.deepcopy(box.estimator)
        if self.queries is not None and box.queries == QueryPolicy():
            bound.queries = self.queries
        bound.reset(seed=seed)
        return bound

    def _bind_queries(self, box: BlackBox, bound: BlackBox) -> None:
        x, loss, render = self.x, box.loss, box.render
        if loss is None:
            bound.render = _of_point(render, x)
        elif self.executor is None:
            bound.loss = _of_point(loss, x)
        else:
            bound.loss, bound.judge = None, parallel(loss, self.executor)
            bound.render = x.copy
            if ships_by_file(self.executor, x):
                bound.render = PointsByFile(x)


def _of_point(function: Function | None, x: Vector) -> Callable[[], Any] | None:
    return None if function is None else (lambda: function(x.copy()))


def _name_apart(boxes: Sequence[BlackBox | WhiteBox]) -> None:
    """Number black boxes of the same name, by which reports and ledger know them."""
    blacks = [box for box in boxes if isinstance(box, BlackBox)]
    for box, name in zip(blacks, names_apart([box.name for box in blacks]), strict=True):
        box.name = name
