"""The kernels that :mod:`zoopt_mo.directions._kernel` starts; imported where there is a GPU."""

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def write_sum(out, base, places, factors, count, start, size, ADD: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803
    """One block of ``out``: ``base``, if it counts, plus the signs at ``places`` times their factors."""
    entry = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = entry < size
    byte, bit = (start + entry) // 8, ((start + entry) % 8).to(tl.int32)
    total = tl.zeros([BLOCK], factors.dtype.element_ty)
    for number in range(count):
        signs = tl.load(places + number).to(tl.pointer_type(tl.uint8))
        factor = tl.load(factors + number)
        code = tl.load(signs + byte, mask=inside, other=0).to(tl.int32)
        total += tl.where(((code >> bit) & 1) != 0, factor, -factor)
    if ADD:
        total += tl.load(base + entry, mask=inside, other=0).to(factors.dtype.element_ty)
    tl.store(out + entry, total.to(out.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def count_differing(one, other, counts, size, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803
    """Set bits of ``one ^ other`` in one block of words of 32 bits."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < size
    word = (tl.load(one + place, mask=inside, other=0) ^ tl.load(other + place, mask=inside, other=0)).to(tl.uint32)
    word = word - ((word >> 1) & 0x55555555)  # bits of each pair, then of each four, each byte, and all
    word = (word & 0x33333333) + ((word >> 2) & 0x33333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F
    bits = ((word * 0x01010101) >> 24).to(tl.int64)
    tl.store(counts + tl.program_id(0), tl.sum(bits, axis=0))
