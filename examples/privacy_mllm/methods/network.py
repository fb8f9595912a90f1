"""A trained network as an anonymizer: frame by frame, bytes in and bytes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from privacy_mllm.concurrency import Shared
from privacy_mllm.data.clips import Clips
from privacy_mllm.devices import device_of, to_pictures
from privacy_mllm.methods.pixels import check_pictures, composite, in_parts, resize, to_bytes
from privacy_mllm.models.clip_network import looks_at_clips

MAX_PIXELS = 1024 * 1024
"""Pixels that pass the network at once: the largest picture that it sees whole, or several smaller ones.

Above, the memory would grow without bound, and tiles would not do: the network's group normalisation looks at
the whole picture, so their seams would show.
"""


@dataclass(frozen=True)
class NetworkAnonymizer:
    """Runs a picture-to-picture network over clips or over one picture of any size.

    A picture of more than ``max_pixels`` is shrunk before the network and enlarged behind it; ``remark`` says
    so. The network is run in evaluation mode, without gradients, on the device where its parameters are.

    Args:
        network: Maps ``float32 [b, 3, h, w]`` in [0, 1] to the same shape and range, or whole clips.
        name: How the table calls it.
        batch_size: Frames that pass the network at once, at most.
        max_pixels: Pixels that pass the network at once, of one picture or of several: what bounds the memory,
            whatever their size.
    """

    needs_mask: ClassVar[bool] = False

    network: nn.Module
    name: str
    batch_size: int = 64
    max_pixels: int = MAX_PIXELS
    _evaluating: Shared = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the limits."""
        for name in ("batch_size", "max_pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")
        object.__setattr__(self, "_evaluating", Shared(lambda: _evaluation_mode(self.network)))

    def remark(self, height: int, width: int) -> str | None:
        """The size at which the network sees the picture, where it is not the picture's own."""
        seen = self._seen_size(height, width)
        if seen == (height, width):
            return None
        return f"the network saw it reduced from {width}x{height} to {seen[1]}x{seen[0]} pixels"

    def anonymize(self, clips: Clips) -> Tensor:
        """All pictures through the network, ``uint8 [n, t, 3, h, w]``."""
        check_pictures(clips.frames)
        if clips.frames.numel() == 0:
            return clips.frames
        length = clips.frames.shape[1] if self.compares else 1
        return self._change(clips.frames.flatten(0, 1), length).view(clips.frames.shape)

    def __call__(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """One picture ``uint8 [3, h, w]`` through the network, everywhere or under the mask ``[1, h, w]``.

        For a network that looks at whole clips it is a clip of one picture.
        """
        check_pictures(picture)
        return composite(picture, self._change(picture[None])[0], mask)

    @property
    def compares(self) -> bool:
        """Whether the network looks at whole clips, and needs an earlier picture beside each of a video."""
        return looks_at_clips(self.network)

    def compare(self, earlier: Tensor, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """A picture of a video ``uint8 [3, h, w]`` in a clip of two, behind an earlier one of the same shape."""
        check_pictures(picture)
        return composite(picture, self._change(torch.stack([earlier, picture]), 2)[1], mask)

    def _change(self, pictures: Tensor, length: int = 1) -> Tensor:
        """Pictures ``[b, 3, h, w]`` through the network; a clip of so many of them is never parted."""
        at_once = self._num_at_once(*pictures.shape[-2:])
        with self._evaluating, torch.inference_mode():
            changed = in_parts(lambda part: self._run(part, length), pictures, size=max(1, at_once // length) * length)
        return changed.clone()  # Outside, so that the result is no inference tensor.

    def _run(self, pictures: Tensor, length: int) -> Tensor:
        height, width = pictures.shape[-2:]
        seen = to_pictures(resize(pictures, *self._seen_size(height, width)), device_of(self.network))
        clips = seen.unflatten(0, (-1, length))
        output = self.network(clips).flatten(0, 1) if self.compares else self.network(seen)
        if output.shape != seen.shape:
            raise RuntimeError(f"{self.name} turned pictures {list(seen.shape)} into {list(output.shape)}.")
        # A NaN would become an arbitrary byte, and a picture of those looks like a success.
        if not bool(output.isfinite().all()):
            raise RuntimeError(f"{self.name} gave pixels that are not finite; its weights are broken.")
        return resize(to_bytes(output * 255).cpu(), height, width)

    def _num_at_once(self, height: int, width: int) -> int:
        seen_height, seen_width = self._seen_size(height, width)
        return max(1, min(self.batch_size, self.max_pixels // (seen_height * seen_width)))

    def _seen_size(self, height: int, width: int) -> tuple[int, int]:
        ratio = (self.max_pixels / (height * width)) ** 0.5
        if ratio >= 1:
            return height, width
        seen_height, seen_width = max(1, int(height * ratio)), max(1, int(width * ratio))
        # Of a picture that is all length, the shorter side is one pixel and the other still too long.
        return min(seen_height, self.max_pixels // seen_width or 1), min(seen_width, self.max_pixels // seen_height)


@contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Every module gets its own mode back."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
