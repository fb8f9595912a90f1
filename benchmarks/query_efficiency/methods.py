"""The compared methods: each is a grid of settings, and a run that stops when the oracle says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

import zoopt_mo as zo
from benchmarks.query_efficiency.suite import Oracle

Run = Callable[[Oracle, float, float], None]
"""Runs on an oracle with a step size and a radius until it is over."""

MULTIPLES = (0.1, 0.2, 0.4, 0.7, 1.0, 1.4)
POPULATION = 32


@dataclass(frozen=True)
class Method:
    """A compared method.

    Args:
        run: Runs it.
        steps: The grid of its step size: six values, in units of ``unit``.
        unit: "curvature" for steps in one over the trace of the Hessian, "none" for steps without a unit.
        radius: Its radius where there is no noise to stand out of.
    """

    run: Run
    steps: Sequence[float] = MULTIPLES
    unit: str = "curvature"
    radius: float = 1e-3


def _estimate(build: Callable[[float], zo.Estimator]) -> Run:
    """Plain descent along an estimator's gradient."""

    def run(oracle: Oracle, lr: float, radius: float) -> None:
        x = oracle.start.copy()
        theta = torch.from_numpy(x)
        estimator = build(radius)
        estimator.reset(seed=oracle.seed)
        while not oracle.look(x):
            estimate = estimator.tell(oracle.losses(_points(x, estimator.ask(x.size))))
            estimate.gradient.add_to(theta, -lr * estimate.gain)
            oracle.next_batch()

    return run


def _points(x: np.ndarray, displacements: Sequence[zo.Combination]) -> np.ndarray:
    points = np.repeat(x[None], len(displacements), axis=0)
    for point, displacement in zip(torch.from_numpy(points), displacements, strict=True):
        displacement.add_to(point)
    return points


def _evolution_strategy(oracle: Oracle, lr: float, radius: float) -> None:
    """OpenAI-ES as published: mirrored normal probes, ranks, Adam."""
    x = oracle.start.copy()
    theta = torch.from_numpy(x)
    estimator = zo.EvolutionStrategy(radius=radius, population=POPULATION, seed=oracle.seed)
    optimizer = torch.optim.Adam([theta], lr=lr)
    while not oracle.look(x):
        estimate = estimator.tell(oracle.losses(_points(x, estimator.ask(x.size))))
        theta.grad = estimate.gradient.dense(dtype=theta.dtype)
        optimizer.step()
        oracle.next_batch()


def _separable_cma(oracle: Oracle, lr: float, radius: float) -> None:  # noqa: ARG001 - CMA-ES adapts its own radius
    """Pycma itself, with a diagonal covariance; its one setting is the first standard deviation."""
    import cma

    options = {"CMA_diagonal": True, "verbose": -9, "seed": oracle.seed + 1, "maxfevals": 10**9, "verb_log": 0}
    search = cma.CMAEvolutionStrategy(oracle.start, lr, options)
    while not oracle.look(search.mean):
        points = search.ask()
        search.tell(points, oracle.losses(np.array(points)).tolist())
        oracle.next_batch()


def _torchzero(oracle: Oracle, lr: float, radius: float) -> None:
    """Torchzero's SPSA, by its own optimizer."""
    import torchzero as tz

    x = oracle.start.copy()
    theta = torch.from_numpy(x).requires_grad_()
    module = tz.m.SPSA(h=radius, seed=oracle.seed, return_approx_loss=True)
    optimizer = tz.Optimizer([theta], module, tz.m.LR(lr))

    def closure(backward: bool = True) -> torch.Tensor:  # noqa: ARG001, FBT001, FBT002 - torchzero's signature
        return torch.tensor(oracle.losses(theta.detach().numpy()[None])[0])

    while not oracle.look(x):
        optimizer.step(closure)
        oracle.next_batch()


def _history(**ablation: object) -> Callable[[float], zo.Estimator]:
    def build(radius: float) -> zo.Estimator:
        spsa = zo.SPSA(radius=radius)
        options = {"capacity": 10, "decay": 0.8, "blend": 0.8, "magnitude": 0.5, **ablation}
        return zo.CriticalHistory(spsa, **options)  # type: ignore[arg-type]

    return build


def _scaled(factor: float) -> tuple[float, ...]:
    return tuple(factor * multiple for multiple in MULTIPLES)


OURS = "recommended"
PEERS = ("SPSA", "SPSA-GC", "critical history", "OpenAI-ES", "sep-CMA-ES (pycma)", "SPSA (torchzero)")
METHODS: dict[str, Method] = {
    OURS: Method(_estimate(lambda radius: zo.recommended(radius=radius)), (0.4, 0.6, 0.8, 1.0, 1.4, 1.8), unit="none"),
    "SPSA": Method(_estimate(lambda radius: zo.SPSA(radius=radius))),
    # Momentum of 0.9 that is not normalized lengthens steps tenfold.
    "SPSA-GC": Method(_estimate(lambda radius: zo.GradientCorrection(zo.SPSA(radius=radius))), _scaled(0.1)),
    "critical history": Method(_estimate(_history()), _scaled(0.5)),
    "OpenAI-ES": Method(_evolution_strategy, (0.003, 0.006, 0.012, 0.025, 0.05, 0.1), unit="none", radius=0.05),
    "sep-CMA-ES (pycma)": Method(_separable_cma, (0.03, 0.1, 0.2, 0.4, 0.7, 1.0), unit="none"),
    "SPSA (torchzero)": Method(_torchzero),
}

ABLATIONS: dict[str, Method] = {
    "critical history": METHODS["critical history"],
    "w/o history gradient (SPSA)": METHODS["SPSA"],
    "w/o critical collection": Method(_estimate(_history(selection="latest")), _scaled(0.5)),
    "w/o direction": Method(_estimate(_history(improve_direction=False)), _scaled(0.5)),
    "w/o step size": Method(_estimate(_history(adjust_step=False)), _scaled(0.5)),
    "SPSA-GC": METHODS["SPSA-GC"],
}
"""The paper's methods and the four ablations of its table 7."""


def run_untuned(oracle: Oracle) -> None:
    """The recommended method as it comes: calibrated on the oracle itself, its queries counted, a step size of 1."""
    found = zo.calibrate(lambda x: float(oracle.losses(x[None])[0]), oracle.start, seed=oracle.seed)
    METHODS[OURS].run(oracle, 1.0, found.radius)


def run_minibatch(oracle: Oracle) -> None:
    """The recommended method for minibatches as it comes."""
    _estimate(lambda radius: zo.recommended(radius=radius, minibatch=True))(oracle, 1.0, 1e-3)


def step_of(method: Method, multiple: float, curvature: float) -> float:
    """A step size of the grid."""
    if method.unit == "none":
        return multiple
    return multiple / curvature if curvature > 0 and math.isfinite(curvature) else multiple
