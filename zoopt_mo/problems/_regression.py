"""Losses averaged over data: logistic regression and a small network."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.problems._base import Array, SingleObjective
from zoopt_mo.problems._forms import DataProblem, Rows, sum_last
from zoopt_mo.problems._seeds import generator_of


class LogisticRegression(DataProblem, SingleObjective):
    r"""Logistic loss of a linear rule on almost separable random data, with a trace of decay.

    .. math:: f(x) = \frac1N \sum_r \log(1 + e^{-y_r a_r^\top x}) + \frac\mu2 \lVert x \rVert^2

    Rows :math:`a_r` are normal with coordinate variances that fall from 1 to 0.01; labels :math:`y_r = \pm 1` are those
    of a random rule, one in twenty flipped. A start is normal with standard deviation 0.1. The decay is in every batch.

    Args:
        size: Number of parameters ``p``.
        num_rows: Number of rows ``N``; four a parameter where None.
        decay: The factor :math:`\mu`.
        seed: Seed of the data.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> import numpy as np
        >>> from zoopt_mo import problems
        >>> problem = problems.LogisticRegression(5, num_rows=40)
        >>> round(float(problem.losses(np.zeros(5))[0]), 4), problem.optimum < 0.6931
        (0.6931, True)
    """

    def __init__(self, size: int, *, num_rows: int | None = None, decay: float = 1e-3, seed: int = 0) -> None:
        super().__init__(size, 4 * check_count("size", size) if num_rows is None else num_rows)
        self.decay = check_positive("decay", decay)
        generator = generator_of(seed, "data")
        rows = generator.standard_normal((self.num_rows, size)) * np.geomspace(1.0, 0.1, size)
        labels = np.where(rows @ generator.standard_normal(size) >= 0.0, 1.0, -1.0)
        labels *= np.where(generator.random(self.num_rows) < 0.05, -1.0, 1.0)
        self._signed_rows = labels[:, None] * rows

    @cached_property
    def _solution(self) -> Array:
        from scipy.optimize import minimize

        def loss_and_gradient(x: Array) -> tuple[float, Array]:
            return float(self.losses(x)[0]), self.gradients(x)[0]

        options = {"maxiter": 100_000, "maxfun": 200_000, "ftol": 0.0, "gtol": 1e-9, "maxcor": 30}
        found = minimize(loss_and_gradient, np.zeros(self.size), jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x, dtype=np.float64)

    @property
    def minimizer(self) -> Array:
        r"""The solution ``[p]``, found by L-BFGS at the first call.

        Its loss exceeds the least by at most :math:`\lVert\nabla f\rVert^2 / (2 \mu)`, below :math:`10^{-12}`.
        """
        return self._solution.copy()

    def start(self, seed: int) -> Array:
        """Normal with standard deviation 0.1, from ``seed``."""
        return 0.1 * generator_of(seed, "start").standard_normal(self.size)

    def _losses(self, x: Array, rows: Rows | slice) -> Array:
        margins = x @ self._signed_rows[rows].T
        penalty = 0.5 * self.decay * np.sum(x * x, axis=-1)
        return np.asarray(np.logaddexp(0.0, -margins).mean(axis=-1) + penalty)[..., None]

    def _gradients(self, x: Array, rows: Rows | slice) -> Array:
        chosen = self._signed_rows[rows]
        doubts = 0.5 - 0.5 * np.tanh(0.5 * (chosen @ x))
        gradient: Array = self.decay * x - doubts @ chosen / len(chosen)
        return gradient[None]


class SmallMLP(DataProblem, SingleObjective):
    r"""A network of one hidden layer learns from another of the same shape.

    .. math:: f(x) = \frac1{2N} \sum_r \bigl(v^\top \tanh(W a_r + b) - y_r\bigr)^2, \qquad x = (W, b, v)

    of size :math:`p = h (d + 2)`, with normal inputs :math:`a_r` and the teacher's answers :math:`y_r`, so that the
    optimum is 0. Not convex: hidden units can be swapped and mirrored. A start scales each layer by the root of its
    inputs.

    Args:
        inputs: Number of inputs ``d``.
        hidden: Number of hidden units ``h``.
        num_rows: Number of rows ``N``.
        seed: Seed of the data and the teacher.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problem = problems.SmallMLP(inputs=3, hidden=4)
        >>> problem.size, problem.optimum
        (20, 0.0)
    """

    def __init__(self, *, inputs: int, hidden: int, num_rows: int = 256, seed: int = 0) -> None:
        self.inputs, self.hidden = check_count("inputs", inputs), check_count("hidden", hidden)
        super().__init__(hidden * (inputs + 2), num_rows)
        generator = generator_of(seed, "data")
        self._rows = generator.standard_normal((self.num_rows, inputs))
        self._teacher = 2.0 * self._draw(generator)
        self._answers, _ = self._predict(self._teacher, slice(None))

    @property
    def minimizer(self) -> Array:
        """The teacher's parameters ``[p]``, where the loss is 0."""
        return self._teacher.copy()

    def start(self, seed: int) -> Array:
        """Normal layers with variance one over their inputs, from ``seed``."""
        return self._draw(generator_of(seed, "start"))

    def _draw(self, generator: np.random.Generator) -> Array:
        layers = [(self.inputs, self.hidden * self.inputs), (self.inputs, self.hidden), (self.hidden, self.hidden)]
        return np.concatenate([generator.standard_normal(count) / np.sqrt(fan_in) for fan_in, count in layers])

    def _split(self, x: Array) -> tuple[Array, Array, Array]:
        """Weights ``[..., h, d]``, offsets ``[..., h]``, output weights ``[..., h]``."""
        cut = self.hidden * self.inputs
        weights: Array = x[..., :cut].reshape(*x.shape[:-1], self.hidden, self.inputs)
        return weights, x[..., cut : cut + self.hidden], x[..., cut + self.hidden :]

    def _predict(self, x: Array, rows: Rows | slice) -> tuple[Array, Array]:
        """Answers ``[..., r]`` and hidden units ``[..., r, h]``."""
        weights, offsets, out = self._split(x)
        units = np.tanh(self._rows[rows] @ np.swapaxes(weights, -1, -2) + offsets[..., None, :])
        answers: Array = (units @ out[..., None])[..., 0]
        return answers, units

    def _losses(self, x: Array, rows: Rows | slice) -> Array:
        answers, _ = self._predict(x, rows)
        return sum_last(0.5 * (answers - self._answers[rows]) ** 2) / len(self._answers[rows])

    def _gradients(self, x: Array, rows: Rows | slice) -> Array:
        answers, units = self._predict(x, rows)
        errors = (answers - self._answers[rows]) / len(answers)
        slopes = errors[:, None] * (1.0 - units**2) * self._split(x)[2]
        parts = [(slopes.T @ self._rows[rows]).ravel(), slopes.sum(axis=0), errors @ units]
        gradient: Array = np.concatenate(parts)
        return gradient[None]
