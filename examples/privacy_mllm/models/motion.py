"""An anonymizer of few parameters: what moves, blurred, in grey, in a few levels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.models.clip_network import ClipNetwork, pan

LEVELS = 6
SLOPE = 15.0
"""Steepness of the smooth steps that take the place of the hard ones where a gradient is asked for."""
GREY = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""


class Motion(ClipNetwork):
    r"""Shows how each picture of a clip differs from the one before, and of that no more than a few levels.

    A clip loses most of its colour, is blurred, and each picture is taken from the next. The difference becomes a
    staircase up to the largest in its picture: below the first threshold all is middle grey, and at each threshold it
    is a level brighter or darker. All that reaches a level looks the same, so nothing faint remains that an attacker
    could learn to read. In the first picture nothing has moved yet; so every picture hangs on itself and the one before
    alone. The parameters, two more than there are levels, are in units in which 0.1 is a small step. Few queries find
    them, since an estimate does not spread over thousands.

    The steps are hard, and for a gradient smooth (straight through).

    Args:
        levels: Levels on either side of grey, positive. More of them, with which more colour is kept at first, show
            more of everything.

    Reference:
        The blur, the difference and the quantisation are those of Kumawat and Nagahara, Privacy-preserving action
        recognition via motion difference quantization, ECCV 2022 (arXiv:2208.02459), who learn the thresholds of
        smooth steps. Ours are the grey, the learned width of the blur, and hard steps around a zone that shows nothing.
        Straight-through gradients: Bengio, Leonard and Courville, 2013 (arXiv:1308.3432).
    """

    def __init__(self, levels: int = LEVELS) -> None:
        super().__init__()
        self.colour = nn.Parameter(torch.tensor([levels / 2 - 5]))
        self.log_blur = nn.Parameter(torch.tensor([math.log(1.3)]))
        self.rises = nn.Parameter(_inverse_softplus(torch.full((levels,), 0.8 / levels)))

    @property
    def thresholds(self) -> Tensor:
        """Shares of a picture's largest difference at which a level is reached, ascending, ``[levels]``."""
        return F.softplus(self.rises).cumsum(0)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips ``[b, t, 3, h, w]`` in [0, 1] to the same shape and range.

        A still picture is shown as a moving camera would see it, see :func:`pan`.
        """
        if clips.shape[1] == 1:
            return self.forward(pan(clips))[:, 1:]
        with torch.autocast(clips.device.type, enabled=False):  # differences of rounded pictures would be noise
            values = clips.float()
            # Difference, blur and colour are linear, so their order is free; in this one they cost least.
            difference = self._pale(self._blur(values[:, 1:] - values[:, :-1]))
            largest = difference.abs().amax((2, 3, 4), keepdim=True).clamp_min(1e-4)
            shown = 0.5 + largest / 2 * self._staircase(difference / largest)
        return torch.cat([torch.full_like(shown[:, :1], 0.5), shown], dim=1)

    def _pale(self, clips: Tensor) -> Tensor:
        grey = (clips * clips.new_tensor(GREY).view(3, 1, 1)).sum(2, keepdim=True)
        return grey + self.colour.sigmoid() * (clips - grey)

    def _blur(self, clips: Tensor) -> Tensor:
        """A Gaussian whose width is counted in 64ths of the shorter side; the border is repeated."""
        width = self.log_blur.exp() * min(clips.shape[-2:]) / 64
        rows, columns = (_blur_matrix(size, width) for size in clips.shape[-2:])
        return rows @ clips @ columns.T

    def _staircase(self, difference: Tensor) -> Tensor:
        size, levels = difference.abs(), len(self.rises)
        stairs = sum(_step(size - threshold) for threshold in self.thresholds)
        return difference.sign() * stairs / levels


def _blur_matrix(size: int, width: Tensor) -> Tensor:
    """What blurs a line of so many pixels, ``[size, size]``."""
    reach = max(1, math.ceil(3 * float(width.detach())))
    offsets = torch.arange(-reach, reach + 1, device=width.device)
    weights = torch.exp(-0.5 * (offsets / width) ** 2)
    places = (torch.arange(size, device=width.device)[:, None] + offsets).clamp(0, size - 1)
    return width.new_zeros(size, size).scatter_add(1, places, (weights / weights.sum()).expand(size, -1))


def _step(height: Tensor) -> Tensor:
    """1 above 0, else 0; its gradient is that of a smooth step."""
    smooth = torch.sigmoid(SLOPE * height)
    return (height > 0).float() + smooth - smooth.detach()


def _inverse_softplus(values: Tensor) -> Tensor:
    return torch.log(torch.expm1(values))
