"""A small anonymizer between a black-box classifier and a white-box reviewer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.problems._base import Array
from zoopt_mo.problems._forms import DataProblem, Rows
from zoopt_mo.problems._seeds import generator_of

_BITS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # the two bits of each of four labels


class NeuralTradeOff(DataProblem):
    r"""A network edits inputs so that one frozen model still reads them and another does not.

    .. math:: z_r = a_r + W_2 \tanh(W_1 a_r), \qquad
        f_1 = \frac1N \sum_r -\log P(y_r \mid z_r), \qquad f_2 = \frac1N \sum_r (2 Q(z_r) - 1)^2

    with :math:`x = (W_1, W_2)` of size :math:`p = 2dh`, 256 by default. The label :math:`y_r` has two bits; the inputs
    are normal around the corner of a square for each label. :math:`P` is Bayes' rule for the label (the useful, usually
    black-box model) and :math:`Q` that for its first bit (the private one; the reviewer). Since the reviewer looks for
    half of what is useful, no network can serve both:

    .. math:: f_2 \ge (2 e^{-f_1} - 1)^2 \quad\text{where}\quad f_1 \le \log 2

    This bound stands in for the front. It is approached by large features only, and a network that cannot tell noisy
    rows apart stays above it. A start leaves the inputs almost as they are.

    Args:
        inputs: Number of inputs ``d``, at least 2.
        hidden: Number of hidden units ``h``.
        num_rows: Number of rows ``N``.
        separation: Half a side of the square, in standard deviations of the inputs.
        seed: Seed of the data.

    Raises:
        ValueError: If an argument is too small.

    Example:
        >>> from zoopt_mo import problems
        >>> problem = problems.NeuralTradeOff()
        >>> problem.size, problem.losses(problem.start(seed=0)).shape
        (256, (2,))

    Reference:
        The setting of Hui et al. (2026), section 3.2, at the scale of a test.
    """

    def __init__(
        self, *, inputs: int = 8, hidden: int = 16, num_rows: int = 128, separation: float = 1.5, seed: int = 0
    ) -> None:
        self.inputs = check_count("inputs", inputs, least=2)
        self.hidden = check_count("hidden", hidden)
        super().__init__(2 * inputs * hidden, num_rows, 2)
        generator = generator_of(seed, "data")
        plane = np.linalg.qr(generator.standard_normal((inputs, 2)))[0].T
        means = check_positive("separation", separation) * _BITS @ plane
        self._labels: npt.NDArray[np.int64] = generator.integers(len(_BITS), size=self.num_rows)
        self._rows = means[self._labels] + generator.standard_normal((self.num_rows, inputs))
        self._classifier = means
        self._reviewer = 2.0 * separation * plane[0]

    @property
    def ideal(self) -> Array:
        """Zeros ``[2]``: certain of the label, ignorant of the bit."""
        return np.zeros(2)

    @property
    def nadir(self) -> Array:
        """The entropy of the bit, and certainty of it ``[2]``."""
        return np.array([np.log(2.0), 1.0])

    def front(self, num_points: int) -> Array:
        """The bound at ``num_points`` even steps of the first loss ``[k, 2]``; no network lies below it."""
        useful = np.linspace(0.0, np.log(2.0), check_count("num_points", num_points))
        return np.stack([useful, (2.0 * np.exp(-useful) - 1.0) ** 2], axis=-1)

    def start(self, seed: int) -> Array:
        """Normal, from ``seed``, with a second layer so small that features are almost the inputs."""
        layers = generator_of(seed, "start").standard_normal((2, self.inputs * self.hidden))
        return np.concatenate([layers[0] / np.sqrt(self.inputs), 0.1 * layers[1] / np.sqrt(self.hidden)])

    def _split(self, x: Array) -> tuple[Array, Array]:
        """First layer ``[..., h, d]`` and second ``[..., d, h]``."""
        cut = self.inputs * self.hidden
        first: Array = x[..., :cut].reshape(*x.shape[:-1], self.hidden, self.inputs)
        second: Array = x[..., cut:].reshape(*x.shape[:-1], self.inputs, self.hidden)
        return first, second

    def _features(self, x: Array, rows: Rows | slice) -> tuple[Array, Array]:
        """Features ``[..., r, d]`` and hidden units ``[..., r, h]``."""
        first, second = self._split(x)
        inputs = self._rows[rows]
        units = np.tanh(inputs @ np.swapaxes(first, -1, -2))
        return inputs + units @ np.swapaxes(second, -1, -2), units

    def _log_probabilities(self, features: Array) -> Array:
        """Of the labels, ``[..., r, 4]``; all means have the same length, which cancels."""
        logits = features @ self._classifier.T
        logits -= logits.max(axis=-1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))

    def _losses(self, x: Array, rows: Rows | slice) -> Array:
        features, _ = self._features(x, rows)
        labels = self._labels[rows]
        useful = -self._log_probabilities(features)[..., np.arange(len(labels)), labels]
        private = np.tanh(0.5 * (features @ self._reviewer)) ** 2
        return np.stack([useful.mean(axis=-1), private.mean(axis=-1)], axis=-1)

    def _gradients(self, x: Array, rows: Rows | slice) -> Array:
        features, units = self._features(x, rows)
        inputs, second = self._rows[rows], self._split(x)[1]
        pulls = self._pulls(features, rows) / len(inputs)
        into_second = np.swapaxes(pulls, -1, -2) @ units
        into_first = np.swapaxes(pulls @ second * (1.0 - units**2), -1, -2) @ inputs
        return np.concatenate([into_first.reshape(2, -1), into_second.reshape(2, -1)], axis=-1)

    def _pulls(self, features: Array, rows: Rows | slice) -> Array:
        """Derivative of each row's two losses by its features ``[2, r, d]``."""
        errors = np.exp(self._log_probabilities(features)) - np.eye(len(_BITS))[self._labels[rows]]
        certainty = np.tanh(0.5 * (features @ self._reviewer))
        private = (certainty * (1.0 - certainty**2))[:, None] * self._reviewer
        return np.stack([errors @ self._classifier, private])
