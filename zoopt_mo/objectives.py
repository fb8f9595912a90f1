"""Objectives: black boxes that are queried, white boxes whose gradient is exact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo._checks import check_between, check_count, check_positive
from zoopt_mo.directions import Combination, DenseDirection
from zoopt_mo.estimators import Estimator
from zoopt_mo.parameters import Parameters

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """What one objective says at theta.

    Args:
        value: Its loss.
        gradient: Its gradient, exact or estimated, of size ``p``.
        gain: Factor ``1 + I_k`` of the step along an estimated gradient; 1 for an exact one.
        cosine: Cosine between the raw and the improved estimate, None where nothing was improved.
        num_queries: Black-box queries that this took.
    """

    value: float
    gradient: Combination
    gain: float = 1.0
    cosine: float | None = None
    num_queries: int = 0


class Objective:
    """A loss to be made small. Use :class:`BlackBox` or :class:`WhiteBox`.

    Args:
        name: Its name in reports and messages.
        step_factor: Factor of its gradient in the step, positive. An estimate is longer than an exact gradient by about
            the square root of ``p``, so one common step size seldom serves both.
        max_norm: Its gradient is scaled down to this length where it is longer; None leaves it.
    """

    def __init__(self, name: str, step_factor: float, max_norm: float | None) -> None:
        self.name = name
        self.step_factor = check_positive("step_factor", step_factor)
        self.max_norm = None if max_norm is None else check_positive("max_norm", max_norm)


class BlackBox(Objective):
    """A loss known by its values alone; every value is a query that may cost money.

    Give either ``loss``, a function without arguments that is called under each probe, or ``render`` and ``judge``:
    ``render`` runs under each probe (cheap, local, such as the anonymizer's forward pass) and ``judge`` gets the
    payloads of the whole step at once (dear, remote) and returns their losses ``[q]``. Both run without autograd.

    Args:
        loss: Returns the loss at the present parameters. In :func:`zoopt_mo.minimize` it takes ``x``.
        render: Returns a payload made with the present parameters; it must not hold on to them.
        judge: Takes the list of payloads ``[q]`` and returns their losses ``[q]``, in order.
        estimator: How the gradient is estimated; one of its own for each objective.
        prior: A white box whose gradient is a guess of this one's, such as a surrogate model's loss; for a
            :class:`zoopt_mo.PriorGuided` estimator. In :func:`zoopt_mo.minimize` its functions take ``x``.
        skip_below: Share of the step's weights in [0, 1) below which :func:`zoopt_mo.backward` asks nothing and reuses
            the last estimate; 0 asks at every step.
        max_skips: Most steps in a row without a query.
        name: Its name in reports and messages.
        step_factor: Factor of its gradient in the step.
        max_norm: Its gradient is scaled down to this length where it is longer.

    Raises:
        TypeError: If neither or both of ``loss`` and ``render`` with ``judge`` are given.
        ValueError: If ``skip_below`` or ``max_skips`` is out of range.

    Example:
        >>> import torch
        >>> import zoopt_mo as zo
        >>> theta = torch.zeros(2)
        >>> rule = zo.BlackBox(lambda: float((theta - 1).abs().sum()), estimator=zo.SPSA(radius=0.1))
        >>> evaluation = rule.evaluate(zo.Parameters(theta))
        >>> evaluation.num_queries, rule.num_queries
        (2, 2)
    """

    def __init__(
        self,
        loss: Callable[..., float | Tensor] | None = None,
        *,
        render: Callable[[], Any] | None = None,
        judge: Callable[[list[Any]], Sequence[float] | Tensor | npt.NDArray[Any]] | None = None,
        estimator: Estimator,
        prior: WhiteBox | None = None,
        skip_below: float = 0.0,
        max_skips: int = 5,
        name: str = "black box",
        step_factor: float = 1.0,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(name, step_factor, max_norm)
        if (loss is None) == (render is None) or (render is None) != (judge is None):
            raise TypeError("`BlackBox` needs either `loss`, or both `render` and `judge`.")
        if not isinstance(estimator, Estimator):
            raise TypeError(f"`estimator` must be an Estimator, got {type(estimator).__name__}.")
        if prior is not None and not isinstance(prior, WhiteBox):
            raise TypeError(f"`prior` must be a WhiteBox, got {type(prior).__name__}.")
        self.loss, self.render, self.judge = loss, render, judge
        self.estimator = estimator
        self.prior = prior
        self.skip_below = check_between("skip_below", skip_below, 0.0, 1.0, interval="[0, 1)")
        self.max_skips = check_count("max_skips", max_skips)
        self.num_queries = 0
        """Queries so far, those of failed steps included."""
        self.last: Evaluation | None = None
        """What the last step with queries said."""
        self._num_skipped = 0

    def evaluate(self, parameters: Parameters) -> Evaluation:
        """Query the step's probes and estimate the gradient; theta is restored bit for bit.

        Args:
            parameters: The parameters to probe.

        Raises:
            ValueError: If the number of losses is wrong or one is not finite.
        """
        return self.conclude(self.query(parameters))

    def query(self, parameters: Parameters) -> Values:
        """The losses ``[q]`` at the step's probes. Querying again before :meth:`conclude` probes the same places.

        Args:
            parameters: The parameters to probe.
        """
        return self.losses_at(parameters, self.plan(parameters))

    def plan(self, parameters: Parameters) -> list[Combination]:
        """Where the probes of the step lie, from theta, ``[q]``; costs no query, but an evaluation of the prior.

        Args:
            parameters: The parameters to probe.
        """
        prior = None if self.prior is None else self.prior.evaluate(parameters).gradient
        return self.estimator.ask(parameters.size, prior=prior)

    def losses_at(self, parameters: Parameters, displacements: Sequence[Combination]) -> Values:
        """The losses ``[q]`` at given places, a query each; theta is restored bit for bit.

        Args:
            parameters: The parameters to displace.
            displacements: Where to look, from theta.
        """
        with torch.no_grad(), parameters.probing() as move:
            payloads = [self._look(move, displacement) for displacement in displacements]
        if self.judge is not None:
            self.num_queries += len(payloads)
            payloads = _as_list(self.judge(payloads))
        return self._checked(payloads, len(displacements))

    def conclude(self, losses: Values, exact: Sequence[Combination] = ()) -> Evaluation:
        """The estimate from the losses of :meth:`query`.

        Args:
            losses: Losses ``[q]``.
            exact: Exact gradients of the step's white boxes.
        """
        estimate = self.estimator.tell(losses, exact=exact)
        self.last = Evaluation(estimate.value, estimate.gradient, estimate.gain, estimate.cosine, len(losses))
        self._num_skipped = 0
        return self.last

    @property
    def may_skip(self) -> bool:
        """Whether this step may go without a query, if the objective's weight is small."""
        return self.skip_below > 0 and self.last is not None and self._num_skipped < self.max_skips

    def skip(self) -> Evaluation:
        """The last estimate, in a step without a query."""
        if self.last is None:
            raise RuntimeError("skip() must follow a step with queries, but there was none.")
        self._num_skipped += 1
        return dataclasses.replace(self.last, num_queries=0)

    def reset(self, *, seed: int | None = None) -> None:
        """Forget all steps, as if new.

        Args:
            seed: A new seed of the estimator; the old one by default.
        """
        self.estimator.reset(seed=seed)
        self.num_queries, self._num_skipped, self.last = 0, 0, None

    def state_dict(self) -> dict[str, Any]:
        """All that its next step depends on, beside the parameters, as plain numbers and tensors."""
        last = self.last
        return {
            "estimator": self.estimator.state_dict(),
            "num_queries": self.num_queries,
            "num_skipped": self._num_skipped,
            "last": None if last is None else {**vars(last), "gradient": last.gradient.state_dict()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self.estimator.load_state_dict(state["estimator"])
        self.num_queries, self._num_skipped = state["num_queries"], state["num_skipped"]
        last = state["last"]
        gradient = None if last is None else Combination.from_state(last["gradient"])
        self.last = None if gradient is None else Evaluation(**{**last, "gradient": gradient})

    def _look(self, move: Callable[[Combination], None], displacement: Combination) -> object:
        move(displacement)
        if self.render is not None:
            return self.render()
        self.num_queries += 1
        return self.loss() if self.loss is not None else None

    def _checked(self, losses: list[Any], expected: int) -> Values:
        if len(losses) != expected:
            raise ValueError(
                f"`judge` of {self.name!r} must return {expected} losses, one a payload, got {len(losses)}."
            )
        values = np.array([float(loss) for loss in losses])
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            raise ValueError(f"Losses of {self.name!r} must be finite, got {values[wrong[0]]} at probe {wrong[0]}.")
        return values


class WhiteBox(Objective):
    """A loss whose gradient is exact: by autograd, or by a function of the user's.

    Args:
        loss: Returns the loss at the present parameters; a tensor with its graph unless ``grad`` is given.
            In :func:`zoopt_mo.minimize` both functions take ``x``.
        grad: Returns the gradient ``[p]`` at the present parameters, for losses without autograd.
        name: Its name in reports and messages.
        step_factor: Factor of its gradient in the step.
        max_norm: Its gradient is scaled down to this length where it is longer.

    Example:
        >>> import torch
        >>> import zoopt_mo as zo
        >>> theta = torch.zeros(2, requires_grad=True)
        >>> evaluation = zo.WhiteBox(lambda: ((theta - 1) ** 2).sum()).evaluate(zo.Parameters(theta))
        >>> evaluation.value, evaluation.gradient.dense().tolist()
        (2.0, [-2.0, -2.0])
    """

    def __init__(
        self,
        loss: Callable[..., Tensor | float],
        *,
        grad: Callable[..., npt.ArrayLike] | None = None,
        name: str = "white box",
        step_factor: float = 1.0,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(name, step_factor, max_norm)
        self.loss, self.grad = loss, grad

    def evaluate(self, parameters: Parameters) -> Evaluation:
        """Value and exact gradient at theta; ``.grad`` stays as it is. Costs no query.

        Args:
            parameters: The parameters to differentiate by.

        Raises:
            ValueError: If value or gradient is not finite, has the wrong shape, or does not depend on the parameters.
        """
        value, gradient = self._by_autograd(parameters) if self.grad is None else self._by_function(parameters)
        if not np.isfinite(value) or not bool(gradient.isfinite().all()):
            raise ValueError(f"Loss and gradient of {self.name!r} must be finite, got a loss of {value}.")
        return Evaluation(value, Combination([(1.0, DenseDirection(gradient))]))

    def _by_autograd(self, parameters: Parameters) -> tuple[float, Tensor]:
        with torch.enable_grad():
            value = self.loss()
            value = value.reshape(()) if isinstance(value, Tensor) and value.numel() == 1 else value
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise TypeError(f"`loss` of {self.name!r} must return a tensor of one number, or `grad` must be given.")
        inputs = [tensor for tensor in parameters.tensors if tensor.requires_grad]
        if not value.requires_grad or len(inputs) != len(parameters.tensors):
            raise ValueError(f"`loss` of {self.name!r} must depend on parameters that require a gradient.")
        parts = torch.autograd.grad(value, inputs, allow_unused=True, materialize_grads=True)
        return float(value.detach()), torch.cat([part.reshape(-1) for part in parts])

    def _by_function(self, parameters: Parameters) -> tuple[float, Tensor]:
        if self.grad is None:
            raise TypeError(f"`grad` of {self.name!r} must be given.")
        gradient = torch.as_tensor(np.asarray(self.grad()), dtype=parameters.dtype, device=parameters.device)
        if gradient.shape != (parameters.size,):
            raise ValueError(
                f"`grad` of {self.name!r} must return shape [{parameters.size}], got {list(gradient.shape)}."
            )
        with torch.no_grad():
            return float(self.loss()), gradient


def _as_list(losses: Sequence[float] | Tensor | npt.NDArray[Any]) -> list[Any]:
    return losses.reshape(-1).tolist() if isinstance(losses, Tensor) else list(losses)
