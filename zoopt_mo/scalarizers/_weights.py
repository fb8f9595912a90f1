"""From weights that multiply to weights that divide, and back."""

from __future__ import annotations

from collections.abc import Sequence

from zoopt_mo.scalarizers._base import as_divisors


def reciprocal_weights(weights: Sequence[float]) -> list[float]:
    r"""Weights that divide where ``weights`` multiply, or the other way round.

    .. math:: w_i = \frac{1 / \lambda_i}{\sum_j 1 / \lambda_j}

    The maxima :math:`\max_i \lambda_i L_i` and :math:`\max_i L_i / w_i` differ by the one factor
    :math:`\sum_j 1 / \lambda_j`, so they lead to the same point. Applied twice it gives the weights back, scaled to a
    sum of one.

    Args:
        weights: Weights :math:`\lambda` ``[n]``, all positive.

    Returns:
        Weights :math:`w` ``[n]`` with a sum of one.

    Raises:
        ValueError: If a weight is not positive.

    Example:
        >>> from zoopt_mo import reciprocal_weights
        >>> reciprocal_weights([0.8, 0.2])
        [0.2, 0.8]
    """
    reciprocals = 1.0 / as_divisors(weights)
    shares: list[float] = (reciprocals / reciprocals.sum()).tolist()
    return shares
