"""How good a set of points is, as one number; moocore computes it."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import Floats, Points, check_points, check_vector

Losses = npt.NDArray[np.float64]


def hypervolume(points: Points, reference: Floats) -> float:
    r"""The volume that the points dominate, up to a reference point; larger is better.

    .. math:: \mathrm{HV}(P) = \mathrm{vol}\Big(\bigcup_{p \in P} [p, r]\Big)

    A point that is not better than the reference in every loss adds nothing; an empty set has 0. Values compare only at
    the same reference, which is usually a little worse than the worst loss of interest. Needs the extra ``pareto``.

    Args:
        points: Losses ``[k, n]``, one row a point; dominated ones do no harm.
        reference: The reference point :math:`r` ``[n]``.

    Returns:
        The volume, in the product of the units of the losses.

    Raises:
        ValueError: If the shapes do not fit or a number is not finite.
        ImportError: If moocore is not installed.

    Example:
        >>> from zoopt_mo import hypervolume
        >>> hypervolume([[1.0, 3.0], [2.0, 2.0]], reference=[4.0, 4.0])
        5.0

    Reference:
        Zitzler and Thiele (1999), https://doi.org/10.1109/4235.797969.
    """
    corner = check_vector("reference", reference)
    losses = check_points("points", points, width=corner.size)
    return float(require_moocore().hypervolume(losses, ref=corner)) if len(losses) else 0.0


def igd_plus(points: Points, front: Points) -> float:
    r"""Mean distance from the true front to the points, counting only where they are worse; 0 is best.

    .. math:: \mathrm{IGD}^+(P, F) = \frac{1}{|F|} \sum_{f \in F} \min_{p \in P} \lVert \max(p - f, 0) \rVert_2

    Unlike IGD it never prefers a set to one that dominates it. Needs the extra ``pareto``.

    Args:
        points: Losses found ``[k, n]``, at least one row.
        front: Points of the true front ``[m, n]``, at least one row, evenly spread.

    Returns:
        The distance, in the units of the losses.

    Raises:
        ValueError: If the shapes do not fit, a set is empty or a number is not finite.
        ImportError: If moocore is not installed.

    Example:
        >>> from zoopt_mo import igd_plus
        >>> igd_plus([[1.0, 1.0]], front=[[0.0, 1.0], [1.0, 0.0]])
        1.0

    Reference:
        Ishibuchi et al. (2015), https://doi.org/10.1007/978-3-319-15892-1_8.
    """
    return float(require_moocore().igd_plus(*_pair(points, front)))


def epsilon_indicator(points: Points, front: Points) -> float:
    r"""The least amount by which the points must improve in every loss to cover the true front; smaller is better.

    .. math:: I_{\epsilon+}(P, F) = \max_{f \in F} \min_{p \in P} \max_i \, (p_i - f_i)

    The additive form: 0 where the points cover the front, negative where they are ahead of it. Needs the extra
    ``pareto``.

    Args:
        points: Losses found ``[k, n]``, at least one row.
        front: Points of the true front ``[m, n]``, at least one row.

    Returns:
        The amount, in the units of the losses.

    Raises:
        ValueError: If the shapes do not fit, a set is empty or a number is not finite.
        ImportError: If moocore is not installed.

    Example:
        >>> from zoopt_mo import epsilon_indicator
        >>> epsilon_indicator([[1.0, 1.5]], front=[[0.0, 1.0], [1.0, 1.0]])
        1.0

    Reference:
        Zitzler et al. (2003), https://doi.org/10.1109/TEVC.2003.810758.
    """
    return float(require_moocore().epsilon_additive(*_pair(points, front)))


def require_moocore() -> ModuleType:
    """The module moocore, or an ImportError that names the extra."""
    try:
        import moocore
    except ImportError as error:
        raise ImportError('Indicators need moocore: pip install "zoopt-mo[pareto]".') from error
    module: ModuleType = moocore
    return module


def _pair(points: Points, front: Points) -> tuple[Losses, Losses]:
    """Both sets, checked: neither is empty, and their points have the same number of losses."""
    target = check_points("front", front)
    losses = check_points("points", points, width=target.shape[1])
    for name, rows in (("front", target), ("points", losses)):
        if rows.size == 0:
            raise ValueError(f"`{name}` must hold at least one point, got none.")
    return losses, target
