"""Where objectives and scalarizer meet: the gradient of the scalarized loss, put into ``.grad``."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from zoopt_mo.evaluation import Failure
from zoopt_mo.objectives import BlackBox, Evaluation, Objective, WhiteBox
from zoopt_mo.parameters import Parameters, ParameterSource
from zoopt_mo.scalarizers import Scalarizer, WeightedSum

ScalarizeFunction = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class StepReport:
    """What happened in one step, an entry for each of the ``n`` objectives where there are several.

    Args:
        names: Names of the objectives ``[n]``.
        losses: Their losses at theta ``[n]``; a black box's is the mean of its probes.
        value: The scalarized loss.
        weights: Derivative of the scalarized loss by each loss ``[n]``.
        i_max: Objective that the maximum picked, from 0; None where the scalarizer has no maximum.
        cosines: Cosine between raw and improved estimate ``[n]``, None where nothing was improved.
        gains: The factors ``1 + I_k`` ``[n]``.
        gradient_norms: Length of each gradient before clipping ``[n]``.
        queries: Black-box queries of the step ``[n]``.
        failures: The queries that failed, of all objectives.
    """

    names: tuple[str, ...]
    losses: tuple[float, ...]
    value: float
    weights: tuple[float, ...]
    i_max: int | None
    cosines: tuple[float | None, ...]
    gains: tuple[float, ...]
    gradient_norms: tuple[float, ...]
    queries: tuple[int, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def num_queries(self) -> int:
        """Black-box queries of the step, all objectives together."""
        return sum(self.queries)


def backward(
    objectives: Sequence[Objective],
    scalarizer: ScalarizeFunction,
    parameters: Parameters | ParameterSource,
) -> StepReport:
    r"""Add the gradient of the scalarized loss to ``.grad``; any ``torch.optim`` optimizer then applies it.

    .. math:: \sum_i w_i \, f_i \, (1 + I_i) \, g_i, \qquad w_i = \frac{\partial s}{\partial L_i}

    with :math:`g_i` exact for white boxes and estimated for black boxes, and :math:`f_i` the objective's step factor.
    With :class:`zoopt_mo.AugmentedTchebycheff` this is equation 11. Costs the queries of each black box's estimator.
    A black box with ``skip_below`` costs none where its share of the weights, at its last value and the white boxes'
    new ones, is smaller. Parameters are restored bit for bit after probing. A failed query is left out of the estimate
    with all that is compared with it; if the step fails, ``.grad``, all estimators and the scalarizer are as before.

    Args:
        objectives: Black and white boxes ``[n]``.
        scalarizer: Function from losses ``[n]`` to one number ``[]`` that autograd can follow: one of
            :mod:`zoopt_mo.scalarizers`, or any other with that signature.
        parameters: A module (its buffers are then protected from the probes), tensors, or :class:`Parameters`.

    Returns:
        The report of the step.

    Raises:
        TypeError: If an objective is neither black nor white, or ``parameters`` is an array, which has no ``.grad``.
        ValueError: If there is no objective, two share an estimator, two of one name a ledger, or a white box's loss, a
            weight or a gradient is not finite.
        RuntimeError: If more queries in a row fail than a black box's policy bears.

    Example:
        >>> import torch
        >>> import zoopt_mo as zo
        >>> theta = torch.zeros(2, requires_grad=True)
        >>> black = zo.BlackBox(lambda: float(theta.sum()), estimator=zo.SPSA(radius=0.1))
        >>> white = zo.WhiteBox(lambda: ((theta - 1) ** 2).sum())
        >>> report = zo.backward([black, white], zo.WeightedSum(weights=[0.5, 0.5]), theta)
        >>> report.num_queries, theta.grad is not None
        (2, True)

    Reference:
        Equation 11 of Hui et al. (2026).
    """
    if isinstance(parameters, np.ndarray):
        raise TypeError("`parameters` must be a module, tensors or Parameters, got an array, which has no `.grad`.")
    theta = Parameters.of(parameters)
    with _states_kept_on_failure(objectives, scalarizer):
        evaluations = _evaluate(objectives, scalarizer, theta)
        losses = torch.tensor([evaluation.value for evaluation in evaluations], dtype=torch.float64)
        value, weights = _differentiate(scalarizer, losses)
    norms = [evaluation.gradient.norm() for evaluation in evaluations]
    for objective, evaluation, weight, norm in zip(objectives, evaluations, weights, norms, strict=True):
        factor = weight * objective.step_factor * evaluation.gain * _shrink(norm, objective.max_norm)
        if factor != 0.0:
            theta.add_grad(evaluation.gradient, factor)
    return StepReport(
        names=tuple(objective.name for objective in objectives),
        losses=tuple(losses.tolist()),
        value=value,
        weights=tuple(weights),
        i_max=scalarizer.active_objective(losses) if isinstance(scalarizer, Scalarizer) else None,
        cosines=tuple(evaluation.cosine for evaluation in evaluations),
        gains=tuple(evaluation.gain for evaluation in evaluations),
        gradient_norms=tuple(norms),
        queries=tuple(evaluation.num_queries for evaluation in evaluations),
        failures=tuple(failure for evaluation in evaluations for failure in evaluation.failures),
    )


def _evaluate(objectives: Sequence[Objective], scalarizer: ScalarizeFunction, theta: Parameters) -> list[Evaluation]:
    """White boxes first: one that fails costs no query."""
    whites = {id(box): box.evaluate(theta) for box in objectives if isinstance(box, WhiteBox)}
    skipped = _skippable(objectives, scalarizer, whites)
    asked = [box for box in objectives if isinstance(box, BlackBox) and id(box) not in skipped]
    exact = [evaluation.gradient for evaluation in whites.values()]
    blacks = {id(box): box.evaluate(theta, exact) for box in asked}
    blacks |= {id(box): box.skip() for box in objectives if isinstance(box, BlackBox) and id(box) in skipped}
    return [(whites | blacks)[id(box)] for box in objectives]


def _skippable(
    objectives: Sequence[Objective], scalarizer: ScalarizeFunction, whites: Mapping[int, Evaluation]
) -> set[int]:
    """The black boxes whose share of the weights is too small for a query, judged by their last values."""
    lazy = [box for box in objectives if isinstance(box, BlackBox) and box.may_skip]
    known = [box.last if isinstance(box, BlackBox) else whites[id(box)] for box in objectives]
    values = [evaluation.value for evaluation in known if evaluation is not None]
    if not lazy or len(values) < len(objectives):
        return set()
    losses = torch.tensor(values, dtype=torch.float64)
    _, weights = _differentiate(scalarizer, losses)
    total = math.fsum(map(abs, weights))
    shares = {id(box): abs(weight) / total for box, weight in zip(objectives, weights, strict=True)} if total else {}
    return {id(box) for box in lazy if shares.get(id(box), 0.0) < box.skip_below}


@contextlib.contextmanager
def _states_kept_on_failure(objectives: Sequence[Objective], scalarizer: ScalarizeFunction) -> Iterator[None]:
    """If the block fails, black boxes and scalarizer go back to where they were, and a retry probes the same."""
    marks = [box.mark() for box in _black_boxes_of(objectives)]
    module = scalarizer if isinstance(scalarizer, nn.Module) and type(scalarizer) is not WeightedSum else None
    running = {} if module is None else {name: tensor.clone() for name, tensor in module.state_dict().items()}
    try:
        yield
    except BaseException:
        for go_back in marks:
            go_back()
        if module is not None:
            module.load_state_dict(running)
        raise


def _black_boxes_of(objectives: Sequence[Objective]) -> list[BlackBox]:
    """The black boxes, after a check of the objectives."""
    if not objectives:
        raise ValueError("`objectives` must hold at least one objective, got none.")
    for objective in objectives:
        if not isinstance(objective, (BlackBox, WhiteBox)):
            raise TypeError(f"`objectives` must be BlackBox or WhiteBox, got {type(objective).__name__}.")
    boxes = [box for box in objectives if isinstance(box, BlackBox)]
    if len({id(box.estimator) for box in boxes}) < len(boxes):
        raise ValueError("`objectives` must each have an estimator of their own, got one that occurs twice.")
    recorded = [(id(box.queries.ledger), box.name) for box in boxes if box.queries.ledger is not None]
    if len(set(recorded)) < len(recorded):  # one would be given the other's answers
        names = [name for _, name in recorded]
        raise ValueError(f"`objectives` that share a ledger must have names of their own, got {names}.")
    return boxes


def _differentiate(scalarizer: ScalarizeFunction, losses: Tensor) -> tuple[float, list[float]]:
    """The scalarized loss and its derivative by each loss."""
    if type(scalarizer) is WeightedSum:  # its weights are the derivative; autograd would take a third of a small step
        number, weights = float(scalarizer(losses)), scalarizer.weights.tolist()
    else:
        number, weights = _differentiate_by_autograd(scalarizer, losses)
    if not all(map(math.isfinite, [number, *weights])):
        raise ValueError(f"`scalarizer` must give finite numbers, got {number} with weights {weights}.")
    return number, weights


def _differentiate_by_autograd(scalarizer: ScalarizeFunction, losses: Tensor) -> tuple[float, list[float]]:
    with torch.enable_grad():
        inputs = losses.clone().requires_grad_()
        value = scalarizer(inputs)
    if not isinstance(value, Tensor) or value.ndim != 0:
        kind = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"`scalarizer` must return a tensor of shape [], got {kind}.")
    if not value.requires_grad:
        raise ValueError("`scalarizer` must depend on the losses by operations that autograd can follow.")
    (derivative,) = torch.autograd.grad(value, inputs)
    return float(value.detach()), derivative.tolist()


def _shrink(norm: float, max_norm: float | None) -> float:
    return 1.0 if max_norm is None or norm <= max_norm else max_norm / norm
