"""Quadratic bowls: round, stretched, and with a spectrum like that of a network's loss."""

from __future__ import annotations

import numpy as np

from zoopt_mo._checks import check_count, check_positive
from zoopt_mo.problems._separable import Profile, Separable, fall_off

QUADRATIC = Profile(value=lambda z: 0.5 * z * z, slope=lambda z: z)


class Sphere(Separable):
    r"""The round bowl :math:`f(x) = \frac12 \lVert x \rVert^2`.

    Args:
        size: Number of parameters ``p``.

    Raises:
        ValueError: If ``size`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.Sphere(2).losses([3.0, 4.0]).tolist()
        [12.5]
    """

    def __init__(self, size: int) -> None:
        super().__init__(QUADRATIC, np.ones(check_count("size", size)), name="Sphere")


class Ellipsoid(Separable):
    r"""A bowl stretched in equal ratios, :math:`f(x) = \frac12 \sum_i h_i (Rx)_i^2`.

    :math:`h_i = \kappa^{-i/(p-1)}` for ``i`` from 0: curvatures from 1 down to :math:`1/\kappa`.

    Args:
        size: Number of parameters ``p``.
        condition: Ratio :math:`\kappa` of the greatest to the least curvature.
        rotated: Whether its axes are turned at random; else they are the coordinates.
        seed: Seed of the rotation.

    Raises:
        ValueError: If ``size`` or ``condition`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.Ellipsoid(2, condition=100.0).losses([[1.0, 0.0], [0.0, 1.0]]).tolist()
        [[0.5], [0.005]]

    Reference:
        Hansen et al. (2009), "Real-Parameter Black-Box Optimization Benchmarking: Noiseless Functions", f2 and f10.
    """

    def __init__(self, size: int, *, condition: float = 1e3, rotated: bool = False, seed: int = 0) -> None:
        scales = fall_off(check_count("size", size), check_positive("condition", condition))
        super().__init__(QUADRATIC, scales, name="Ellipsoid", rotation_seed=seed if rotated else None)


class PowerLaw(Separable):
    r"""A bowl whose curvature decays as a power, :math:`f(x) = \frac12 \sum_i i^{-\alpha} (Rx)_i^2`, ``i`` from 1.

    Spectra of network losses decay like this: a few directions carry most of the trace.

    Args:
        size: Number of parameters ``p``.
        exponent: The power :math:`\alpha`.
        rotated: Whether its axes are turned at random; else they are the coordinates.
        seed: Seed of the rotation.

    Raises:
        ValueError: If ``size`` or ``exponent`` is not positive.

    Example:
        >>> from zoopt_mo import problems
        >>> problems.PowerLaw(2).gradients([1.0, 1.0]).tolist()
        [[1.0, 0.5]]

    Reference:
        Ghorbani, Krishnan, Xiao (2019), "An Investigation into Neural Net Optimization via Hessian Eigenvalue Density".
    """

    def __init__(self, size: int, *, exponent: float = 1.0, rotated: bool = False, seed: int = 0) -> None:
        scales = np.arange(1.0, check_count("size", size) + 1.0) ** -check_positive("exponent", exponent)
        super().__init__(QUADRATIC, scales, name="PowerLaw", rotation_seed=seed if rotated else None)
