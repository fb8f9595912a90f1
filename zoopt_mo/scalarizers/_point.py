"""A point in the space of losses, given or followed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoopt_mo._checks import check_vector


class ReferencePoint(nn.Module):
    """A point ``[n]`` in the space of losses: given once, or the smallest losses seen so far, or the largest.

    The point is a buffer, so it moves with ``.to()`` and is saved by ``state_dict``.

    Args:
        name: Its name in messages.
        given: The point ``[n]``; None follows the losses.
        length: Number of objectives ``n``.
        largest: Whether it follows the largest losses in the place of the smallest.

    Raises:
        ValueError: If ``given`` has another length or is not finite.
    """

    value: Tensor

    def __init__(self, name: str, given: Sequence[float] | None, length: int, *, largest: bool = False) -> None:
        super().__init__()
        self.is_running = given is None
        self.largest = largest
        if given is None:
            value = torch.full((length,), self._unseen, dtype=torch.float64)
        else:
            value = torch.from_numpy(check_vector(name, given, length=length).copy())
        self.register_buffer("value", value)

    def follow(self, losses: Tensor) -> Tensor:
        """The point ``[n]`` in the precision of ``losses``; one that follows takes them in first.

        Args:
            losses: Losses ``[n]``.

        Raises:
            ValueError: If a loss that would be taken in is not finite.
        """
        if self.is_running:
            self._take_in(losses.detach().to(self.value))
        return self.value.to(losses)

    def reset(self) -> None:
        """Forget the losses seen; a given point stays."""
        if self.is_running:
            self.value.fill_(self._unseen)

    def extra_repr(self) -> str:
        """What ``repr`` shows: the point."""
        return f"{self.value.tolist()}{', running' if self.is_running else ''}"

    @property
    def _unseen(self) -> float:
        return -torch.inf if self.largest else torch.inf

    def _take_in(self, losses: Tensor) -> None:
        if not bool(losses.isfinite().all()):
            raise ValueError(f"`losses` must be finite, got {losses.tolist()}.")
        extreme = torch.maximum if self.largest else torch.minimum
        self.value.copy_(extreme(self.value, losses))
