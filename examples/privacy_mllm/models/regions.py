"""An anonymizer of few parameters: which parts of the picture are shown, for a camera that stands still."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PARTS = 8
_GREY = 0.5
_BEYOND = 0.1
_FIRST = 1.6
"""Where nine tenths of everything are hidden."""


class Regions(nn.Module):
    r"""Hides the same parts of every picture, each as much as it learned: from not at all to wholly.

    A picture is cut into as many rows as columns of equal parts, and the pixels of a part are moved towards middle
    grey by its share :math:`m = \mathrm{clamp}(1.2\, \sigma(a) - 0.1)` with the parameter :math:`a`. The share
    reaches 1, where nothing of the part is left that an attacker could learn to read, and 0, where all of it is shown.
    At first nine tenths are hidden everywhere: training shows what the answers need.

    For pictures in which things have their places, such as those of a camera that stands still. Pictures of any size
    are cut into the same parts.

    Args:
        parts: Rows and columns, positive; their square is the number of parameters.

    Reference:
        Ours; a sigmoid that is stretched and cut off, so that it reaches its ends: Louizos, Welling and Kingma (2018),
        ICLR (arXiv:1712.01312), section 2.2.
    """

    def __init__(self, parts: int = PARTS) -> None:
        super().__init__()
        self.hiding = nn.Parameter(torch.full((parts, parts), _FIRST))

    @property
    def shares(self) -> Tensor:
        """How much of each part is hidden, in [0, 1], ``[parts, parts]``."""
        return ((1 + 2 * _BEYOND) * self.hiding.sigmoid() - _BEYOND).clamp(0, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures ``[b, 3, h, w]`` in [0, 1] to the same shape and range."""
        shares = F.interpolate(self.shares[None, None], size=pictures.shape[-2:], mode="nearest")[0]
        return pictures + shares * (_GREY - pictures)
