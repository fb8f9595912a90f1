"""Losses brought to one scale before they are scalarized."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoopt_mo._checks import check_positive
from zoopt_mo.scalarizers._base import Scalarizer, check_losses
from zoopt_mo.scalarizers._point import ReferencePoint


class Normalized(Scalarizer):
    r"""A scalarizer of losses that are first mapped so that the ideal point is 0 and the nadir point is 1.

    .. math:: s(L) = s'\!\left(\frac{L - z^*}{\max(z^{nad} - z^*, r)}\right)

    So weights say what matters and not which units a loss has. Ideal, reference and margin of the wrapped scalarizer
    are in the new units: its ideal point is all zeros.

    Points that are left out follow the losses seen so far, those of the present call included. Weights of the step then
    change as the range grows; at the first call every loss is at 0. Give the points where you know them.

    Args:
        scalarizer: The scalarizer :math:`s'` of the normalized losses.
        ideal: Ideal losses :math:`z^*` ``[n]``; None takes the smallest losses seen so far.
        nadir: Nadir losses :math:`z^{nad}` ``[n]``, the worst on the front; None takes the largest losses seen so far.
        min_range: The least range :math:`r > 0`, in units of the losses: a smaller one counts as this. It bounds the
            factor ``1 / min_range`` on gradients while little was seen.

    Raises:
        TypeError: If ``scalarizer`` is not a :class:`Scalarizer`.
        ValueError: If a length is wrong, or a given ``nadir`` is not above a given ``ideal``.

    Example:
        >>> import torch
        >>> from zoopt_mo import Normalized, WeightedSum
        >>> scalarize = Normalized(WeightedSum(weights=[0.5, 0.5]), ideal=[0.0, 100.0], nadir=[1.0, 300.0])
        >>> scalarize(torch.tensor([0.5, 200.0])).item()
        0.5

    Reference:
        Miettinen (1999), Nonlinear Multiobjective Optimization, ranges of the Pareto optimal set.
    """

    def __init__(
        self,
        scalarizer: Scalarizer,
        *,
        ideal: Sequence[float] | None = None,
        nadir: Sequence[float] | None = None,
        min_range: float = 0.1,
    ) -> None:
        super().__init__()
        if not isinstance(scalarizer, Scalarizer):
            raise TypeError(f"`scalarizer` must be a Scalarizer, got {type(scalarizer).__name__}.")
        self.scalarizer = scalarizer
        self.ideal = ReferencePoint("ideal", ideal, scalarizer.num_objectives)
        self.nadir = ReferencePoint("nadir", nadir, scalarizer.num_objectives, largest=True)
        self.min_range = check_positive("min_range", min_range)
        if ideal is not None and nadir is not None and bool((self.nadir.value <= self.ideal.value).any()):
            raise ValueError(f"`nadir` must be above `ideal`, got {list(nadir)} and {list(ideal)}.")

    def forward(self, losses: Tensor) -> Tensor:
        """The scalarized loss ``[]``.

        Args:
            losses: Losses ``[n]``.
        """
        value: Tensor = self.scalarizer(self.normalize(losses))
        return value

    def normalize(self, losses: Tensor) -> Tensor:
        """The losses in the new units ``[n]``; running points take them in.

        Args:
            losses: Losses ``[n]``.
        """
        check_losses(losses, self.num_objectives)
        ideal, nadir = self.ideal.follow(losses), self.nadir.follow(losses)
        return (losses - ideal) / torch.clamp(nadir - ideal, min=self.min_range)

    def active_objective(self, losses: Tensor) -> int | None:
        """What the wrapped scalarizer says of the normalized losses.

        Args:
            losses: Losses ``[n]``.
        """
        return self.scalarizer.active_objective(self.normalize(losses))

    @property
    def num_objectives(self) -> int:
        """Number of objectives ``n``."""
        return self.scalarizer.num_objectives
