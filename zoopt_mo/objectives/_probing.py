"""Looking at a black box under each probe, and asking its judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zoopt_mo.directions import Combination
from zoopt_mo.estimators import Estimator
from zoopt_mo.evaluation import Judge, WholeJudge, parallel
from zoopt_mo.ledger import Place
from zoopt_mo.objectives._asking import Asker, Question
from zoopt_mo.objectives._batch import Batch, mean_of_items
from zoopt_mo.objectives._shipping import PointsByFile
from zoopt_mo.parameters import Mover, Parameters

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Probe:
    """One probe of a round.

    Args:
        place: Which query it is.
        displacement: Where it lies from theta.
        radius: Its distance over the square root of ``p``.
    """

    place: Place
    displacement: Combination
    radius: float


@dataclass(frozen=True)
class Source:
    """Where losses come from: ``loss``, or ``render`` and ``judge``; see :class:`zoopt_mo.BlackBox`."""

    name: str
    loss: Callable[..., Any] | None
    render: Callable[..., Any] | None
    judge: Judge | Callable[[list[Any]], Any] | None


@dataclass(frozen=True)
class Found:
    """What a round of queries found.

    Args:
        losses: Losses ``[q]``, NaN where a query failed.
        item_losses: Losses ``[q, b]`` of the payloads of batches; None where there are none.
    """

    losses: Values
    item_losses: Values | None = None


def measure(asker: Asker, source: Source, parameters: Parameters, probes: Sequence[Probe]) -> Found:
    """The losses at the probes; theta is restored bit for bit.

    Args:
        asker: Puts the queries.
        source: Where the losses come from.
        parameters: The parameters to displace.
        probes: The probes ``[q]``.
    """
    render = source.render
    if isinstance(render, PointsByFile):
        render.begin_round()
    with torch.no_grad(), parameters.probing() as move_to:
        if render is None:
            return Found(np.array([_ask_in_place(asker, source, parameters, move_to, probe) for probe in probes]))
        payloads = [_payload_at(render, move_to, probe) for probe in probes]
    return _ask_judge(asker, source, payloads, probes)


def seed_of(estimator: Estimator) -> int | None:
    """The seed of the directions, which the innermost estimator draws."""
    while isinstance(inner := getattr(estimator, "estimator", None), Estimator):
        estimator = inner
    stream = getattr(estimator, "_stream", None)
    return None if stream is None else int(stream.seed)


def _ask_in_place(asker: Asker, source: Source, parameters: Parameters, move_to: Mover, probe: Probe) -> float:
    """One query, while the parameters are displaced."""
    move_to(probe.displacement)
    loss = source.loss if source.loss is not None else _nothing
    if asker.policy.ledger is None and asker.score is None:
        return asker.ask_here(probe.place, loss)
    question = Question(probe.place, parameters.flat(), probe.radius)
    return float(asker.ask(parallel(lambda _theta: loss()), [question])[0])


def _payload_at(render: Callable[..., Any], move_to: Mover, probe: Probe) -> Any:  # noqa: ANN401
    move_to(probe.displacement)
    return render.at(probe.displacement) if isinstance(render, PointsByFile) else render()


def _ask_judge(asker: Asker, source: Source, payloads: list[Any], probes: Sequence[Probe]) -> Found:
    """All queries of the round at once; the mean over the items of each probe where they are batches."""
    batches = [payload.items if isinstance(payload, Batch) else [payload] for payload in payloads]
    if len({len(items) for items in batches}) != 1:
        sizes = sorted({len(items) for items in batches})
        raise ValueError(f"`render` of {source.name!r} must give batches of one size in a step, got sizes {sizes}.")
    questions = [
        Question(probe.place._replace(item=number), item, probe.radius)
        for probe, items in zip(probes, batches, strict=True)
        for number, item in enumerate(items)
    ]
    judge = source.judge
    if not isinstance(judge, Judge):
        judge = WholeJudge(judge, source.name) if judge is not None else parallel(float)
    losses = asker.ask(judge, questions).reshape(len(batches), -1)
    if not isinstance(payloads[0], Batch):
        return Found(losses[:, 0])
    return Found(mean_of_items(losses, [probe.displacement for probe in probes]), losses)


def _nothing() -> None:
    return None
