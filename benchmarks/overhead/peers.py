"""The same step by others: one step each at theta, with the same loss that costs nothing.

Every peer is called as its documentation shows, with gains given so that nothing is calibrated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.overhead.ours import RADIUS, loss_of
from benchmarks.overhead.timing import Step

QISKIT_STEPS = 10  # it has no ask and tell: a call is a whole run


def mezo_loop(theta: Tensor) -> Step:
    """MeZO's loop, our own writing of what Malladi et al. (2023) publish: four replays of seeded normal numbers.

    Perturb by +1, -2, +1 times the radius, then update, tensor by tensor; nothing is kept but the seed.
    """
    tensors, loss, generator = [theta.detach()], loss_of(theta), torch.Generator()
    seeds = iter(range(10**9))

    def replay(seed: int, scale: float) -> None:
        generator.manual_seed(seed)
        for tensor in tensors:
            z = torch.normal(0.0, 1.0, size=tensor.shape, generator=generator, dtype=tensor.dtype)
            tensor.copy_(tensor + scale * z)

    def run() -> None:
        seed = next(seeds)
        replay(seed, RADIUS)
        plus = loss()
        replay(seed, -2 * RADIUS)
        minus = loss()
        replay(seed, RADIUS)
        replay(seed, -1e-8 * (plus - minus) / (2 * RADIUS))

    return Step(run)


def torchzero_spsa(theta: Tensor) -> Step:
    """SPSA of torchzero."""
    import torchzero as tz

    return _torchzero(theta, tz.m.SPSA(h=RADIUS))


def torchzero_mezo(theta: Tensor) -> Step:
    """MeZO of torchzero."""
    import torchzero as tz

    return _torchzero(theta, tz.m.MeZO(h=RADIUS))


def _torchzero(theta: Tensor, module: object) -> Step:
    import torchzero as tz

    optimizer, loss = tz.Optimizer([theta], module, tz.m.LR(1e-8)), loss_of(theta)

    def closure(backward: bool = True) -> Tensor:  # noqa: ARG001, FBT001, FBT002 - torchzero's signature
        return torch.tensor(loss())

    return Step(lambda: optimizer.step(closure))


def nevergrad_spsa(theta: Tensor) -> Step:
    """SPSA of nevergrad, by ask and tell."""
    import nevergrad as ng

    search = ng.optimizers.registry["SPSA"](ng.p.Array(init=np.full(theta.numel(), 0.1)), budget=10**6)

    def run() -> None:
        for _ in range(2):
            candidate = search.ask()
            search.tell(candidate, _loss(candidate.value))

    return Step(run)


def pycma_separable(theta: Tensor) -> Step:
    """Separable CMA-ES of pycma; a step is a generation."""
    import cma

    options = {"CMA_diagonal": True, "verbose": -9, "seed": 1, "verb_log": 0}
    search = cma.CMAEvolutionStrategy(np.full(theta.numel(), 0.1), RADIUS, options)

    def run() -> None:
        points = search.ask()
        search.tell(points, [_loss(point) for point in points])

    return Step(run, queries=search.popsize, warmup=1)


def qiskit_spsa(theta: Tensor) -> Step:
    """SPSA of qiskit-algorithms, in whole runs of a few steps."""
    from qiskit_algorithms.optimizers import SPSA

    search = SPSA(maxiter=QISKIT_STEPS, learning_rate=1e-8, perturbation=RADIUS)
    start = np.full(theta.numel(), 0.1)
    return Step(lambda: search.minimize(_loss, start), per_call=QISKIT_STEPS)


def _loss(x: npt.NDArray[np.float64]) -> float:
    return float(x[:64] @ x[:64])


PEERS: dict[str, Callable[[Tensor], Step]] = {
    "mezo_loop": mezo_loop,
    "torchzero_spsa": torchzero_spsa,
    "torchzero_mezo": torchzero_mezo,
    "nevergrad_spsa": nevergrad_spsa,
    "pycma_separable": pycma_separable,
    "qiskit_spsa": qiskit_spsa,
}
