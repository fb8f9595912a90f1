"""What `mpiexec` starts in test_mpi.py: one run on MPI's workers, the same alone, and whether both ended alike."""

from __future__ import annotations

import os
import sys

import numpy as np
from mpi4py.futures import MPIPoolExecutor

import zoopt_mo as zo


def loss_and_place(x: np.ndarray) -> tuple[float, int]:
    """The loss, and the process that worked it out."""
    return float(np.sum((x - 1) ** 2)), os.getpid()


def run(executor: MPIPoolExecutor | None) -> tuple[bytes, set[int]]:
    """The end of the run, and the processes that were asked."""
    places = set()

    def score(_payload: np.ndarray, answer: tuple[float, int]) -> float:
        places.add(answer[1])
        return answer[0]

    black = zo.BlackBox(
        render=lambda x: x,
        judge=zo.parallel(loss_and_place, executor),
        score=score,
        estimator=zo.CentredBlock(radius=0.1, num_probes=8),
    )
    white = zo.WhiteBox(lambda x: float((x**2).sum()), grad=lambda x: 2 * x)
    scalarizer = zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0])
    result = zo.minimize([black, white], np.full(10, 3.0), scalarizer=scalarizer, lr=0.05, max_steps=10)
    return bytes(result.x.tobytes()), places


if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        together, workers = run(pool)
    alone, here = run(None)
    sys.stdout.write(f"alike {together == alone}, workers {len(workers)}, apart {not workers & here}")
