"""Step sizes and radii that shrink as Spall's guidelines say."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from zoopt_mo._checks import check_count, check_non_negative, check_positive


class SpallGains:
    r"""The gain sequences of SPSA.

    .. math::

        a_k = a_0 \left(\frac{1 + A}{k + 1 + A}\right)^{\alpha}, \qquad c_k = \frac{c_0}{(k + 1)^{\gamma}},
        \qquad k = 0, 1, \dots

    ``lr`` is the first step :math:`a_0`; Spall's :math:`a` is :math:`a_0 (1 + A)^\alpha`. Costs no query.

    Args:
        lr: First step size :math:`a_0 > 0`.
        radius: First radius :math:`c_0 > 0`, in the units of theta; small where the loss has no noise.
        stability: The constant :math:`A \ge 0`; Spall advises a tenth of the planned steps or less.
        alpha: Decay of the step, positive; 0.602 is Spall's practical value.
        gamma: Decay of the radius, at least 0; 0.101 is Spall's practical value.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from zoopt_mo import SPSA, SpallGains
        >>> gains = SpallGains(lr=0.1, radius=0.01)
        >>> gains.lr_at(0), gains.radius_at(0)
        (0.1, 0.01)
        >>> estimator = SPSA(radius=gains.radius_at)

    Reference:
        Spall (1998), IEEE Transactions on Aerospace and Electronic Systems 34(3), section III.
    """

    def __init__(
        self, *, lr: float, radius: float, stability: float = 0.0, alpha: float = 0.602, gamma: float = 0.101
    ) -> None:
        self.lr = check_positive("lr", lr)
        self.radius = check_positive("radius", radius)
        self.stability = check_non_negative("stability", stability)
        self.alpha = check_positive("alpha", alpha)
        self.gamma = check_non_negative("gamma", gamma)

    def lr_at(self, step: int) -> float:
        """The step size :math:`a_k`.

        Args:
            step: Step ``k``, from 0.
        """
        check_count("step", step, least=0)
        shrink: float = ((1 + self.stability) / (step + 1 + self.stability)) ** self.alpha
        return self.lr * shrink

    def radius_at(self, step: int) -> float:
        """The radius :math:`c_k`.

        Args:
            step: Step ``k``, from 0.
        """
        growth: float = (check_count("step", step, least=0) + 1) ** self.gamma
        return self.radius / growth

    def scheduler(self, optimizer: Optimizer) -> LambdaLR:
        """A torch scheduler that multiplies the optimizer's own step sizes by :math:`a_k / a_0`.

        Args:
            optimizer: Any torch optimizer; call ``scheduler.step()`` after each of its steps.

        Returns:
            The scheduler, with the usual ``state_dict``.
        """
        return LambdaLR(optimizer, lambda step: self.lr_at(step) / self.lr)
