"""A network of pictures as a network of clips."""

from __future__ import annotations

from torch import Tensor, nn


class FrameWise(nn.Module):
    """Runs a network of pictures ``[b, 3, h, w]`` over each frame of clips ``[b, t, 3, h, w]`` alone.

    Args:
        network: The network of pictures.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        """The changed clips, of the shape that came in."""
        shown: Tensor = self.network(clips.flatten(0, 1))
        return shown.view(clips.shape)
