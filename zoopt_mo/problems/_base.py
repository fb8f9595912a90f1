"""What every problem offers: losses, exact gradients, a start, and the best that can be reached."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_count
from zoopt_mo.estimators import Estimator
from zoopt_mo.objectives import BlackBox, WhiteBox

Array = npt.NDArray[np.float64]


class Problem(ABC):
    """Losses of a vector with known gradients and a known best, in ``float64``.

    Args:
        size: Number of parameters ``p``.
        num_objectives: Number of losses ``n``.
        name: Its name in tables; the name of the class where None.
        lower: Lower bounds ``[p]``, or None where every vector is allowed.
        upper: Upper bounds ``[p]``, given with ``lower``.
    """

    def __init__(
        self,
        size: int,
        num_objectives: int = 1,
        *,
        name: str | None = None,
        lower: Array | None = None,
        upper: Array | None = None,
    ) -> None:
        self.size = check_count("size", size)
        self.num_objectives = check_count("num_objectives", num_objectives)
        self.name = type(self).__name__ if name is None else name
        self.lower, self.upper = lower, upper

    @abstractmethod
    def losses(self, x: npt.ArrayLike) -> Array:
        """The losses ``[n]`` at ``x`` ``[p]``, or ``[b, n]`` at a batch ``[b, p]``."""

    @abstractmethod
    def gradients(self, x: npt.ArrayLike) -> Array:
        """The gradients ``[n, p]`` of all losses at ``x`` ``[p]``."""

    @abstractmethod
    def start(self, seed: int) -> Array:
        """A starting point ``[p]`` that depends on ``seed`` alone."""

    @property
    @abstractmethod
    def ideal(self) -> Array:
        """The least value of each loss ``[n]``."""

    @property
    @abstractmethod
    def nadir(self) -> Array:
        """The greatest value of each loss on the front ``[n]``."""

    @abstractmethod
    def front(self, num_points: int) -> Array:
        """At most ``num_points`` points of the Pareto front, spread over it, ``[k, n]``."""

    def project(self, x: npt.ArrayLike) -> Array:
        """The nearest allowed point to ``x``, which may be a batch; a copy of ``x`` where there are no bounds."""
        return np.array(self._inside(as_points(x, self.size)))

    def objectives(
        self,
        *,
        black: Sequence[int] = (0,),
        estimator: Estimator | None = None,
        noise: Callable[[Array], Array] | None = None,
        step_factors: Sequence[float] | None = None,
    ) -> list[BlackBox | WhiteBox]:
        """The losses as objectives of :func:`zoopt_mo.minimize`, functions of ``x``.

        Where the problem has bounds they are functions of the projected ``x``, with slope zero across a bound that
        ``x`` has left, so that probes may step outside.

        Args:
            black: Indices of the losses whose gradient is withheld; the others are white boxes.
            estimator: Estimates the gradient of the black boxes; each gets a copy.
            noise: Applied to the losses of the black boxes, such as :class:`AdditiveNoise`; white boxes are exact.
            step_factors: Factor of each objective's gradient in the step ``[n]``; all one where None.

        Returns:
            The objectives ``[n]``, in the order of the losses.

        Raises:
            TypeError: If a black box has no ``estimator``.
            ValueError: If an index in ``black`` is not that of a loss.
        """
        indices = {check_count("black", index, least=0) for index in black}
        if not indices <= set(range(self.num_objectives)):
            raise ValueError(f"`black` must hold indices below {self.num_objectives}, got {sorted(indices)}.")
        factors = [1.0] * self.num_objectives if step_factors is None else list(step_factors)
        if len(factors) != self.num_objectives:
            raise ValueError(f"`step_factors` must hold {self.num_objectives} values, got {len(factors)}.")
        return [
            self._black(index, estimator, noise, factor) if index in indices else self._white(index, factor)
            for index, factor in enumerate(factors)
        ]

    def _black(
        self, index: int, estimator: Estimator | None, noise: Callable[[Array], Array] | None, factor: float
    ) -> BlackBox:
        if estimator is None:
            raise TypeError("`estimator` must be given for black boxes, whose gradient is estimated.")

        def loss(x: Array) -> float:
            value = self.losses(self._inside(x))[index]
            return float(value if noise is None else noise(value))

        own = copy.deepcopy(estimator)
        return BlackBox(loss, estimator=own, name=f"{self.name}, loss {index + 1}", step_factor=factor)

    def _white(self, index: int, factor: float) -> WhiteBox:
        def loss(x: Array) -> float:
            return float(self.losses(self._inside(x))[index])

        def grad(x: Array) -> Array:
            inside = self._inside(x)
            return np.where(inside == x, self.gradients(inside)[index], 0.0)

        return WhiteBox(loss, grad=grad, name=f"{self.name}, loss {index + 1}", step_factor=factor)

    def _inside(self, x: Array) -> Array:
        return x if self.lower is None else np.clip(x, self.lower, self.upper)


class SingleObjective(Problem):
    """A problem of one loss: its front is one point.

    Args:
        size: Number of parameters ``p``.
        num_objectives: Number of losses ``n``, one.
        name: Its name in tables; the name of the class where None.
        lower: Lower bounds ``[p]``, or None where every vector is allowed.
        upper: Upper bounds ``[p]``, given with ``lower``.
    """

    @property
    @abstractmethod
    def minimizer(self) -> Array:
        """A point of least loss ``[p]``."""

    @property
    def optimum(self) -> float:
        """The least loss."""
        return float(self.losses(self.minimizer)[0])

    @property
    def ideal(self) -> Array:
        """The least loss ``[1]``."""
        return np.array([self.optimum])

    @property
    def nadir(self) -> Array:
        """The least loss ``[1]``."""
        return np.array([self.optimum])

    def front(self, num_points: int) -> Array:
        """The least loss ``[1, 1]``, whatever ``num_points``."""
        check_count("num_points", num_points)
        return np.array([[self.optimum]])


def as_points(x: npt.ArrayLike, size: int) -> Array:
    """``x`` as an array, after a check that it is ``[p]`` or ``[b, p]``."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim not in (1, 2) or points.shape[-1] != size:
        raise ValueError(f"`x` must have shape [{size}] or [b, {size}], got {list(points.shape)}.")
    return points


def as_point(points: Array) -> Array:
    """``points``, after a check that it is a single one ``[p]``."""
    if points.ndim != 1:
        raise ValueError(f"`x` must be one point of shape [p], got {list(points.shape)}.")
    return points
