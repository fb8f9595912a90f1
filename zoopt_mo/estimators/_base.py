"""What every gradient estimator is: it says where to look, and reads the answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import Floats, check_count, check_positive, check_vector
from zoopt_mo.directions import Combination

Losses = npt.NDArray[np.float64]
Radius = float | Callable[[int], float]


@dataclass(frozen=True)
class Estimate:
    """What an estimator learned from the losses of one step.

    Args:
        gradient: The estimated gradient, of size ``p``.
        value: The estimated loss at theta, for which no extra query was spent.
        gain: Factor of the step along this gradient, such as ``1 + I_k``; 1 leaves the step as it is.
        cosine: Cosine between the raw and the improved gradient where a wrapper improved it, else None.
        num_directions: Random directions that the gradient was measured along, ``q``.
    """

    gradient: Combination
    value: float
    gain: float = 1.0
    cosine: float | None = None
    num_directions: int = 1


class NothingMeasured(RuntimeError):  # noqa: N818, it says what happened
    """So many queries of a step failed that no slope is known; the next ``ask`` looks elsewhere."""


class Estimator(ABC):
    """Estimates a gradient from losses at displaced parameters; it never calls a model itself.

    :meth:`ask` says where to look, :meth:`tell` takes the losses found there. Between the two the caller may batch,
    retry, record or replay the queries. Asking again before telling gives the same displacements.

    A method implements ``_ask`` and ``_tell``. Behaviour is changed by wrapping an estimator in another one.
    """

    def __init__(self) -> None:
        self._size: int | None = None
        self._displacements: list[Combination] | None = None  # what was asked and is not told yet

    def ask(self, size: int, *, prior: Combination | None = None) -> list[Combination]:
        """Where to look in this step.

        Args:
            size: Number of parameters ``p``; it must not change from one step to the next.
            prior: A guess of the gradient, such as a surrogate's, of size ``p``; only
                :class:`zoopt_mo.PriorGuided` and :class:`zoopt_mo.ControlVariate` use it.

        Returns:
            Displacements from theta, one a query ``[q]``.

        Raises:
            ValueError: If ``size`` differs from the size of the steps before, or from that of ``prior``.
        """
        check_count("size", size)
        if self._size not in (None, size):
            raise ValueError(
                f"`size` must stay {self._size} for this estimator, got {size}; use a new estimator or call reset()."
            )
        if prior is not None and prior.size != size:
            raise ValueError(f"`prior` must have {size} entries, got {prior.size}.")
        self._size = size
        if self._displacements is None or prior is not None:
            self._displacements = self._ask(size, prior)
        return list(self._displacements)

    def tell(self, losses: Floats, *, exact: Sequence[Combination] = ()) -> Estimate:
        """Read the losses at the displacements of the last :meth:`ask`.

        Args:
            losses: Losses ``[q]``, in the order asked; NaN where the query failed. What a failed query leaves of no
                use, such as the other side of its pair, is not read, and means are over what is left.
            exact: Exact gradients of other objectives at the same theta, each of size ``p``; only a
                :class:`zoopt_mo.ControlVariate` uses them.

        Returns:
            The estimate of this step.

        Raises:
            NothingMeasured: If too much failed to tell a slope. The step is over then: ask again, for other places.
            RuntimeError: If nothing was asked.
            ValueError: If the number of losses is wrong, one is infinite, or an exact gradient has another size.
        """
        if self._displacements is None:
            raise RuntimeError("tell() must follow ask(), but nothing was asked.")
        checked = _check_losses(losses, len(self._displacements))
        for gradient in exact:
            if gradient.size != self._size:
                raise ValueError(f"`exact` must hold gradients of {self._size} entries, got {gradient.size}.")
        self._displacements = None
        return self._tell(checked, exact)

    @abstractmethod
    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        """Displacements of this step; must be the same until ``_tell``."""

    @abstractmethod
    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        """The estimate from checked losses ``[q]``, NaN where a query failed; moves on to the next step."""

    def reset(self, *, seed: int | None = None) -> None:
        """Forget all steps, as if new.

        Args:
            seed: A new seed; the old one by default.
        """
        self._size = None
        self._displacements = None
        self._reset(seed)

    @abstractmethod
    def _reset(self, seed: int | None) -> None:
        """Forget what the method itself holds."""

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, as plain numbers and tensors, for ``torch.save``."""
        return {"size": self._size, **self._state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state; the next step is the same as it would have been.

        Args:
            state: What :meth:`state_dict` gave on an estimator built with the same arguments.
        """
        self._size = state["size"]
        self._displacements = None
        self._load_state(state)

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """The method's own part of ``state_dict``."""

    @abstractmethod
    def _load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what ``_state`` gave."""


def _check_losses(losses: Floats, length: int) -> Losses:
    """Losses of which each is finite, or NaN for a query that failed."""
    values = np.asarray(losses, dtype=np.float64)
    if values.shape != (length,) or not np.isfinite(values).all():
        check_vector("losses", np.where(np.isnan(values), 0.0, values), length=length)
    return values


def check_estimator(estimator: Estimator) -> Estimator:
    """The estimator that a wrapper takes, else ``TypeError``."""
    if not isinstance(estimator, Estimator):
        raise TypeError(f"`estimator` must be an Estimator, got {type(estimator).__name__}.")
    return estimator


def check_radius(radius: Radius) -> Radius:
    """The radius that an estimator is given: positive, or a function from the step to one.

    Args:
        radius: Length of the displacements; what a function gives, :func:`radius_at` checks at each step.

    Raises:
        ValueError: If it is a number that is not positive.
    """
    return radius if callable(radius) else check_positive("radius", radius)


def radius_at(radius: Radius, step: int) -> float:
    """The radius of a step.

    Args:
        radius: What :func:`check_radius` gave.
        step: Number of the step, from 0.

    Raises:
        ValueError: If a function gives a number that is not positive.
    """
    return check_positive("radius", radius(step)) if callable(radius) else radius
