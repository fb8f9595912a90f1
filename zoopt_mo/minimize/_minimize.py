"""Minimize functions of a numpy vector."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy.typing as npt
import torch

from zoopt_mo.backward import ScalarizeFunction
from zoopt_mo.budget import Budget
from zoopt_mo.estimators import SPSA, Estimator
from zoopt_mo.minimize._arguments import (
    Function,
    as_budget,
    as_schedule,
    check_bounds,
    is_one_function,
    scalarizer_for,
    start_of,
)
from zoopt_mo.minimize._binding import Binding
from zoopt_mo.minimize._run import Run, Saving
from zoopt_mo.objectives import BlackBox, Objective, QueryPolicy

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult


def minimize(
    objectives: Sequence[Objective | Function] | Function,
    x0: npt.ArrayLike,
    *,
    lr: float | Callable[[int], float] | None = None,
    scalarizer: ScalarizeFunction | None = None,
    estimator: Estimator | None = None,
    budget: int | Budget | None = None,
    max_steps: int | None = None,
    seed: int = 0,
    callback: Callable[[OptimizeResult], None] | None = None,
    executor: Executor | None = None,
    queries: QueryPolicy | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> OptimizeResult:
    """Minimize one or several functions of a vector, black and white boxes mixed.

    One function and a budget is enough: ``minimize(f, x0, budget=1000)`` calibrates and uses
    :func:`zoopt_mo.recommended` with a step size of its own; the queries of the calibration count.

    A plain function ``f(x) -> float`` is a black box with a copy of ``estimator``. ``WhiteBox(f, grad=df)`` brings its
    gradient; ``WhiteBox(f)`` alone gets a torch tensor, for autograd. ``BlackBox(f, estimator=...)``
    brings its own estimator. Here all these functions take ``x``.

    Costs the estimators' queries at each step and one query for each black box at the end, so that ``F`` is true at
    the returned ``x``; all are counted in ``nfev`` and together they stay within ``budget``. Where queries fail, others
    are asked in their place, which may exceed it by a step.

    Args:
        objectives: One function, or several functions and objectives ``[n]``.
        x0: Start ``[p]``; it is not changed.
        lr: Step size, or a function from the step (0, 1, ...) to it, such as :meth:`zoopt_mo.SpallGains.lr_at`. Needed
            unless one function is minimized without an ``estimator``: its step is then set by curvature, and ``lr`` is
            a factor of it, 1 by default.
        scalarizer: From losses ``[n]`` to one number; needed for several objectives.
        estimator: How plain functions' gradients are estimated; every one gets a copy with its own seed. None takes
            the recommended one, for one function alone.
        budget: Most black-box queries in all; or a :class:`zoopt_mo.Budget` of queries, money and time, which is told
            what is spent.
        max_steps: Most steps; needed where there is no budget or no black box.
        seed: Seed of all estimators.
        callback: Called after every step with the result so far as its one argument, ``intermediate_result``, whose
            ``F`` are the losses before the step; raising ``StopIteration`` stops.
        executor: Where black boxes are evaluated, a step's queries at the same time: any executor of
            ``concurrent.futures``. The result does not depend on it. For a timeout give a
            ``BlackBox(render=..., judge=zoopt_mo.parallel(...))``.
        queries: How black boxes ask that have no policy of their own: where answers are kept, how many may fail.
        checkpoint: File that the run is written to as it goes; if it exists, the run goes on from it to the result
            that it would have had. With a ledger in ``queries`` no query is paid twice.

    Returns:
        scipy's ``OptimizeResult`` with ``x`` ``[p]``, ``F`` (losses at ``x``, ``[n]``), ``fun`` (scalarized), ``nfev``
        (evaluations of each objective, ``[n]``), ``nit``, ``history`` (a :class:`StepReport` a step), ``success``,
        ``status`` (0 budget or steps spent, 2 the last loss unknown, 99 stopped by the callback), ``message`` and,
        where one was made, the ``calibration``.

    Raises:
        TypeError: If several objectives have no ``scalarizer``, a plain function among them no ``estimator``, or ``lr``
            is missing.
        ValueError: If a bound is missing, ``x0`` is not a finite vector, or a loss is not finite.

    Example:
        >>> import zoopt_mo as zo
        >>> black = lambda x: float(((x - 1) ** 2).sum())
        >>> white = zo.WhiteBox(lambda x: float((x**2).sum()), grad=lambda x: 2 * x)
        >>> scalarizer = zo.WeightedSum(weights=[0.5, 0.5])
        >>> lr = zo.SpallGains(lr=0.2, radius=0.01).lr_at
        >>> result = zo.minimize(
        ...     [black, white], [3.0, 3.0], lr=lr, scalarizer=scalarizer, estimator=zo.SPSA(radius=0.01), budget=2001
        ... )
        >>> result.x.round(1).tolist(), result.nfev.tolist()
        ([0.5, 0.5], [2001, 1001])
    """
    x = start_of(x0)
    theta = torch.from_numpy(x).requires_grad_()
    calibrates = estimator is None and is_one_function(objectives)
    binding = Binding(x, theta, SPSA(radius=1.0) if calibrates else estimator, executor, queries)
    boxes = binding.bind(objectives, seed)
    scalarize = scalarizer_for(boxes, scalarizer)
    check_bounds(sum(isinstance(box, BlackBox) for box in boxes), budget, max_steps)
    rate = as_schedule(1.0 if calibrates and lr is None else lr)
    run = Run(boxes, scalarize, theta, x, as_budget(budget))
    saving = Saving(run, checkpoint, callback)
    if not saving.load() and calibrates:
        run.calibrate()
    try:
        status, message = _take_steps(run, saving, rate, max_steps, callback)
    finally:
        saving.save(now=True)
    result = run.finish(status, message)
    saving.save(now=True)
    return result


def _take_steps(
    run: Run,
    saving: Saving,
    rate: Callable[[int], float],
    max_steps: int | None,
    callback: Callable[[OptimizeResult], None] | None,
) -> tuple[int, str]:
    """Steps until something ends them: status and message."""
    while max_steps is None or run.num_steps < max_steps:
        limit = run.limit()
        if limit is not None:
            return 0, f"the budget of {limit} is spent"
        run.step(rate(run.num_steps))
        try:
            if callback is not None:
                callback(run.result(run.history[-1].losses))
        except StopIteration:
            return 99, "`callback` raised StopIteration"
        saving.save()
    return 0, "all steps were taken"
