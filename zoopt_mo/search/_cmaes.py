"""Covariance matrix adaptation, full and separable, by the package ``cma``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.search._base import Points, Search, Vector, generator


class CMAES(Search):
    r"""The evolution strategy CMA-ES: a population drawn from a Gaussian that learns from the ranks of the losses.

    .. math:: x_j \sim m + \sigma\, \mathcal N(0, C), \qquad m \leftarrow \sum_{j \le \mu} w_j\, x_{(j)}

    with :math:`x_{(j)}` in order of their losses; step size :math:`\sigma` and covariance :math:`C` follow the path
    that the mean took. It is Hansen's own implementation, pycma: the same points as ``cma.CMAEvolutionStrategy`` from
    the same normal numbers. Costs ``population`` queries a step. Only the order of the losses matters.

    The full covariance holds ``p x p`` numbers: beyond a few hundred parameters take the separable one.

    Args:
        sigma: First standard deviation in the units of x, positive: about a third of how far the optimum may lie.
        separable: Learn only the diagonal of the covariance: time and memory linear in ``p``.
        population: Points a step ``q``, at least 3; pycma's :math:`4 + \lfloor 3 \ln p \rfloor` by default.
        seed: Seed of the normal numbers.

    Raises:
        ValueError: If ``sigma`` is not positive or ``population`` is below 3.

    Example:
        >>> from zoopt_mo import CMAES
        >>> method = CMAES(sigma=0.5, seed=0)
        >>> method.start([3.0, 3.0])
        >>> for _ in range(60):
        ...     method.tell([float((x**2).sum()) for x in method.ask()])
        >>> x, loss = method.best
        >>> loss < 1e-6
        True

    Reference:
        Hansen, Müller and Koumoutsakos (2003), Evolutionary Computation 11(1), table 6 of Hui et al. (2026); separable:
        Ros and Hansen (2008), PPSN X.
    """

    def __init__(self, *, sigma: float, separable: bool = False, population: int | None = None, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.sigma = check_positive("sigma", sigma)
        self.separable = separable
        self.population = None if population is None else check_count("population", population, least=3)
        self._told: list[Vector] = []
        self._strategy: Any = None

    def _start(self, x0: Vector) -> None:
        import cma

        numbers = generator(self.seed, 0)
        options = {
            "randn": lambda *shape: numbers.standard_normal(shape),
            "seed": np.nan,  # pycma then leaves numpy's global generator as it is
            "CMA_diagonal": self.separable,
            "verbose": -10,  # no output, no log, no file with signals
        }
        if self.population is not None:
            options["popsize"] = self.population
        self._strategy = cma.CMAEvolutionStrategy(x0, self.sigma, options)
        self._told = []

    def _ask(self) -> Points:
        return np.array(self._strategy.ask())

    def _tell(self, points: Points, losses: Vector) -> None:
        with _global_numbers_kept():
            self._strategy.tell(list(points), losses.tolist())
        self._told.append(losses)

    def _stop_reason(self) -> str | None:
        return ", ".join(self._strategy.stop()) or None

    def _state(self) -> dict[str, Any]:
        # Seed, start and losses determine the run: they are plain numbers, where pycma's own state would be a pickle.
        return {"told": torch.from_numpy(np.array(self._told))}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        for losses in state["told"].tolist():
            self.ask()
            self.tell(losses)


@contextlib.contextmanager
def _global_numbers_kept() -> Iterator[None]:
    """In high dimension pycma checks its mirrored samples at coordinates from numpy's global generator."""
    before = np.random.get_state()  # noqa: NPY002 - to be put back
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
