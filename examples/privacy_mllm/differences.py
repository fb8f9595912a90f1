"""Pairs of probes that tell nothing because both have exactly the same loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

WARN_ABOVE = 0.25
"""Share of pairs without a difference above which training should say so: a quarter of the budget is then lost."""


@dataclass
class ZeroDifferences:
    """Counts the pairs of probes whose two losses are exactly equal: paid for, yet without any slope.

    This happens where a loss is coarse (right or wrong), the batch is small, or the probes lie so close that they
    become the same 8-bit picture. Costs no query.

    Args:
        warn_above: Share of such pairs above which :meth:`advice` speaks; ours, not measured.
        num_pairs: Pairs seen so far.
        num_zero: Pairs without a difference among them.

    Example:
        >>> differences = ZeroDifferences()
        >>> differences.add([0.5, 0.5, 0.25, 0.75])
        >>> differences.rate
        0.5
    """

    warn_above: float = WARN_ABOVE
    num_pairs: int = 0
    num_zero: int = 0

    def __post_init__(self) -> None:
        """Check the threshold."""
        if not 0 <= self.warn_above <= 1:
            raise ValueError(f"`warn_above` must be in [0, 1], got {self.warn_above}.")

    def add(self, losses: Tensor | Sequence[float]) -> None:
        """Count the pairs of a step; a pair with a failed query (NaN) counts in neither number.

        Args:
            losses: The losses of the probes in the order asked, two a pair, ``[q]``.

        Raises:
            ValueError: If the number of losses is odd.
        """
        pairs = torch.as_tensor(losses).detach().flatten()
        if len(pairs) % 2:
            raise ValueError(f"`losses` must hold two losses a pair, got {len(pairs)}.")
        pairs = pairs.view(-1, 2)
        pairs = pairs[~pairs.isnan().any(dim=1)]
        self.num_pairs += len(pairs)
        self.num_zero += int((pairs[:, 0] == pairs[:, 1]).sum())

    @property
    def rate(self) -> float:
        """Share of pairs without a difference; 0 before any pair."""
        return self.num_zero / self.num_pairs if self.num_pairs else 0.0

    def advice(self) -> str | None:
        """What to change where too many pairs tell nothing, as a sentence; else None."""
        if self.rate <= self.warn_above:
            return None
        return (
            f"{self.num_zero} of {self.num_pairs} pairs of probes ({self.rate:.0%}) had exactly equal losses and told "
            "nothing: use a larger `radius`, a larger `batch`, or a smoother `utility_loss` "
            '("logprob", "rank" or "similarity").'
        )
