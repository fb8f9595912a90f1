"""A small transformer over tubelets, two frames deep, that decides which of them are shown."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DEPTH_IN_TIME = 2
"""Frames of a tubelet."""

HEADS = 4


class TubeletTransformer(nn.Module):
    """Clips to tokens, a decision for each, and back to pixels; dropped tubelets are black.

    Positions are learned functions of place and time, so that clips of any length and size fit. Where the size is no
    multiple of a tubelet's, the border is repeated and cut off again.

    Args:
        keep: Share of tubelets that :meth:`forward` keeps in each time slot, in (0, 1].
        patch: Height and width of a tubelet in pixels.
        dim: Width of the transformer, a multiple of 4.
        depth: Layers before the decision, and after it.
    """

    def __init__(self, keep: float, *, patch: int = 8, dim: int = 128, depth: int = 1) -> None:
        super().__init__()
        self.keep, self.patch = keep, patch
        pixels = DEPTH_IN_TIME * 3 * patch * patch
        self.embed = nn.Linear(pixels, dim)
        self.position = nn.Sequential(nn.Linear(3, dim), nn.GELU(), nn.Linear(dim, dim))
        self.before = nn.ModuleList(Layer(dim) for _ in range(depth))
        self.decide = nn.Sequential(nn.LayerNorm(3 * dim), nn.Linear(3 * dim, dim), nn.GELU(), nn.Linear(dim, 1))
        self.after = nn.ModuleList(Layer(dim) for _ in range(depth))
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, pixels))

    def forward(self, clips: Tensor) -> Tensor:
        """Clips ``[b, t, 3, h, w]`` in [0, 1], with the best tubelets of each time slot, of the same shape."""
        padded = pad_to_tubelets(clips, self.patch)
        tokens, scores = self._look(padded)
        kept = keep_best(scores, self.keep).flatten(1)
        return self._write(tokens, kept, padded.shape)[:, : clips.shape[1], :, : clips.shape[3], : clips.shape[4]]

    def sample(self, clips: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The same with random decisions that pass a gradient on, for training.

        Args:
            clips: In [0, 1], ``[b, t, 3, h, w]``.
            generator: Source of the noise.

        Returns:
            The clips, and 0 or 1 for each tubelet, ``[b, n]``.
        """
        padded = pad_to_tubelets(clips, self.patch)
        tokens, scores = self._look(padded)
        kept = gumbel_keep(scores.flatten(1), generator)
        shown = self._write(tokens, kept, padded.shape)
        return shown[:, : clips.shape[1], :, : clips.shape[3], : clips.shape[4]], kept

    def _look(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens ``[b, n, dim]``, and the scores of keeping them ``[b, slots, n / slots]``."""
        grid = (clips.shape[1] // DEPTH_IN_TIME, clips.shape[3] // self.patch, clips.shape[4] // self.patch)
        tokens = self.embed(cut(clips, self.patch) - 0.5) + self.position(_places(grid).to(clips))
        everything = torch.ones(tokens.shape[:2]).to(tokens)
        for layer in self.before:
            tokens = layer(tokens, everything)
        slots = tokens.unflatten(1, (grid[0], -1))
        around = slots.mean(2, keepdim=True).expand_as(slots), slots.mean((1, 2), keepdim=True).expand_as(slots)
        return tokens, self.decide(torch.cat([slots, *around], dim=-1))[..., 0]

    def _write(self, tokens: Tensor, kept: Tensor, shape: torch.Size) -> Tensor:
        for layer in self.after:
            tokens = layer(tokens, kept)
        return paste(self.head(tokens).sigmoid() * kept[..., None], self.patch, shape)


class Layer(nn.Module):
    """Attention to the tokens that are kept and to oneself, and a perceptron; each added to its input.

    Args:
        dim: Width, a multiple of 4.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)
        self.perceptron = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """Tokens ``[b, n, dim]`` after the layer; ``kept`` is 0 or 1, ``[b, n]``."""
        parts = self.query_key_value(self.norm(tokens)).unflatten(-1, (3, HEADS, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = attend_to_kept(query @ key.mT / math.sqrt(query.shape[-1]), kept) @ value
        tokens = tokens + self.merge(seen.transpose(1, 2).flatten(2))
        changed: Tensor = tokens + self.perceptron(tokens)
        return changed


def attend_to_kept(scores: Tensor, kept: Tensor) -> Tensor:
    """Attention weights ``[b, heads, n, n]`` over the kept tokens and the token itself; they sum to 1.

    Unlike a mask of minus infinities this passes a gradient on to the decision ``kept`` ``[b, n]``.
    """
    itself = torch.eye(scores.shape[-1]).to(scores)
    allowed = torch.maximum(kept[:, None, None], itself)
    weights = (scores - scores.amax(dim=-1, keepdim=True)).exp() * allowed
    return weights / weights.sum(dim=-1, keepdim=True)


def keep_best(scores: Tensor, share: float) -> Tensor:
    """1 for the highest scores of each row ``[..., n]`` and 0 for the rest; at least one is kept."""
    count = max(1, round(share * scores.shape[-1]))
    return torch.zeros_like(scores).scatter(-1, scores.topk(count).indices, 1.0)


def gumbel_keep(scores: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
    """Random decisions 0 or 1, 1 with probability ``sigmoid(score)``; the gradient is that of a soft decision.

    The difference of two Gumbel variables is logistic, so one draw a score is enough.

    Args:
        scores: Any shape.
        generator: Source of the draws.
        temperature: Softness of the decision that the gradient sees.
    """
    uniform = torch.rand(scores.shape, generator=generator).clamp(1e-6, 1 - 1e-6).to(scores)
    soft = ((scores + uniform.logit()) / temperature).sigmoid()
    return (soft > 0.5).to(soft) + (soft - soft.detach())  # so that a dropped tubelet is exactly black


def pad_to_tubelets(clips: Tensor, patch: int) -> Tensor:
    """Clips whose length and sides are multiples of a tubelet's; the last frame and the border are repeated."""
    length, _, height, width = clips.shape[1:]
    clips = torch.cat([clips, clips[:, -1:].expand(-1, -length % DEPTH_IN_TIME, -1, -1, -1)], dim=1)
    padded = F.pad(clips.flatten(0, 1), (0, -width % patch, 0, -height % patch), mode="replicate")
    return padded.view(*clips.shape[:3], *padded.shape[-2:])


def cut(clips: Tensor, patch: int) -> Tensor:
    """Tubelets ``[b, n, pixels]``, time slot by time slot, row by row."""
    b, length, _, height, width = clips.shape
    parts = clips.view(b, length // DEPTH_IN_TIME, DEPTH_IN_TIME, 3, height // patch, patch, width // patch, patch)
    return parts.permute(0, 1, 4, 6, 2, 3, 5, 7).flatten(4).flatten(1, 3)


def paste(tubelets: Tensor, patch: int, shape: torch.Size) -> Tensor:
    """Clips ``shape`` from their tubelets; undoes :func:`cut`."""
    b, length, _, height, width = shape
    grid = (b, length // DEPTH_IN_TIME, height // patch, width // patch, DEPTH_IN_TIME, 3, patch, patch)
    return tubelets.view(grid).permute(0, 1, 4, 5, 2, 6, 3, 7).reshape(shape)


def _places(grid: tuple[int, int, int]) -> Tensor:
    """Time, row and column of each tubelet, in (-1, 1), ``[n, 3]``."""
    axes = [(2 * torch.arange(size) + 1) / size - 1 for size in grid]
    return torch.cartesian_prod(*axes)
