"""Asking a judge outside of any optimization, with the same ledger and the same rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo.evaluation import Failure, Judge, WholeJudge
from zoopt_mo.ledger import Place
from zoopt_mo.objectives._asking import Asker, Question
from zoopt_mo.objectives._policy import QueryPolicy


@dataclass(frozen=True)
class Asked:
    """What came of :func:`ask`.

    Args:
        losses: Losses ``[q]``, NaN where a query failed.
        failures: The queries that failed.
        num_queries: Queries that were put to the judge; not those whose answer the ledger knew from elsewhere.
    """

    losses: npt.NDArray[np.float64]
    failures: tuple[Failure, ...]
    num_queries: int


def ask(
    judge: Judge | Callable[[list[Any]], Any],
    payloads: Sequence[Any],
    *,
    name: str,
    step: int = 0,
    score: Callable[[Any, Any], float] | None = None,
    queries: QueryPolicy | None = None,
) -> Asked:
    """Judge payloads once, such as test samples after a run, under the rules of a :class:`zoopt_mo.BlackBox`.

    Costs a query a payload, none where the ledger knows its answer.

    Args:
        judge: As for :class:`zoopt_mo.BlackBox`.
        payloads: What is judged ``[q]``.
        name: Under which name the ledger keeps it; not that of an objective of the same run.
        step: Number of the round, where several are asked under one name.
        score: From a payload and what the judge said of it to the loss.
        queries: Where answers are kept and how many may fail.

    Returns:
        The losses and what they took.

    Raises:
        RuntimeError: If more queries in a row failed than the policy bears.

    Example:
        >>> import zoopt_mo as zo
        >>> zo.ask(lambda payloads: [p**2 for p in payloads], [1.0, 2.0], name="test").losses.tolist()
        [1.0, 4.0]
    """
    asker = Asker(QueryPolicy() if queries is None else queries, score)
    questions = [Question(Place(name, step, 0, item), payload, 0.0) for item, payload in enumerate(payloads)]
    asker.begin_round(name, step)
    losses = asker.ask(judge if isinstance(judge, Judge) else WholeJudge(judge, name), questions)
    return Asked(losses, tuple(asker.failures), asker.tally.num_paid)
