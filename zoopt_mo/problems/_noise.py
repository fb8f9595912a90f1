"""Noise on losses: each number drawn depends on a seed and its place in line, so a run can stop and go on."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_between, check_count, check_non_negative, check_positive, check_seed
from zoopt_mo.problems._base import Array
from zoopt_mo.problems._seeds import key_of

_WORDS = 4  # one step of Philox's counter gives four 64-bit words


class Noise(ABC):
    """Adds to losses noise that is independent from one loss to the next.

    Noise number ``i`` depends on ``seed`` and ``i`` alone: asked one by one or in a batch, the losses are the same.

    Args:
        seed: Seed of the noise.
    """

    def __init__(self, seed: int) -> None:
        self.seed = check_seed("seed", seed)
        self.num_drawn = 0
        """How many losses got noise so far, which is the whole state."""

    def __call__(self, losses: npt.ArrayLike) -> Array:
        """The ``losses``, of any shape, with noise; a number for a number."""
        exact = np.asarray(losses, dtype=np.float64)
        generator = np.random.Philox(key=key_of(self.seed, "noise"), counter=self.num_drawn)
        words = np.asarray(generator.random_raw(_WORDS * exact.size)).reshape(*exact.shape, _WORDS)
        self.num_drawn += exact.size
        uniforms = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.asarray(exact + self._noise(uniforms))

    @abstractmethod
    def _noise(self, uniforms: Array) -> Array:
        """From four numbers in ``[0, 1)`` for each loss ``[..., 4]`` to noise ``[...]``."""

    def reset(self) -> None:
        """Back to the first number of the line."""
        self.num_drawn = 0

    def state_dict(self) -> dict[str, int]:
        """What :meth:`load_state_dict` needs to go on from here."""
        return {"num_drawn": self.num_drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from ``state``, made by :meth:`state_dict`."""
        self.num_drawn = check_count("num_drawn", state["num_drawn"], least=0)


class AdditiveNoise(Noise):
    r"""Normal noise, :math:`L + s z` with :math:`z \sim N(0, 1)`.

    Args:
        sd: Standard deviation ``s``, in units of the loss.
        seed: Seed of the noise.

    Raises:
        ValueError: If ``sd`` is negative.

    Example:
        >>> from zoopt_mo import problems
        >>> noise = problems.AdditiveNoise(0.1, seed=0)
        >>> first, second = noise([1.0, 1.0])
        >>> bool(first != second), noise.num_drawn
        (True, 2)
    """

    def __init__(self, sd: float, seed: int) -> None:
        super().__init__(seed)
        self.sd = check_non_negative("sd", sd)

    def _noise(self, uniforms: Array) -> Array:
        return self.sd * _normals(uniforms)


class Outliers(Noise):
    r"""Normal noise that is now and then many times larger.

    .. math:: L + s z \quad\text{or, with probability } r, \quad L + k s z, \qquad z \sim N(0, 1)

    Args:
        sd: Standard deviation ``s`` of the usual noise, in units of the loss.
        rate: Share ``r`` of the losses that are outliers.
        factor: How many times larger an outlier's noise is, ``k``.
        seed: Seed of the noise.

    Raises:
        ValueError: If ``sd`` is negative, ``rate`` is outside ``[0, 1]`` or ``factor`` is not positive.

    Example:
        >>> import numpy as np
        >>> from zoopt_mo import problems
        >>> noise = problems.Outliers(0.1, rate=0.02, factor=30.0, seed=0)
        >>> int((np.abs(noise(np.zeros(1000))) > 0.5).sum()) in range(5, 40)
        True
    """

    def __init__(self, sd: float, *, rate: float = 0.02, factor: float = 30.0, seed: int) -> None:
        super().__init__(seed)
        self.sd = check_non_negative("sd", sd)
        self.rate = check_between("rate", rate, 0.0, 1.0, interval="[0, 1]")
        self.factor = check_positive("factor", factor)

    def _noise(self, uniforms: Array) -> Array:
        return self.sd * _normals(uniforms) * np.where(uniforms[..., 2] < self.rate, self.factor, 1.0)


def _normals(uniforms: Array) -> Array:
    """Box and Muller's normal number from the first two of the four uniform ones."""
    radius = np.sqrt(-2.0 * np.log1p(-uniforms[..., 0]))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniforms[..., 1]))
