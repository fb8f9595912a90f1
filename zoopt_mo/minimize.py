"""The functional front: minimize functions of a numpy vector, scipy style."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.backward import ScalarizeFunction, StepReport, backward
from zoopt_mo.calibration import Calibration, calibrate
from zoopt_mo.estimators import SPSA, Estimator
from zoopt_mo.objectives import BlackBox, Objective, WhiteBox
from zoopt_mo.parameters import Parameters
from zoopt_mo.recommended import recommended
from zoopt_mo.scalarizers import WeightedSum

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

Vector = npt.NDArray[np.float64]
_CALIBRATION = 20  # queries that a calibration may take, and the loss at the end
Function = Callable[[Any], Any]


def minimize(
    objectives: Sequence[Objective | Function] | Function,
    x0: npt.ArrayLike,
    *,
    lr: float | Callable[[int], float] | None = None,
    scalarizer: ScalarizeFunction | None = None,
    estimator: Estimator | None = None,
    budget: int | None = None,
    max_steps: int | None = None,
    seed: int = 0,
    callback: Callable[[OptimizeResult], None] | None = None,
) -> OptimizeResult:
    """Minimize one or several functions of a vector, black and white boxes mixed.

    One function and a budget is enough: ``minimize(f, x0, budget=1000)`` calibrates and uses
    :func:`zoopt_mo.recommended` with a step size of its own; the queries of the calibration count.

    A plain function ``f(x) -> float`` is a black box with a copy of ``estimator``. ``WhiteBox(f, grad=df)`` brings its
    gradient; ``WhiteBox(f)`` alone gets a torch tensor, for autograd. ``BlackBox(f, estimator=...)``
    brings its own estimator. Here all these functions take ``x``.

    Costs the estimators' queries at each step and one query for each black box at the end, so that ``F`` is true at
    the returned ``x``; all are counted in ``nfev`` and together they stay within ``budget``.

    Args:
        objectives: One function, or several functions and objectives ``[n]``.
        x0: Start ``[p]``; it is not changed.
        lr: Step size, or a function from the step (0, 1, ...) to it, such as :meth:`zoopt_mo.SpallGains.lr_at`. Needed
            unless one function is minimized without an ``estimator``: its step is then set by curvature, and ``lr`` is
            a factor of it, 1 by default.
        scalarizer: From losses ``[n]`` to one number; needed for several objectives.
        estimator: How plain functions' gradients are estimated; every one gets a copy with its own seed. None takes
            the recommended one, for one function alone.
        budget: Most black-box queries in all.
        max_steps: Most steps; needed where there is no budget or no black box.
        seed: Seed of all estimators.
        callback: Called after every step with the result so far as its one argument, ``intermediate_result``, whose
            ``F`` are the losses before the step; raising ``StopIteration`` stops.

    Returns:
        scipy's ``OptimizeResult`` with ``x`` ``[p]``, ``F`` (losses at ``x``, ``[n]``), ``fun`` (scalarized), ``nfev``
        (evaluations of each objective, ``[n]``), ``nit``, ``history`` (a :class:`StepReport` a step), ``success``,
        ``status`` (0 budget or steps spent, 99 stopped by the callback), ``message`` and, where one was made, the
        ``calibration``.

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
    x = _start(x0)
    theta = torch.from_numpy(x).requires_grad_()
    calibrates = estimator is None and _is_one_function(objectives)
    boxes = _bind(objectives, x, theta, SPSA(radius=1.0) if calibrates else estimator, seed)
    scalarize = _scalarizer_for(boxes, scalarizer)
    _check_bounds(sum(isinstance(box, BlackBox) for box in boxes), budget, max_steps)
    rate = _as_schedule(1.0 if calibrates and lr is None else lr)
    run = _Run(boxes, scalarize, theta, x)
    if calibrates:
        run.calibrate(budget)
    status, message = 0, "all steps were taken"
    while max_steps is None or run.num_steps < max_steps:
        if budget is not None and not run.fits(budget):
            message = "the budget of queries is spent"
            break
        run.step(rate(run.num_steps))
        try:
            if callback is not None:
                callback(run.result(run.history[-1].losses))
        except StopIteration:
            status, message = 99, "`callback` raised StopIteration"
            break
    return run.finish(status, message)


class _Run:
    """One minimization: the point, its objectives and what they cost."""

    def __init__(
        self, boxes: list[BlackBox | WhiteBox], scalarize: ScalarizeFunction, theta: Tensor, x: Vector
    ) -> None:
        self.boxes, self.scalarize, self.theta, self.x = boxes, scalarize, theta, x
        self.parameters = Parameters(theta)
        self.history: list[StepReport] = []
        self.calibration: Calibration | None = None

    def calibrate(self, budget: int | None) -> None:
        """Give the one black box the recommended estimator, with a radius that stands out of its noise."""
        box = self.boxes[0]
        if budget is not None and budget < _CALIBRATION:
            raise ValueError(f"`budget` must be at least {_CALIBRATION} without an `estimator`, got {budget}.")
        if isinstance(box, BlackBox):
            self.calibration = calibrate(box, self.parameters)
            seed = box.estimator.state_dict()["seed"]
            box.estimator = recommended(radius=self.calibration.radius, seed=seed)

    @property
    def num_steps(self) -> int:
        return len(self.history)

    def fits(self, budget: int) -> bool:
        """Whether one more step and the final evaluation stay within the budget."""
        blacks = [box for box in self.boxes if isinstance(box, BlackBox)]
        spent = sum(box.num_queries for box in blacks)
        step = sum(len(box.plan(self.parameters)) for box in blacks)
        return spent + step + len(blacks) <= budget

    def step(self, lr: float) -> None:
        report = backward(self.boxes, self.scalarize, self.parameters)
        gradient = self.theta.grad
        if gradient is not None:
            self.x -= lr * gradient.numpy()
        self.theta.grad = None
        self.history.append(report)

    def result(self, losses: Sequence[float], **fields: object) -> OptimizeResult:
        from scipy.optimize import OptimizeResult

        whites = self.num_steps + bool(fields)  # one evaluation a step, and the last one
        nfev = [box.num_queries if isinstance(box, BlackBox) else whites for box in self.boxes]
        values = np.array(losses)
        fun = float(self.scalarize(torch.from_numpy(values)))
        return OptimizeResult(
            x=self.x.copy(),
            F=values,
            fun=fun,
            nfev=np.array(nfev),
            nit=self.num_steps,
            history=self.history,
            calibration=self.calibration,
            **fields,
        )

    def finish(self, status: int, message: str) -> OptimizeResult:
        losses = [self._evaluate(box) for box in self.boxes]
        return self.result(losses, success=status == 0, status=status, message=message)

    def _evaluate(self, box: BlackBox | WhiteBox) -> float:
        if isinstance(box, BlackBox):
            box.num_queries += 1
        with torch.no_grad():
            value = float(box.loss()) if box.loss is not None else float("nan")
        if not math.isfinite(value):
            raise ValueError(f"Losses of {box.name!r} must be finite, got {value} at the end.")
        return value


def _check_bounds(num_black: int, budget: int | None, max_steps: int | None) -> None:
    """The run must end, and the budget must pay for the losses at its end."""
    if max_steps is None and (budget is None or num_black == 0):
        raise ValueError("`max_steps` must be given where no `budget` of black-box queries ends the run.")
    if max_steps is not None:
        check_count("max_steps", max_steps, least=0)
    if budget is not None:
        check_count("budget", budget, least=num_black)


def _is_one_function(objectives: Sequence[Objective | Function] | Function) -> bool:
    given = list(objectives) if isinstance(objectives, Sequence) else [objectives]
    return len(given) == 1 and callable(given[0]) and not isinstance(given[0], Objective)


def _as_schedule(lr: float | Callable[[int], float] | None) -> Callable[[int], float]:
    if callable(lr):
        return lr
    if lr is None:
        raise TypeError("`lr` must be given, unless one function is minimized without an `estimator`.")
    fixed = check_positive("lr", lr)
    return lambda _step: fixed


def _start(x0: npt.ArrayLike) -> Vector:
    x = np.array(x0, dtype=np.float64)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"`x0` must be a finite vector of at least one number, got {x0!r}.")
    return x


def _scalarizer_for(boxes: Sequence[object], scalarizer: ScalarizeFunction | None) -> ScalarizeFunction:
    if scalarizer is not None:
        return scalarizer
    if len(boxes) > 1:
        raise TypeError(f"`scalarizer` must be given for {len(boxes)} objectives.")
    return WeightedSum(weights=[1.0])


def _bind(
    objectives: Sequence[Objective | Function] | Function,
    x: Vector,
    theta: Tensor,
    estimator: Estimator | None,
    seed: int,
) -> list[BlackBox | WhiteBox]:
    """Turn functions of ``x`` into objectives without arguments, each estimator a copy with a seed of its own."""
    given = list(objectives) if isinstance(objectives, Sequence) else [objectives]
    seeds = np.random.SeedSequence(check_count("seed", seed, least=0)).generate_state(max(len(given), 1), np.uint64)
    return [_bind_one(box, x, theta, estimator, int(own)) for box, own in zip(given, seeds, strict=False)]


def _bind_one(
    box: Objective | Function, x: Vector, theta: Tensor, estimator: Estimator | None, seed: int
) -> BlackBox | WhiteBox:
    if isinstance(box, WhiteBox):
        return _bind_white(box, x, theta)
    if isinstance(box, BlackBox):
        return _bind_black(box, box.loss, x, theta, seed)
    if isinstance(box, Objective) or not callable(box):
        raise TypeError(f"`objectives` must be functions, BlackBox or WhiteBox, got {type(box).__name__}.")
    if estimator is None:
        raise TypeError("`estimator` must be given for a plain function, whose gradient is estimated.")
    named = BlackBox(box, estimator=estimator, name=getattr(box, "__name__", "black box"))
    return _bind_black(named, box, x, theta, seed)


def _bind_white(box: WhiteBox, x: Vector, theta: Tensor) -> WhiteBox:
    loss, grad = box.loss, box.grad
    bound = copy.copy(box)
    bound.loss = (lambda: loss(theta)) if grad is None else (lambda: loss(x.copy()))
    bound.grad = None if grad is None else (lambda: grad(x.copy()))
    return bound


def _bind_black(box: BlackBox, function: Function | None, x: Vector, theta: Tensor, seed: int) -> BlackBox:
    if function is None:
        raise TypeError("`objectives` of minimize must be functions of x; `render` and `judge` are for backward.")
    bound = copy.copy(box)
    bound.loss = lambda: function(x.copy())
    bound.prior = None if box.prior is None else _bind_white(box.prior, x, theta)
    bound.estimator = copy.deepcopy(box.estimator)
    bound.reset(seed=seed)
    return bound
