"""Losses with a curved valley, or with many minima."""

from __future__ import annotations

import numpy as np

from zoopt_mo._checks import check_count, check_non_negative
from zoopt_mo.problems._base import Array, SingleObjective
from zoopt_mo.problems._forms import AnalyticProblem, sum_last
from zoopt_mo.problems._seeds import generator_of


class Rosenbrock(AnalyticProblem, SingleObjective):
    r"""The chained banana valley, :math:`f(x) = \sum_{i<p} 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2`.

    Its optimum is 0 at the vector of ones. From four parameters on there is a second minimum near
    :math:`x_1 = -1`, with a loss of about 4. A start is uniform in ``[-1, 1]``.

    Args:
        size: Number of parameters ``p``, at least 2.

    Raises:
        ValueError: If ``size`` is below 2.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.Rosenbrock(2).losses([[0.0, 0.0], [1.0, 1.0]]).tolist()
        [[1.0], [0.0]]

    Reference:
        Rosenbrock (1960), "An Automatic Method for Finding the Greatest or Least Value of a Function".
    """

    def __init__(self, size: int) -> None:
        super().__init__(check_count("size", size, least=2))

    @property
    def minimizer(self) -> Array:
        """Ones ``[p]``, where the loss is 0."""
        return np.ones(self.size)

    def start(self, seed: int) -> Array:
        """Uniform in ``[-1, 1]``, from ``seed``."""
        return generator_of(seed, "start").uniform(-1.0, 1.0, self.size)

    def _losses(self, x: Array) -> Array:
        head, bend = x[..., :-1], x[..., 1:] - x[..., :-1] ** 2
        return sum_last(100.0 * bend**2 + (1.0 - head) ** 2)

    def _gradients(self, x: Array) -> Array:
        bend = x[1:] - x[:-1] ** 2
        gradient = np.zeros(self.size)
        gradient[:-1] = -400.0 * x[:-1] * bend - 2.0 * (1.0 - x[:-1])
        gradient[1:] += 200.0 * bend
        return gradient[None]


class Zakharov(AnalyticProblem, SingleObjective):
    r"""A bowl with one direction that grows with the fourth power, :math:`f(x) = \lVert z \rVert^2 + s^2 + s^4`.

    :math:`z = x - x^*` with a normal :math:`x^*`, and :math:`s = k \, u^\top z` with the unit vector
    :math:`u_i \propto i`. (The original takes :math:`s = \frac12 \sum_i i z_i`, which explodes beyond tens of
    parameters.) Its optimum is 0. A start is normal with standard deviation 1.

    Args:
        size: Number of parameters ``p``.
        steepness: The factor ``k``; the greater, the narrower the valley.
        seed: Seed of the shift.

    Raises:
        ValueError: If ``size`` is not positive or ``steepness`` is negative.

    Example:
        >>> from zoopt_mo import problems
        >>> problem = problems.Zakharov(5)
        >>> bool(problem.losses(problem.start(seed=1))[0] > 0)
        True

    Reference:
        Jamil and Yang (2013), "A Literature Survey of Benchmark Functions for Global Optimization Problems", 173.
    """

    def __init__(self, size: int, *, steepness: float = 5.0, seed: int = 0) -> None:
        super().__init__(size)
        ramp = np.arange(1.0, size + 1.0)
        self._slope = check_non_negative("steepness", steepness) * ramp / np.linalg.norm(ramp)
        self._shift = generator_of(seed, "shift").standard_normal(size)

    @property
    def minimizer(self) -> Array:
        """The bottom :math:`x^*` ``[p]``, where the loss is 0."""
        return self._shift.copy()

    def start(self, seed: int) -> Array:
        """Normal with standard deviation 1, from ``seed``."""
        return generator_of(seed, "start").standard_normal(self.size)

    def _losses(self, x: Array) -> Array:
        z = x - self._shift
        s = (z @ self._slope)[..., None]
        return sum_last(z * z) + s**2 + s**4

    def _gradients(self, x: Array) -> Array:
        z = x - self._shift
        s = z @ self._slope
        gradient: Array = 2.0 * z + (2.0 * s + 4.0 * s**3) * self._slope
        return gradient[None]


class Rastrigin(AnalyticProblem, SingleObjective):
    r"""A bowl with ripples, :math:`f(x) = \sum_i \frac12 x_i^2 + A (1 - \cos 2\pi x_i)`: many minima, the best at 0.

    Args:
        size: Number of parameters ``p``.
        amplitude: Height ``A`` of the ripples. Beyond ``1 / (4 pi^2)`` there are minima besides the best one.

    Raises:
        ValueError: If ``size`` is not positive or ``amplitude`` is negative.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.Rastrigin(1, amplitude=1.0).losses([[0.0], [0.5], [1.0]]).tolist()
        [[0.0], [2.125], [0.5]]

    Reference:
        Rastrigin (1974), "Systems of Extremal Control"; Hansen et al. (2009), f3.
    """

    def __init__(self, size: int, *, amplitude: float = 0.3) -> None:
        super().__init__(size)
        self.amplitude = check_non_negative("amplitude", amplitude)

    @property
    def minimizer(self) -> Array:
        """Zeros ``[p]``, where the loss is 0."""
        return np.zeros(self.size)

    def start(self, seed: int) -> Array:
        """Normal with standard deviation 1, from ``seed``."""
        return generator_of(seed, "start").standard_normal(self.size)

    def _losses(self, x: Array) -> Array:
        ripples = self.amplitude * (1.0 - np.cos(2.0 * np.pi * x))
        return sum_last(0.5 * x * x + ripples)

    def _gradients(self, x: Array) -> Array:
        return (x + 2.0 * np.pi * self.amplitude * np.sin(2.0 * np.pi * x))[None]
