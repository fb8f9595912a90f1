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


@triton.jit  # type: ignore[untyped-decorator]
def draw_words(out, place, size, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803
    """Philox-4x64-10 as numpy has it: counters from 1 on, four words of each; ``place``: constants, key, counter."""
    block = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    factor0, factor1 = tl.load(place).to(tl.uint64, bitcast=True), tl.load(place + 1).to(tl.uint64, bitcast=True)
    grow0, grow1 = tl.load(place + 2).to(tl.uint64, bitcast=True), tl.load(place + 3).to(tl.uint64, bitcast=True)
    key0, key1 = tl.load(place + 4).to(tl.uint64, bitcast=True), tl.load(place + 5).to(tl.uint64, bitcast=True)
    zero = tl.zeros([BLOCK], tl.uint64)
    word0, word1 = (block + 1).to(tl.uint64), zero
    word2 = zero + tl.load(place + 6).to(tl.uint64, bitcast=True)
    word3 = zero + tl.load(place + 7).to(tl.uint64, bitcast=True)
    for _ in tl.static_range(10):
        high0, low0 = tl.umulhi(word0, zero + factor0), word0 * factor0
        high1, low1 = tl.umulhi(word2, zero + factor1), word2 * factor1
        word0, word1, word2, word3 = high1 ^ word1 ^ key0, low1, high0 ^ word3 ^ key1, low0
        key0 += grow0
        key1 += grow1
    tl.store(out + 4 * block, word0.to(tl.int64, bitcast=True), mask=4 * block < size)
    tl.store(out + 4 * block + 1, word1.to(tl.int64, bitcast=True), mask=4 * block + 1 < size)
    tl.store(out + 4 * block + 2, word2.to(tl.int64, bitcast=True), mask=4 * block + 2 < size)
    tl.store(out + 4 * block + 3, word3.to(tl.int64, bitcast=True), mask=4 * block + 3 < size)
