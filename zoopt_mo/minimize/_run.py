"""One minimization: the point, its objectives, what they cost, and how it is gone on with later."""

from __future__ import annotations

import copy
import dataclasses
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from zoopt_mo.backward import ScalarizeFunction, StepReport, backward
from zoopt_mo.budget import Budget
from zoopt_mo.calibration import Calibration, calibrate
from zoopt_mo.checkpoint import load_checkpoint, save_checkpoint
from zoopt_mo.evaluation import Failure
from zoopt_mo.minimize._arguments import Vector
from zoopt_mo.objectives import BlackBox, WhiteBox
from zoopt_mo.parameters import Parameters
from zoopt_mo.recommended import recommended

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

CALIBRATION = 20  # queries that a calibration may take, and the loss at the end


class Run:
    """One minimization.

    Args:
        boxes: The objectives, bound to ``x``.
        scalarize: From losses to one number.
        theta: The point as a tensor.
        x: The same numbers as an array.
        budget: What it may spend; None for no limit.
    """

    def __init__(
        self,
        boxes: list[BlackBox | WhiteBox],
        scalarize: ScalarizeFunction,
        theta: Tensor,
        x: Vector,
        budget: Budget | None,
    ) -> None:
        self.boxes, self.scalarize, self.theta, self.x, self.budget = boxes, scalarize, theta, x, budget
        self.blacks = [box for box in boxes if isinstance(box, BlackBox)]
        self.parameters = Parameters(theta)
        self.history: list[StepReport] = []
        self.calibration: Calibration | None = None
        self.final: list[float] | None = None  # losses at the end, once they are known
        self._spent = (0, 0.0)  # queries and cost that the budget knows of

    @property
    def num_steps(self) -> int:
        """Steps taken."""
        return len(self.history)

    def calibrate(self) -> None:
        """Give the one black box the recommended estimator, with a radius that stands out of its noise."""
        queries = None if self.budget is None else self.budget.limits.get("queries")
        if queries is not None and queries < CALIBRATION:
            raise ValueError(f"`budget` must be at least {CALIBRATION} without an `estimator`, got {queries}.")
        for box in self.blacks:
            self.calibration = calibrate(box, self.parameters)
            self._use_recommended(box, self.calibration)
        self._spend()

    def _use_recommended(self, box: BlackBox, found: Calibration) -> None:
        seed = box.estimator.state_dict()["seed"]
        box.estimator = recommended(radius=found.radius, seed=seed)

    def limit(self) -> str | None:
        """The limit of the budget that one more step and the final evaluation would break: in words, or None."""
        if self.budget is None:
            return None
        step = sum(len(box.plan(self.parameters)) for box in self.blacks)
        return self.budget.reason(step + len(self.blacks))

    def _spend(self) -> None:
        """Tell the budget what was paid since it was last told."""
        queries, cost = sum(box.num_queries for box in self.blacks), sum(box.cost for box in self.blacks)
        if self.budget is not None:
            self.budget.spend(queries=queries - self._spent[0], cost=max(cost - self._spent[1], 0.0))
        self._spent = (queries, cost)

    def step(self, lr: float) -> None:
        """One step of gradient descent on the scalarized loss."""
        report = backward(self.boxes, self.scalarize, self.parameters)
        if self.theta.grad is not None:
            change = self.theta.grad.numpy()
            change *= lr
            self.x -= change
            change.fill(0.0)  # kept for the next step: finding memory takes longer than all of this
        self.history.append(report)
        self.final = None
        self._spend()

    def result(self, losses: Sequence[float], **fields: object) -> OptimizeResult:
        """The result at the present point, given the losses there."""
        from scipy.optimize import OptimizeResult

        whites = self.num_steps + bool(fields)  # one evaluation a step, and the last one
        nfev = [box.num_queries if isinstance(box, BlackBox) else whites for box in self.boxes]
        values = np.array(losses)
        return OptimizeResult(
            x=self.x.copy(),
            F=values,
            fun=self._scalarized(values),
            nfev=np.array(nfev),
            nit=self.num_steps,
            history=self.history,
            calibration=self.calibration,
            **fields,
        )

    def finish(self, status: int, message: str) -> OptimizeResult:
        """The result, with the losses at its point; a query that fails here leaves NaN, and is put by the next call."""
        known = self.final or [math.nan] * len(self.boxes)
        self.final = [
            loss if math.isfinite(loss) else self._value_of(box) for box, loss in zip(self.boxes, known, strict=True)
        ]
        self._spend()
        failed = [box.name for box, loss in zip(self.boxes, self.final, strict=True) if not np.isfinite(loss)]
        if failed and status == 0:
            status, message = 2, f"{message}, but the loss of {', '.join(failed)} at the end is not known"
        return self.result(self.final, success=status == 0, status=status, message=message)

    def _scalarized(self, losses: Vector) -> float:
        """The scalarized losses, NaN where one is unknown; a scalarizer that follows the losses is left as it is."""
        if not np.isfinite(losses).all():
            return math.nan
        scalarize = copy.deepcopy(self.scalarize) if isinstance(self.scalarize, nn.Module) else self.scalarize
        return float(scalarize(torch.from_numpy(losses)))

    def _value_of(self, box: BlackBox | WhiteBox) -> float:
        if isinstance(box, BlackBox):
            return box.value_at(self.parameters)
        with torch.no_grad():
            return float(box.loss())

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        return {
            "size": self.x.size,
            "objectives": [box.name for box in self.boxes],
            "x": self.x,
            "black_boxes": [box.state_dict() for box in self.blacks],
            "scalarizer": self.scalarize.state_dict() if isinstance(self.scalarize, nn.Module) else {},
            "calibration": None if self.calibration is None else vars(self.calibration),
            "history": [dataclasses.asdict(report) for report in self.history],
            "final": self.final,
            "budget": None if self.budget is None else self.budget.state_dict(),
            "spent": self._spent,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        for name, present in (("size", self.x.size), ("objectives", [box.name for box in self.boxes])):
            if state[name] != present:
                raise ValueError(f"`checkpoint` must be of the same run: its {name} was {state[name]}, now {present}.")
        if state["calibration"] is not None:
            self.calibration = Calibration(**state["calibration"])
            for box in self.blacks:
                self._use_recommended(box, self.calibration)
        self.x[:] = state["x"]
        for box, kept in zip(self.blacks, state["black_boxes"], strict=True):
            box.load_state_dict(kept)
        if isinstance(self.scalarize, nn.Module):
            self.scalarize.load_state_dict(state["scalarizer"])
        self.history = [_report_from(kept) for kept in state["history"]]
        self.final, self._spent = state["final"], state["spent"]
        if self.budget is not None and state["budget"] is not None:
            self.budget.load_state_dict(state["budget"])


class Saving:
    """Writes a run to its checkpoint from time to time, so that writing takes little of the run.

    Args:
        run: The run.
        path: The file; None writes nothing.
        callback: What the user is called with; where it has a state, that is kept too.
    """

    SHARE = 0.05  # of the time that writing may take

    def __init__(self, run: Run, path: str | os.PathLike[str] | None, callback: object) -> None:
        self.run, self.path = run, None if path is None else Path(path)
        self.callback: Any = callback if hasattr(callback, "load_state_dict") else None
        self._next = 0.0

    def load(self) -> bool:
        """Go on from the file, if there is one; whether there was."""
        if self.path is None or not self.path.exists():
            return False
        state = load_checkpoint(self.path)
        try:
            self.run.load_state_dict(state)
            if self.callback is not None and state["callback"] is not None:
                self.callback.load_state_dict(state["callback"])
        except (AttributeError, LookupError, RuntimeError, TypeError) as error:
            raise ValueError(f"`checkpoint` must be of the same run, but {self.path} is none: {error!r}.") from error
        return True

    def save(self, *, now: bool = False) -> None:
        """Write the file, if ``now`` or if it is time."""
        started = time.monotonic()
        if self.path is None or (started < self._next and not now):
            return
        callback = None if self.callback is None else self.callback.state_dict()
        save_checkpoint(self.path, {**self.run.state_dict(), "callback": callback})
        ended = time.monotonic()
        self._next = ended + (ended - started) / self.SHARE


def _report_from(state: Mapping[str, Any]) -> StepReport:
    failures = tuple(Failure(**failure) for failure in state["failures"])
    return StepReport(**{**state, "failures": failures})
