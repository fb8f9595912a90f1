"""Random gradient estimation: the gradient of the loss smoothed by a Gaussian or a sphere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from zoopt_mo._checks import check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, Radius, check_radius, radius_at
from zoopt_mo.estimators._failures import complete_pairs, measured_probes
from zoopt_mo.estimators._isotropic import check_isotropic
from zoopt_mo.sampling import DirectionSource, DirectionStream, gaussian


class RGE(Estimator):
    r"""Random gradient estimation: slopes along random directions, each multiplied by its direction.

    .. math::

        \hat g_k = \frac{1}{q} \sum_{j=1}^{q} s_j d_j, \qquad
        s_j = \frac{L(\theta + c_k d_j) - L(\theta - c_k d_j)}{2 c_k}
        \quad\text{or}\quad \frac{L(\theta + c_k d_j) - L(\theta)}{c_k}

    Directions have :math:`E[d d^\top] = I`. On average :math:`\hat g` is the gradient of a smoothed loss: with Gaussian
    directions of :math:`E\,L(\theta + c_k d)`, with directions on the sphere of the mean over the ball inside, whose
    radius is :math:`c_k \sqrt p`. Two-sided it costs ``2 * num_directions`` queries a step; one-sided
    ``num_directions + 1``, the first of them at theta. Unbiased for a quadratic loss; the bias is of order
    :math:`c_k^2` otherwise. The value is the mean over the pairs, or the loss at theta where that was asked.
    A failed query leaves its pair out of the means, or its one direction; without the query at theta nothing is known.

    :class:`SPSA` divides by the direction instead: on signs the two are the same. On a linear loss the mean square of
    the estimate is ``p + 2`` times that of the gradient with Gaussian directions and ``p`` times with signs or on the
    sphere (one direction a step). For one-sided probes centred by their mean instead of a query at theta, see
    :class:`CentredBlock`.

    Args:
        radius: Radius :math:`c > 0`, the smoothing; the distance of a probe is about :math:`c \sqrt p`.
        num_directions: Directions a step ``q``.
        directions: Where directions come from; entries of mean square 1, so not :func:`zoopt_mo.segmented_uniform`.
            :func:`zoopt_mo.gaussian` and :func:`zoopt_mo.sphere` take four bytes an entry, signs a bit.
        sides: 2 for pairs around theta, 1 for forward differences.
        seed: Seed of the directions.

    Raises:
        ValueError: If ``radius`` is not positive, ``num_directions`` is below 1, ``sides`` is neither 1 nor 2, or
            ``directions`` are of another scale.

    Example:
        >>> from zoopt_mo import RGE
        >>> estimator = RGE(radius=0.1, num_directions=4, sides=1)
        >>> len(estimator.ask(3))
        5
        >>> estimator.tell([2.0, 2.5, 1.5, 2.0, 3.0]).value
        2.0

    Reference:
        Nesterov and Spokoiny (2017), Foundations of Computational Mathematics 17, section 3 (Gaussian); Flaxman,
        Kalai and McMahan (2005), SODA (sphere).
    """

    def __init__(
        self,
        *,
        radius: Radius,
        num_directions: int = 1,
        directions: DirectionSource = gaussian,
        sides: Literal[1, 2] = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if sides not in (1, 2):
            raise ValueError(f"`sides` must be 1 or 2, got {sides!r}.")
        self.radius = check_radius(radius)
        self.num_directions = check_count("num_directions", num_directions)
        self.directions = check_isotropic(directions)
        self.sides = sides
        self._stream = DirectionStream(directions, seed)
        self._asked_radius = 0.0

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        if not self._stream.is_drawn:
            self._asked_radius = radius_at(self.radius, self._stream.step)
        c, directions = self._asked_radius, self._stream.draw(size, self.num_directions)
        if self.sides == 2:
            return [Combination([(moved, d)]) for d in directions for moved in (c, -c)]
        return [Combination([(0.0, directions[0])]), *(Combination([(c, d)]) for d in directions)]

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        drawn = self._stream.advance()
        if self.sides == 2:
            pairs, directions = complete_pairs(losses, drawn)
            differences, value = pairs[:, 0] - pairs[:, 1], float(pairs.mean())
        else:  # differences to a centre that failed are all NaN
            differences, directions = measured_probes(losses[1:] - losses[0], drawn, least=1)
            value = float(losses[0])
        shares = differences / (self.sides * self._asked_radius * len(directions))  # s_j / q
        gradient = Combination(list(zip(shares, directions, strict=True)))
        return Estimate(gradient, value, num_directions=len(directions))

    def _reset(self, seed: int | None) -> None:
        self._stream.reset(seed)

    def _state(self) -> dict[str, Any]:
        return self._stream.state_dict()

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._stream.load_state_dict(state)
