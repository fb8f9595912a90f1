"""The methods that are compared, each as a training in the privacy world with one step to choose.

An estimator takes the place of the flagship's, and its step is that along the estimated gradient. A search method
(CMA-ES, REINFORCE, Q-learning) sees values alone. The paper does not say how it let them search a network's weights;
here they search a subspace of 64 random sign directions through the start, minimize the scalarized loss of a step's
batch, and the best of the latest six points counts, for one lucky batch would otherwise hold them for ever; their
step is how far an entry of the weights is moved at first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import zoopt_mo as zo
from benchmarks.ablations import Fields, Job
from benchmarks.estimators.world import training_of, watch
from privacy_mllm.config import TrainConfig
from privacy_mllm.train import Training
from zoopt_mo.search import Search

GUIDED = "prior-guided"
DIMENSIONS = 64
LATEST = 6
"""Points of a search of which the best counts; a generation of CMA-ES."""
MOVE = 0.01
"""First move of an entry of the weights, of the searches; tuning multiplies it, as it does the estimators' step."""


def _spsa(radius: Callable[[int], float], seed: int) -> zo.Estimator:
    return zo.SPSA(radius=radius, seed=seed)


def _history(radius: Callable[[int], float], seed: int) -> zo.Estimator:
    config = TrainConfig()
    return zo.CriticalHistory(
        zo.SPSA(radius=radius, seed=seed),
        capacity=config.capacity,
        decay=config.decay,
        blend=config.blend,
        magnitude=config.magnitude,
    )


ESTIMATORS: Mapping[str, Callable[[Callable[[int], float], int], zo.Estimator]] = {
    # Raw losses: ranks have no unit, so that no step could be shared with them.
    "OpenAI-ES": lambda radius, seed: zo.EvolutionStrategy(radius=radius, population=4, shaping="raw", seed=seed),
    "SPSA": _spsa,
    "SPSA-GC": lambda radius, seed: zo.GradientCorrection(zo.SPSA(radius=radius, seed=seed)),
    "critical history": _history,
    "recommended": lambda radius, seed: zo.recommended(radius=radius, mixed=True, seed=seed),
}
SEARCHES: Mapping[str, Callable[[float, int], Search]] = {
    "CMA-ES": lambda sigma, seed: zo.CMAES(sigma=sigma, population=LATEST, seed=seed),
    "REINFORCE": lambda sigma, seed: zo.REINFORCE(sigma=sigma, lr=1 / DIMENSIONS, seed=seed),
    "Q-learning": lambda sigma, seed: zo.QLearning(step=sigma, seed=seed),
}
METHODS = ("CMA-ES", "OpenAI-ES", "Q-learning", "REINFORCE", *list(ESTIMATORS)[1:], GUIDED)


def make(job: Job) -> Fields:
    """One training with a method, watched, and judged unless it is for tuning."""
    factor, config = float(job["factor"]), TrainConfig()
    if job.method in SEARCHES:
        training = training_of(job, None, lr=config.utility_lr, known=True)
        method = SEARCHES[job.method](factor * MOVE / DIMENSIONS**0.5, job.seed)
        return watch(job, training, search(training, method, int(float(job["calls"]) * int(job["pool"]))))
    radius = zo.SpallGains(lr=1.0, radius=config.radius, stability=config.stability).radius_at
    build = ESTIMATORS.get(job.method)
    training = training_of(
        job,
        build(radius, job.seed) if build is not None else None,
        lr=factor * config.utility_lr,
        name=GUIDED if build is None else "spsa",
    )
    return watch(job, training, (record.calls for record in training.steps()))


def search(training: Training, method: Search, budget: int) -> Iterator[int]:
    """Let a search method move a training's anonymizer; gives the calls so far after each step.

    A point costs a call for each clip of the step's batch; privacy is judged free of charge. The reviewer learns along
    on what the best point shows.

    Args:
        training: A training with a known loss, which is read as if it were asked.
        method: The method.
        budget: Most calls.
    """
    parameters = list(training.anonymizer.parameters())
    first = parameters_to_vector(parameters).detach()
    numbers = torch.Generator().manual_seed(method.seed)
    basis = torch.randint(0, 2, (DIMENSIONS, first.numel()), generator=numbers).float() * 2 - 1

    def place(point: np.ndarray) -> None:
        vector_to_parameters(first + torch.from_numpy(point).float() @ basis, parameters)

    method.start(np.zeros(DIMENSIONS))
    calls, latest = 0, deque[tuple[float, np.ndarray]](maxlen=LATEST)
    while True:
        points = method.ask()
        calls += len(points) * training.config.batch
        if calls > budget:
            return
        batch = training.showing.batch = training.batches.draw(is_last=False)
        losses = []
        for point in points:
            place(point)
            with torch.no_grad():
                pair = [training.showing.loss(), training.scheme.loss(batch.judged.shown(training.anonymizer))]
                losses.append(float(training.scalarize(torch.stack(pair))))
        method.tell(losses)
        latest.extend(zip(losses, points, strict=True))
        place(min(latest, key=lambda pair: pair[0])[1])
        with torch.no_grad():
            shown = batch.judged.shown(training.anonymizer)
        training.scheme.refresh(shown, batch.judged.labels)
        yield calls
