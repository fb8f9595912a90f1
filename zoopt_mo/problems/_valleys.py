"""Convex losses that are not quadratic: linear far away, or flat at the bottom."""

from __future__ import annotations

import numpy as np

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.problems._separable import Profile, Separable, fall_off


class LogCosh(Separable):
    r"""Quadratic at the bottom, linear far away: :math:`f(x) = \sum_i h_i \delta^2 \log\cosh(z_i / \delta)`.

    :math:`z = R (x - x^*)` with a normal :math:`x^*`; :math:`h` falls from 1 to :math:`1/\kappa` in equal ratios.

    Args:
        size: Number of parameters ``p``.
        width: Where it turns from quadratic to linear, :math:`\delta`.
        condition: Ratio :math:`\kappa` of the greatest to the least scale.
        rotated: Whether its axes are turned at random.
        seed: Seed of the shift and the rotation.

    Raises:
        ValueError: If ``size``, ``width`` or ``condition`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> round(float(problems.LogCosh(1, seed=3).losses([50.0])[0]), 1) > 40
        True
    """

    def __init__(
        self, size: int, *, width: float = 1.0, condition: float = 100.0, rotated: bool = False, seed: int = 0
    ) -> None:
        delta = check_positive("width", width)
        profile = Profile(
            value=lambda z: delta**2 * (np.logaddexp(z / delta, -z / delta) - np.log(2.0)),
            slope=lambda z: delta * np.tanh(z / delta),
        )
        scales = fall_off(check_count("size", size), check_positive("condition", condition))
        super().__init__(profile, scales, name="LogCosh", rotation_seed=seed if rotated else None, shift_seed=seed)


class HuberValley(Separable):
    r"""A valley with straight walls: :math:`f(x) = \sum_i h_i \varphi(z_i)`, with Huber's function :math:`\varphi`.

    :math:`\varphi(z) = z^2 / (2\delta)` for :math:`|z| \le \delta` and :math:`|z| - \delta/2` beyond: almost
    :math:`|z|`, so that far from the optimum the gradient says nothing about the distance. :math:`z` and :math:`h` are
    as in :class:`LogCosh`.

    Args:
        size: Number of parameters ``p``.
        width: Half-width :math:`\delta` of the round bottom.
        condition: Ratio :math:`\kappa` of the steepest to the flattest wall.
        rotated: Whether its axes are turned at random.
        seed: Seed of the shift and the rotation.

    Raises:
        ValueError: If ``size``, ``width`` or ``condition`` is not positive.

    Example:
        >>> import numpy as np
        >>> from zoopt_mo import problems
        >>> gradient = problems.HuberValley(4, condition=1.0).gradients(np.full(4, 9.0))
        >>> gradient.tolist()
        [[1.0, 1.0, 1.0, 1.0]]

    Reference:
        Huber (1964), "Robust Estimation of a Location Parameter".
    """

    def __init__(
        self, size: int, *, width: float = 0.1, condition: float = 10.0, rotated: bool = False, seed: int = 0
    ) -> None:
        delta = check_positive("width", width)
        profile = Profile(
            value=lambda z: np.where(np.abs(z) <= delta, z * z / (2 * delta), np.abs(z) - delta / 2),
            slope=lambda z: np.clip(z / delta, -1.0, 1.0),
        )
        scales = fall_off(check_count("size", size), check_positive("condition", condition))
        super().__init__(profile, scales, name="HuberValley", rotation_seed=seed if rotated else None, shift_seed=seed)


class DifferentPowers(Separable):
    r"""Ever flatter bottoms: :math:`f(x) = \sum_i |z_i|^{2 + 4 i/(p-1)}`, ``i`` from 0, :math:`z = R (x - x^*)`.

    :math:`x^*` is normal. All but the first coordinate have no curvature at the optimum, and much of it far away, so no
    one step size suits the whole way.

    Args:
        size: Number of parameters ``p``.
        rotated: Whether its axes are turned at random.
        seed: Seed of the shift and the rotation.

    Raises:
        ValueError: If ``size`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problem = problems.DifferentPowers(3)
        >>> round(float(problem.losses(problem.start(seed=0))[0]), 6) > problem.optimum
        True

    Reference:
        Hansen et al. (2009), "Real-Parameter Black-Box Optimization Benchmarking: Noiseless Functions", f14.
    """

    def __init__(self, size: int, *, rotated: bool = False, seed: int = 0) -> None:
        powers = 2.0 + 4.0 * np.linspace(0.0, 1.0, check_count("size", size))
        profile = Profile(
            value=lambda z: np.abs(z) ** powers,
            slope=lambda z: powers * np.sign(z) * np.abs(z) ** (powers - 1.0),
        )
        super().__init__(
            profile,
            np.ones(size),
            name="DifferentPowers",
            rotation_seed=seed if rotated else None,
            shift_seed=seed,
        )
