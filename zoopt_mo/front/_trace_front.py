"""A whole front: one minimization for each weight vector, each starting where its neighbour ended."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import Floats, Points, check_count, check_points, check_seed, check_vector
from zoopt_mo.backward import ScalarizeFunction
from zoopt_mo.front._keeping import Keeping
from zoopt_mo.minimize import minimize
from zoopt_mo.minimize._arguments import Function
from zoopt_mo.objectives import BlackBox, Objective, QueryPolicy, WhiteBox
from zoopt_mo.pareto import epsilon_indicator, hypervolume, igd_plus, non_dominated
from zoopt_mo.pareto._indicators import require_moocore
from zoopt_mo.scalarizers import Scalarizer

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

Matrix = npt.NDArray[np.float64]
ScalarizerFactory = Callable[[list[float]], ScalarizeFunction]


@dataclass(frozen=True, eq=False)
class FrontResult:
    """The points that a sweep found, a row for each of the ``k`` weight vectors, in their order.

    Args:
        weights: The scalarizer's weights ``[k, n]``.
        losses: Losses at the end of each minimization ``[k, n]``.
        x: Where they are taken ``[k, p]``.
        optimal: Mask ``[k]``: which points no other point of the sweep dominates.
        nfev: Evaluations of each objective ``[k, n]``, black and white.
        queries: Black-box queries of each point ``[k]``.
        hypervolume: Volume dominated up to the reference point; None without one.
        igd_plus: Mean distance to the true front; None where that was not given.
        epsilon: Additive epsilon indicator against the true front; None where that was not given.
        results: What :func:`zoopt_mo.minimize` returned for each point ``[k]``.
    """

    weights: Matrix
    losses: Matrix
    x: Matrix
    optimal: npt.NDArray[np.bool_]
    nfev: npt.NDArray[np.int64]
    queries: npt.NDArray[np.int64]
    hypervolume: float | None
    igd_plus: float | None
    epsilon: float | None
    results: tuple[OptimizeResult, ...] = field(repr=False)

    @property
    def num_queries(self) -> int:
        """Black-box queries of the whole sweep."""
        return int(self.queries.sum())


def trace_front(
    objectives: Sequence[Objective | Function],
    x0: npt.ArrayLike,
    *,
    scalarizer: ScalarizerFactory,
    weights: Points | None = None,
    num_chains: int = 1,
    executor: Executor | None = None,
    budget: int | None = None,
    seed: int = 0,
    reference: Floats | None = None,
    front: Points | None = None,
    queries: QueryPolicy | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    **minimize_options: Any,  # noqa: ANN401 - those of minimize
) -> FrontResult:
    r"""Find a set of trade-offs: minimize the scalarized loss for one weight vector after the other.

    The weights are cut into ``num_chains`` runs of neighbours. The first point of a chain starts at ``x0``, every other
    one where the point before it ended, so it has less way to go. Chains run one after the other, or side by side on
    an ``executor``; the result depends on ``num_chains`` and not on the executor, its workers or who is ready first.

    Costs ``k`` minimizations, each of at most ``budget`` queries. The points say as much about the front as their
    scalarizer can reach: a weighted sum leaves concave parts out.

    Args:
        objectives: Functions, black boxes and white boxes ``[n]``, as :func:`zoopt_mo.minimize` takes them.
        x0: Start of every chain ``[p]``.
        scalarizer: From weights (a list ``[n]``) to a scalarizer. Each point gets a new one.
        weights: Weight vectors ``[k, n]``, neighbours alike. None takes :func:`zoopt_mo.simplex_weights` with
            10 divisions: nine points for two objectives.
        num_chains: Into how many chains of equal length (give or take one) the weights are cut. More chains can run
            at a time, and fewer points start from a neighbour.
        executor: Any :class:`concurrent.futures.Executor`; None runs the chains here. With processes, all arguments
            must be picklable: :func:`functools.partial` in the place of a lambda. With threads, the objectives are
            called by several threads at a time.
        budget: Most black-box queries of each point.
        seed: Seed of the sweep; every point gets its own, whatever the chains.
        reference: Reference point ``[n]`` for the hypervolume.
        front: Points of the true front ``[m, n]``, for the other two indicators.
        queries: How black boxes ask. In its ledger every point has a run of its own, named after the ledger's.
        checkpoint: Folder that the points are written to as they go, made if it is missing. Called again with the same
            arguments, the sweep goes on from there; with a ledger in ``queries`` no query is paid twice.
        **minimize_options: Passed to :func:`zoopt_mo.minimize` for each point: ``lr``, ``estimator``, ``max_steps``
            and others.

    Returns:
        The points found, the indicators asked for, and what each point cost.

    Raises:
        TypeError: If ``objectives`` is no list, or ``scalarizer`` is not a function that makes one.
        ValueError: If an argument is out of range or shapes do not fit, or a black box has a ledger of its own, in
            which the points would meet.
        ImportError: If an indicator is asked for and moocore is not installed.

    Example:
        >>> import zoopt_mo as zo
        >>> black = lambda x: float(((x - 1) ** 2).sum())
        >>> white = zo.WhiteBox(lambda x: float((x**2).sum()), grad=lambda x: 2 * x)
        >>> found = zo.trace_front(
        ...     [black, white],
        ...     [0.5],
        ...     scalarizer=lambda w: zo.WeightedSum(weights=w),
        ...     weights=[[0.25, 0.75], [0.75, 0.25]],
        ...     estimator=zo.SPSA(radius=0.1),
        ...     lr=0.2,
        ...     budget=41,
        ... )
        >>> found.x.round(3).tolist(), found.optimal.tolist(), found.num_queries
        ([[0.25], [0.75]], [True, True], 82)

    Reference:
        Miettinen (1999), chapter 3; weights on a lattice: Das and Dennis (1998).
    """
    _check_kinds(objectives, scalarizer)
    rows = _weights_for(len(objectives), weights)
    count = check_count("num_chains", num_chains)
    if count > len(rows):
        raise ValueError(f"`num_chains` must be at most {len(rows)}, the number of weight vectors, got {count}.")
    corner, target = _check_indicators(len(objectives), reference, front)
    keeping = Keeping.of(queries, checkpoint, {"weights": rows.tolist(), "num_chains": count, "seed": seed})
    seeds = np.random.SeedSequence(check_seed("seed", seed)).generate_state(len(rows), np.uint64)
    options = {"budget": budget, **minimize_options}
    chains = [
        _Chain(objectives, x0, scalarizer, part.tolist(), rows[part].tolist(), seeds[part].tolist(), options, keeping)
        for part in np.array_split(np.arange(len(rows)), count)
    ]
    run = map if executor is None else executor.map
    return _conclude(rows, objectives, list(itertools.chain.from_iterable(run(_run_chain, chains))), corner, target)


def simplex_weights(num_objectives: int, *, divisions: int = 10) -> Matrix:
    r"""Weight vectors evenly spread over the simplex, without its border, in an order where neighbours are alike.

    .. math:: \Big\{ \tfrac{1}{H} (i_1, \ldots, i_n) : i_j \in \{1, 2, \ldots\}, \ \textstyle\sum_j i_j = H \Big\}

    There are :math:`\binom{H-1}{n-1}` of them. From one to the next a single share :math:`1/H` moves.

    Args:
        num_objectives: Number of objectives ``n``.
        divisions: Number of shares ``H``, at least ``n``.

    Returns:
        Weights ``[k, n]``; each row sums to one.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from zoopt_mo import simplex_weights
        >>> simplex_weights(2, divisions=4).tolist()
        [[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]]

    Reference:
        Das and Dennis (1998), https://doi.org/10.1137/S1052623496307510.
    """
    parts = check_count("num_objectives", num_objectives)
    shares = check_count("divisions", divisions, least=parts)
    return np.array(list(_compositions(shares, parts)), dtype=np.float64) / shares


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write ``total`` as a sum of positive integers, walked back and forth so that one unit moves."""
    if parts == 1:
        yield (total,)
        return
    for first in range(1, total - parts + 2):
        rest = list(_compositions(total - first, parts - 1))
        yield from ((first, *others) for others in (rest if first % 2 else reversed(rest)))


@dataclass(frozen=True)
class _Chain:
    """Neighbouring weights and all that their minimizations need; it travels to a worker."""

    objectives: Sequence[Objective | Function]
    x0: npt.ArrayLike
    scalarizer: ScalarizerFactory
    numbers: list[int]
    weights: list[list[float]]
    seeds: list[int]
    options: dict[str, Any]
    keeping: Keeping


def _run_chain(chain: _Chain) -> list[OptimizeResult]:
    """One minimization a weight vector, each from where the one before it ended."""
    results: list[OptimizeResult] = []
    for number, weights, seed in zip(chain.numbers, chain.weights, chain.seeds, strict=True):
        start = results[-1].x if results else chain.x0
        with chain.keeping.options(number, weights) as kept:
            options = {"scalarizer": chain.scalarizer(weights), "seed": seed, **chain.options, **kept}
            results.append(minimize(chain.objectives, start, **options))
    return results


def _check_kinds(objectives: object, scalarizer: object) -> None:
    """The two likely slips: one function in the place of several, a scalarizer in the place of its factory."""
    if not isinstance(objectives, Sequence):
        raise TypeError(f"`objectives` must be a list of functions and objectives, got {type(objectives).__name__}.")
    if isinstance(scalarizer, Scalarizer) or not callable(scalarizer):
        raise TypeError(f"`scalarizer` must be a function from weights to one, got {type(scalarizer).__name__}.")
    for box in objectives:
        if isinstance(box, BlackBox) and box.queries.ledger is not None:
            raise ValueError(
                f"The black box {box.name!r} must not have a ledger of its own, in which the points would meet: give "
                "the policy to the sweep, as `queries`."
            )


def _weights_for(num_objectives: int, weights: Points | None) -> Matrix:
    if num_objectives < 2:
        raise ValueError(f"`objectives` must hold at least two objectives, got {num_objectives}.")
    if weights is None:
        return simplex_weights(num_objectives, divisions=max(10, num_objectives))
    rows = check_points("weights", weights, width=num_objectives)
    if len(rows) == 0:
        raise ValueError("`weights` must hold at least one weight vector, got none.")
    return rows


def _check_indicators(
    num_objectives: int, reference: Floats | None, front: Points | None
) -> tuple[Matrix | None, Matrix | None]:
    """Before the first query: what is asked for can be computed at the end."""
    if reference is not None or front is not None:
        require_moocore()
    corner = None if reference is None else check_vector("reference", reference, length=num_objectives)
    target = None if front is None else check_points("front", front, width=num_objectives)
    if target is not None and len(target) == 0:
        raise ValueError("`front` must hold at least one point, got none.")
    return corner, target


def _conclude(
    weights: Matrix,
    objectives: Sequence[Objective | Function],
    results: list[OptimizeResult],
    reference: Matrix | None,
    front: Matrix | None,
) -> FrontResult:
    losses = np.array([result.F for result in results])
    nfev = np.array([result.nfev for result in results])
    black = [not isinstance(box, WhiteBox) for box in objectives]
    return FrontResult(
        weights=weights,
        losses=losses,
        x=np.array([result.x for result in results]),
        optimal=non_dominated(losses),
        nfev=nfev,
        queries=nfev[:, black].sum(axis=1),
        hypervolume=None if reference is None else hypervolume(losses, reference),
        igd_plus=None if front is None else igd_plus(losses, front),
        epsilon=None if front is None else epsilon_indicator(losses, front),
        results=tuple(results),
    )
