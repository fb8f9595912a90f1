"""Black boxes: losses that are known by their values, every one a query."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoopt_mo._checks import check_between, check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators import Estimator
from zoopt_mo.estimators._base import check_estimator
from zoopt_mo.objectives._base import Evaluation, Objective
from zoopt_mo.objectives._white_box import WhiteBox
from zoopt_mo.parameters import Parameters

Values = npt.NDArray[np.float64]


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
        if prior is not None and not isinstance(prior, WhiteBox):
            raise TypeError(f"`prior` must be a WhiteBox, got {type(prior).__name__}.")
        self.loss, self.render, self.judge = loss, render, judge
        self.estimator = check_estimator(estimator)
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


def _as_list(losses: Sequence[float] | Tensor | npt.NDArray[Any]) -> list[Any]:
    return losses.reshape(-1).tolist() if isinstance(losses, Tensor) else list(losses)
