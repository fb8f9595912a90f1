"""Black boxes: losses that are known by their values, every one a query."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_between, check_count
from zoopt_mo.directions import Combination, SignDirection
from zoopt_mo.estimators import Estimator, NothingMeasured
from zoopt_mo.estimators._base import check_estimator
from zoopt_mo.evaluation import Failure, Judge, TooManyFailures
from zoopt_mo.ledger import Place
from zoopt_mo.objectives._asking import Asker
from zoopt_mo.objectives._base import Evaluation, Objective
from zoopt_mo.objectives._policy import QueryPolicy
from zoopt_mo.objectives._probing import Probe, Source, measure, seed_of
from zoopt_mo.objectives._white_box import WhiteBox
from zoopt_mo.parameters import Parameters

Values = npt.NDArray[np.float64]


class BlackBox(Objective):
    """A loss known by its values alone; every value is a query that may cost money.

    Give either ``loss``, a function without arguments that is called under each probe, or ``render`` and ``judge``:
    ``render`` runs under each probe (cheap, local, such as the anonymizer's forward pass) and ``judge`` gets the
    payloads of the whole step at once (dear, remote) and says what each is worth. Both run without autograd.

    A query that raises, or whose loss is not finite, has failed: the probes that are compared with it are left out of
    the estimate, and it is named in the report. If none is left, new directions are asked.

    Args:
        loss: Returns the loss at the present parameters. In :func:`zoopt_mo.minimize` it takes ``x``.
        render: Returns a payload made with the present parameters, or a :class:`zoopt_mo.Batch` of payloads whose mean
            loss counts; it must not hold on to them. In :func:`zoopt_mo.minimize` it takes ``x``.
        judge: Takes the list of payloads ``[q]`` and returns their losses ``[q]``, in order; or
            :func:`zoopt_mo.parallel` or :func:`zoopt_mo.concurrent` of a function of one payload.
        score: From a payload and what the judge said of it to the loss, where the judge says more than a number; the
            ledger keeps what was said.
        estimator: How the gradient is estimated; one of its own for each objective.
        queries: Where answers are kept and how many may fail.
        prior: A white box whose gradient is a guess of this one's, such as a surrogate model's loss; for
            :class:`zoopt_mo.PriorGuided` and :class:`zoopt_mo.ControlVariate`. In :func:`zoopt_mo.minimize` its
            functions take ``x``.
        skip_below: Share of the step's weights in [0, 1) below which :func:`zoopt_mo.backward` asks nothing and reuses
            the last estimate; 0 asks at every step.
        max_skips: Most steps in a row without a query.
        name: Its name in reports, messages and the ledger.
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
        loss: Callable[..., Any] | None = None,
        *,
        render: Callable[..., Any] | None = None,
        judge: Judge | Callable[[list[Any]], Any] | None = None,
        score: Callable[[Any, Any], float] | None = None,
        estimator: Estimator,
        queries: QueryPolicy | None = None,
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
        self.loss, self.render, self.judge, self.score = loss, render, judge, score
        self.estimator = check_estimator(estimator)
        self.queries = QueryPolicy() if queries is None else queries
        self.prior = prior
        self.skip_below = check_between("skip_below", skip_below, 0.0, 1.0, interval="[0, 1)")
        self.max_skips = check_count("max_skips", max_skips)
        self.last: Evaluation | None = None
        """What the last step with queries said."""
        self.item_losses: Values = np.zeros((0, 0))
        """Losses of the last round ``[q, b]`` where ``render`` returns batches, NaN where a query failed."""
        self._forget()

    def _forget(self) -> None:
        self._asker = Asker(self.queries, self.score)
        self._round = 0  # rounds of queries so far, by which the ledger knows them
        self._num_skipped = 0
        self.last = None

    @property
    def num_queries(self) -> int:
        """Queries so far, those of failed steps included; not those whose answer the ledger knew from elsewhere."""
        return self._asker.tally.num_paid

    @property
    def cost(self) -> float:
        """What these queries cost, where the judge says so with :class:`zoopt_mo.Usage`."""
        return self._asker.tally.cost

    @property
    def failures(self) -> list[Failure]:
        """The queries of the last round that failed."""
        return self._asker.failures

    def evaluate(self, parameters: Parameters, exact: Sequence[Combination] = ()) -> Evaluation:
        """Query the step's probes and estimate the gradient; theta is restored bit for bit.

        Where so many queries fail that nothing is measured, new directions are asked.

        Args:
            parameters: The parameters to probe.
            exact: Exact gradients of the step's white boxes.

        Raises:
            ValueError: If the number of losses is wrong.
            TooManyFailures: If more queries, or rounds of queries, failed in a row than the policy bears.
        """
        failures: list[Failure] = []
        with self.attempt():
            for _ in range(self.queries.max_failures + 1):
                losses = self.query(parameters)
                failures += self.failures
                try:
                    return dataclasses.replace(self.conclude(losses, exact), failures=tuple(failures))
                except NothingMeasured:
                    continue
            raise TooManyFailures(
                f"{self.queries.max_failures + 1} rounds of queries of {self.name!r} in a row measured nothing, more "
                f"than `max_failures` bears; the last failure: {failures[-1].error if failures else 'none'}"
            )

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Rounds of queries that are of use together alone.

        Where they are given up by :class:`zoopt_mo.TooManyFailures`, the failed ones are asked again when the run is
        gone on with, and what followed from them does not bind it.
        """
        first = self._round
        try:
            yield
        except TooManyFailures:
            self._asker.give_up(self.name, first)
            raise

    def query(self, parameters: Parameters) -> Values:
        """The losses ``[q]`` at the step's probes, NaN where a query failed.

        Querying again before :meth:`conclude` probes the same places.

        Args:
            parameters: The parameters to probe.
        """
        return self._measure(parameters, self.plan(parameters))

    def plan(self, parameters: Parameters) -> list[Combination]:
        """Where the probes of the step lie, from theta, ``[q]``; costs no query, but an evaluation of the prior.

        Args:
            parameters: The parameters to probe.
        """
        prior = None if self.prior is None else self.prior.evaluate(parameters).gradient
        return self.estimator.ask(parameters.size, prior=prior)

    def losses_at(self, parameters: Parameters, displacements: Sequence[Combination]) -> Values:
        """The losses ``[q]`` at given places, a query each, NaN where it failed; theta is restored bit for bit.

        Args:
            parameters: The parameters to displace.
            displacements: Where to look, from theta.
        """
        losses = self._measure(parameters, displacements)
        self._round += 1
        self._asker.tally.begin_step()
        return losses

    def value_at(self, parameters: Parameters) -> float:
        """The loss at the parameters, NaN where the query failed; costs one query, beside those of the steps.

        A failed one is asked again when the run is gone on with.

        Args:
            parameters: Where to look.
        """
        signs = SignDirection(np.zeros(-(-parameters.size // 64), dtype=np.uint64), parameters.size)
        value = float(self._measure(parameters, [Combination([(0.0, signs)])], first=-1)[0])
        if math.isnan(value):
            self._asker.give_up(self.name, self._round)
        self._asker.tally.begin_step()
        return value

    def conclude(self, losses: Values, exact: Sequence[Combination] = ()) -> Evaluation:
        """The estimate from the losses of :meth:`query`.

        Args:
            losses: Losses ``[q]``.
            exact: Exact gradients of the step's white boxes.

        Raises:
            zoopt_mo.estimators.NothingMeasured: If too many queries failed; the next query asks new directions.
        """
        self._round += 1
        estimate = self.estimator.tell(losses, exact=exact)
        num_queries = self._asker.tally.num_in_step
        self._asker.tally.begin_step()
        failures = tuple(self.failures)
        self.last = Evaluation(estimate.value, estimate.gradient, estimate.gain, estimate.cosine, num_queries, failures)
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
        return dataclasses.replace(self.last, num_queries=0, failures=())

    def reset(self, *, seed: int | None = None) -> None:
        """Forget all steps, as if new.

        Args:
            seed: A new seed of the estimator; the old one by default.
        """
        self.estimator.reset(seed=seed)
        self._forget()

    def state_dict(self) -> dict[str, Any]:
        """All that its next step depends on, beside the parameters, as plain numbers and tensors."""
        last = self.last
        gradient = None if last is None else last.gradient.state_dict()
        return {
            "estimator": self.estimator.state_dict(),
            **self._asker.tally.state_dict(self._round),
            "num_skipped": self._num_skipped,
            "round": self._round,
            "last": None if last is None else {**vars(last), "gradient": gradient, "failures": ()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self._asker.tally.load_state_dict(state)
        self.estimator.load_state_dict(state["estimator"])
        self._num_skipped, self._round = state["num_skipped"], state["round"]
        last = state["last"]
        gradient = None if last is None else Combination.from_state(last["gradient"])
        self.last = None if gradient is None else Evaluation(**{**last, "gradient": gradient})

    def mark(self) -> Callable[[], None]:
        """A function that goes back to this place to try a step again; what was paid for since stays counted.

        It is cheaper than :meth:`state_dict`, and good until the end of the step.
        """
        estimator, num_skipped, number, last = self.estimator.state_dict(), self._num_skipped, self._round, self.last
        tally = self._asker.tally.mark()

        def go_back() -> None:
            tally()
            self.estimator.load_state_dict(estimator)
            self._num_skipped, self._round, self.last = num_skipped, number, last

        return go_back

    def _measure(self, parameters: Parameters, displacements: Sequence[Combination], *, first: int = 0) -> Values:
        """The losses ``[q]`` at given places, as queries ``first``, ``first + 1``, ... of the present round."""
        kept = self.queries.ledger is not None
        self._asker.begin_round(self.name, self._round, seed_of(self.estimator) if kept else None)
        scale = 1 / math.sqrt(parameters.size)
        probes = [
            Probe(Place(self.name, self._round, first + number), move, scale * move.norm() if kept else 0.0)
            for number, move in enumerate(displacements)
        ]
        found = measure(self._asker, Source(self.name, self.loss, self.render, self.judge), parameters, probes)
        if found.item_losses is not None:
            self.item_losses = found.item_losses
        return found.losses
