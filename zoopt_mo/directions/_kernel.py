"""Packed signs on a GPU: drawn, summed and multiplied there, by Triton, which torch brings with CUDA."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 2048
"""Entries or words that a program of a kernel takes."""


DRAWN = 256
"""Blocks of four words that a program of the generator draws."""

_PHILOX = (0xD2E7470EE14C6C93, 0xCA5A826395121157, 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
"""Philox's two factors, and what its two key words grow by each round (Salmon et al., 2011)."""


@functools.cache
def serves(device: torch.device) -> bool:
    """Whether there is a kernel for the device.

    Args:
        device: Where the sums are needed.
    """
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def write_signs(
    out: Tensor, base: Tensor | None, packed: Sequence[Tensor | None], factors: Sequence[float], start: int
) -> None:
    """Set ``out`` to ``base`` plus a sum of signs times factors; each number is read and written once.

    The order of the additions is that on the CPU, so the bits are the same.

    Args:
        out: Where to write, contiguous.
        base: What to add to; None for zero.
        packed: Bytes of packed signs, lowest bit first.
        factors: A factor for each.
        start: Entry of the signs that ``out`` begins at.
    """
    from zoopt_mo.directions._triton_kernel import write_sum

    exact = torch.float64 if out.dtype == torch.float64 else torch.float32
    places = torch.tensor([signs.data_ptr() for signs in packed if signs is not None], dtype=torch.int64)
    size = len(out)
    with torch.cuda.device(out.device):
        write_sum[(-(-size // BLOCK),)](
            out,
            out if base is None else base,
            places.to(out.device),
            torch.tensor(factors, dtype=exact).to(out.device),
            len(factors),
            start,
            size,
            ADD=base is not None,
            BLOCK=BLOCK,
        )


def count_differing(one: Tensor, other: Tensor) -> int:
    """How many signs of two directions differ.

    Args:
        one: Bytes of packed signs, a multiple of eight.
        other: As many.
    """
    from zoopt_mo.directions._triton_kernel import count_differing as kernel

    words = [signs.view(torch.int32) for signs in (one, other)]
    programs = -(-len(words[0]) // BLOCK)
    counts = torch.empty(programs, dtype=torch.int64, device=one.device)
    with torch.cuda.device(one.device):
        kernel[(programs,)](*words, counts, len(words[0]), BLOCK=BLOCK)
    return int(counts.sum())


def draw_signs(size: int, seed: int, number: int, stream: int, device: torch.device) -> Tensor | None:
    """The packed signs that numpy's Philox draws in memory, drawn on a device; None where there is no kernel for it.

    Args:
        size: Number of entries.
        seed: Seed of the run, the generator's key.
        number: Which direction of the run, its highest counter word.
        stream: Its second highest counter word.
        device: Where they are needed.
    """
    if not serves(device):
        return None
    from zoopt_mo.directions._triton_kernel import draw_words

    words = torch.empty(-(-size // 64), dtype=torch.int64, device=device)
    place = torch.tensor([_signed(value) for value in (*_PHILOX, seed, 0, stream, number)]).to(device)
    with torch.cuda.device(device):
        draw_words[(-(-len(words) // (4 * DRAWN)),)](words, place, len(words), BLOCK=DRAWN)
    if size % 64:
        words[-1] &= (1 << (size % 64)) - 1
    return words.view(torch.uint8)


def _signed(value: int) -> int:
    """The same 64 bits as torch's whole numbers have them."""
    return value - (1 << 64) if value >= 1 << 63 else value
