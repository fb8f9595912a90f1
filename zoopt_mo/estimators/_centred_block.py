"""One query a direction: a one-sided block of probes from which the mean is removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoopt_mo._checks import check_count
from zoopt_mo.directions import Combination
from zoopt_mo.estimators._base import Estimate, Estimator, Losses, Radius, check_radius, radius_at
from zoopt_mo.estimators._failures import measured_probes
from zoopt_mo.estimators._isotropic import check_isotropic
from zoopt_mo.sampling import DirectionSource, DirectionStream, hadamard


class CentredBlock(Estimator):
    r"""A block of probes on one side of theta; their mean stands in for the loss at theta.

    .. math::

        L_j = L(\theta + c_k d_j), \qquad
        s_j = \frac{q}{q - 1} \, \frac{L_j - \bar L}{c_k}, \qquad
        \hat g_k = \frac{1}{q} \sum_{j=1}^{q} s_j d_j

    Costs ``num_probes`` queries a step: one a direction, where :class:`SPSA` takes two. The factor ``q / (q - 1)``
    makes up for the share of its own slope that each probe loses to the mean. Unbiased for a quadratic loss, on average
    over directions that are symmetric and uncorrelated with each other, as those of every source of the library are;
    the bias is of order :math:`c_k^2` otherwise.

    The row signs of :func:`zoopt_mo.hadamard` matter here: without them a parameter whose sign is the same in all
    directions of a block shifts all losses alike, the mean takes the shift out, and that parameter never moves.

    Curvature does not cancel as it does within a pair: :math:`c_k d_j^\top H d_j / 2` stays in the slope, as variance
    and not as bias. With signs the diagonal of H adds the same to all losses and is removed with the mean; what lies
    off the diagonal stays. Prefer pairs where the radius has to be large and the parameters interact. The value is the
    mean of the losses, above the loss at theta by about :math:`c_k^2 \operatorname{tr} H / 2`.

    Where probes fail, the block is of those left, two at least.

    Args:
        radius: Radius :math:`c > 0` in the units of theta, or a function from the step (0, 1, ...) to it.
        num_probes: Probes a step ``q``, at least 2.
        directions: Where directions come from; entries of mean square 1, so not :func:`zoopt_mo.segmented_uniform`.
        seed: Seed of the directions.

    Raises:
        ValueError: If ``radius`` is not positive, ``num_probes`` is below 2, or ``directions`` are of another scale.

    Example:
        >>> from zoopt_mo import CentredBlock, rademacher
        >>> estimator = CentredBlock(radius=0.1, num_probes=2, directions=rademacher)
        >>> len(estimator.ask(3))
        2
        >>> estimate = estimator.tell([2.0, 1.0])  # (s_1 d_1 + s_2 d_2) / 2 with slopes 10 and -10
        >>> estimate.value, [coefficient for coefficient, _ in estimate.gradient.terms]
        (1.5, [5.0, -5.0])

    Reference:
        Kool, van Hoof and Welling (2019), ICLR workshop Deep RL Meets Structured Prediction: the mean as baseline and
        q / (q - 1); Kozak et al. (2023), Mathematical Programming 199: orthogonal directions.
    """

    def __init__(
        self,
        *,
        radius: Radius,
        num_probes: int = 16,
        directions: DirectionSource = hadamard,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.radius = check_radius(radius)
        self.num_probes = check_count("num_probes", num_probes, least=2)
        self.directions = check_isotropic(directions)
        self._stream = DirectionStream(directions, seed)
        self._asked_radius = 0.0

    def _ask(self, size: int, prior: Combination | None) -> list[Combination]:
        if not self._stream.is_drawn:
            self._asked_radius = radius_at(self.radius, self._stream.step)
        directions = self._stream.draw(size, self.num_probes)
        return [Combination([(self._asked_radius, direction)]) for direction in directions]

    def _tell(self, losses: Losses, exact: Sequence[Combination]) -> Estimate:
        losses, directions = measured_probes(losses, self._stream.advance(), least=2)
        shares = (losses - losses.mean()) / (self._asked_radius * (len(losses) - 1))  # s_j / q
        gradient = Combination(list(zip(shares, directions, strict=True)))
        return Estimate(gradient, value=float(losses.mean()), num_directions=len(losses))

    def _reset(self, seed: int | None) -> None:
        self._stream.reset(seed)

    def _state(self) -> dict[str, Any]:
        return self._stream.state_dict()

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._stream.load_state_dict(state)
