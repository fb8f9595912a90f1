"""Signs that are drawn where they are needed: in memory, or on the GPU, where they need not cross to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoopt_mo.directions._direction import Direction, SignDirection, Words

OnDevice = Callable[[torch.device], Tensor | None]


class DrawnSigns(SignDirection):
    """A large direction of random signs, known by what draws it.

    Args:
        size: Number of entries ``p``.
        draw: Draws the words ``[ceil(p / 64)]``, bits past ``size`` cleared.
        draw_on: Draws the same bits on a device as bytes ``[8 ceil(p / 64)]``, or returns None if it cannot.
    """

    def __init__(self, size: int, draw: Callable[[], Words], draw_on: OnDevice) -> None:
        Direction.__init__(self, size)
        self._draw, self._draw_on = draw, draw_on
        self._drawn: Words | None = None

    @property
    def words(self) -> Words:
        """The bits in memory."""
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn

    def packed_on(self, device: torch.device) -> Tensor:
        """Its packed signs as bytes, drawn there or brought there once."""
        if self._on_device is None or self._on_device.device != device:
            drawn = self._draw_on(device)
            if drawn is None:
                return super().packed_on(device)
            self._on_device = drawn
        return self._on_device

    def state_dict(self) -> dict[str, Any]:
        """The packed bits as a ``uint8`` tensor, where they lie, and the size."""
        if self._drawn is None and self._on_device is not None:
            return {"signs": self._on_device, "size": self.size}
        return super().state_dict()

    def __reduce__(self) -> tuple[type[SignDirection], tuple[Words, int]]:
        """The bits alone: what draws them need not be at hand elsewhere."""
        return SignDirection, (self.words, self.size)
