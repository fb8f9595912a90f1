"""Where random directions come from.

Numbers come from a counter-based generator (Philox) keyed by the seed and by the direction's number in the run. The
same two give the same direction on every machine and device, in any order, so nothing random has to be stored.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch

from zoopt_mo._checks import check_count, check_seed
from zoopt_mo.directions import DenseDirection, Direction, DrawnSigns, SignDirection, draw_signs, over_threads

DirectionSource = Callable[[int, int, int], Direction]
"""Draws a direction: ``source(size, seed, number)``, the same for the same three; ``number`` counts from 0 in a run."""

# Counter blocks of the generator: streams that must not share numbers.
_DIRECTIONS, _COLUMNS, _ROWS = 0, 1, 2
_LARGE = 1 << 20  # entries from which on signs are drawn where they are needed
_KEPT = threading.local()
_FRESH = np.random.Philox(key=0).state
# Bit i of word j of this table is the parity of (i AND 2^j): how a Hadamard row's low bits alternate within a word.
_PATTERNS = [sum(1 << i for i in range(64) if i >> j & 1) for j in range(6)]


def rademacher(size: int, seed: int, number: int) -> SignDirection:
    """Independent signs, +1 or -1 with equal chance.

    Args:
        size: Number of entries ``p``.
        seed: Seed of the run.
        number: Which direction of the run, from 0.

    Returns:
        Packed signs.

    Example:
        >>> from zoopt_mo import rademacher
        >>> rademacher(10_000_000, seed=0, number=0).num_bytes
        1250000

    Reference:
        Spall (1992), IEEE Transactions on Automatic Control 37(3); the Bernoulli directions of equation 2.
    """
    check_seed("seed", seed)
    check_count("number", number, least=0)

    def draw() -> npt.NDArray[np.uint64]:
        return _cleared(_random_words(size, seed, number, _DIRECTIONS), size)

    if check_count("size", size) < _LARGE:
        return SignDirection(draw(), size)
    return DrawnSigns(size, draw, functools.partial(draw_signs, size, seed, number, _DIRECTIONS))


def hadamard(size: int, seed: int, number: int) -> SignDirection:
    r"""Signs that are orthogonal to each other: rows of a Hadamard matrix, each used once before any comes again.

    A cycle is the :math:`N` rows of :math:`H_{ij} = (-1)^{\mathrm{popcount}(i \wedge j)}`, with :math:`N` the power of
    two nearest to ``p``: in random order, every row times a random sign and every column times a random sign. Where
    ``p`` is a power of two, the rows of a cycle are exactly orthogonal; elsewhere columns are cut or repeated, and two
    rows' inner product is on average that of random signs of :math:`|p - N|` entries. A direction alone is distributed
    as one of :func:`rademacher`.

    Without the column signs the first column never changes; without the row signs it is constant within a cycle, and an
    estimator that removes the mean of its probes is blind to it.

    Args:
        size: Number of entries ``p``.
        seed: Seed of the run.
        number: Which direction of the run, from 0.

    Returns:
        Packed signs, in time and memory of ``p / 64`` words.

    Example:
        >>> from zoopt_mo import hadamard
        >>> hadamard(1024, seed=0, number=0).dot(hadamard(1024, seed=0, number=1))
        0.0

    Reference:
        Kozak et al. (2023), Mathematical Programming 199, orthogonal directions; Choromanski et al. (2018), ICML,
        structured rows.
    """
    power = round(math.log2(check_count("size", size)))
    cycle, position = divmod(check_count("number", number, least=0), 1 << power)
    columns, order, row_signs = _cycle(size, seed, cycle, power)
    row = _permuted(position, power, order)
    words = _row_words(row, len(columns))
    words ^= columns
    if row_signs[position // 64] >> np.uint64(position % 64) & np.uint64(1):
        np.invert(words, out=words)
    return SignDirection(_cleared(words, size), size)


def segmented_uniform(size: int, seed: int, number: int) -> DenseDirection:
    """Independent entries, uniform on [-1, -0.5] and [0.5, 1]; the directions of BlackVIP.

    Args:
        size: Number of entries ``p``.
        seed: Seed of the run.
        number: Which direction of the run, from 0.

    Returns:
        A dense ``float32`` vector.

    Reference:
        Oh et al. (2023), BlackVIP, CVPR; SPSA-GC.
    """
    numbers = _numbers(seed, number).uniform(-0.5, 0.5, check_count("size", size))
    return DenseDirection(torch.from_numpy((numbers + np.copysign(0.5, numbers)).astype(np.float32)))


def gaussian(size: int, seed: int, number: int) -> DenseDirection:
    """Independent standard normal entries; a direction has the length of about the square root of ``p``.

    Args:
        size: Number of entries ``p``.
        seed: Seed of the run.
        number: Which direction of the run, from 0.

    Returns:
        A dense ``float32`` vector.

    Reference:
        Nesterov and Spokoiny (2017), Foundations of Computational Mathematics 17.
    """
    return DenseDirection(
        torch.from_numpy(_numbers(seed, number).standard_normal(check_count("size", size), np.float32))
    )


def sphere(size: int, seed: int, number: int) -> DenseDirection:
    """Uniform on the sphere of radius the square root of ``p``, so that an entry's mean square is 1, as for the others.

    Args:
        size: Number of entries ``p``.
        seed: Seed of the run.
        number: Which direction of the run, from 0.

    Returns:
        A dense ``float32`` vector.

    Reference:
        Flaxman, Kalai and McMahan (2005), SODA.
    """
    vector = gaussian(size, seed, number).vector
    return DenseDirection(vector * (math.sqrt(size) / torch.linalg.vector_norm(vector)))


class DirectionStream:
    """The directions of a run, step by step: drawn again they are the same, until the step is over.

    Args:
        source: Where directions come from.
        seed: Seed of the run.
    """

    def __init__(self, source: DirectionSource, seed: int) -> None:
        self.source = source
        self.seed = check_seed("seed", seed)
        self.step = 0
        self.number = 0
        self._drawn: list[Direction] = []

    @property
    def is_drawn(self) -> bool:
        """Whether the directions of this step are drawn."""
        return bool(self._drawn)

    def draw(self, size: int, count: int) -> list[Direction]:
        """The directions of this step.

        Args:
            size: Number of entries ``p``.
            count: How many; not to be changed within a step.
        """
        if not self._drawn:
            self._drawn = [self._draw_one(size, self.number + index) for index in range(count)]
        return self._drawn

    def _draw_one(self, size: int, number: int) -> Direction:
        direction = self.source(size, self.seed, number)
        direction.origin = (self.source, size, self.seed, number)
        return direction

    def advance(self) -> list[Direction]:
        """End the step.

        Returns:
            Its directions.
        """
        drawn, self._drawn = self._drawn, []
        self.step += 1
        self.number += len(drawn)
        return drawn

    def reset(self, seed: int | None) -> None:
        """Start the run anew.

        Args:
            seed: A new seed; the old one if None.
        """
        self.seed = self.seed if seed is None else check_seed("seed", seed)
        self.step = self.number = 0
        self._drawn = []

    def state_dict(self) -> dict[str, int]:
        """Where the run is."""
        return {"seed": self.seed, "step": self.step, "number": self.number}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from a saved place.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self.seed, self.step, self.number = state["seed"], state["step"], state["number"]
        self._drawn = []


def _numbers(seed: int, number: int) -> np.random.Generator:
    return np.random.Generator(_philox(seed, number, _DIRECTIONS))


def _random_words(size: int, seed: int, number: int, stream: int) -> npt.NDArray[np.uint64]:
    words = np.empty(-(-check_count("size", size) // 64), dtype=np.uint64)

    def draw(low: int, high: int) -> None:
        words[low:high] = _philox(seed, number, stream, first=low // 4).random_raw(high - low)

    over_threads(len(words), draw)
    return words


def _cleared(words: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.uint64]:
    """The words, which no one else has, without bits past the end."""
    if size % 64:
        words[-1] &= np.uint64((1 << (size % 64)) - 1)
    return words


def _philox(seed: int, number: int, stream: int, *, first: int = 0) -> np.random.Philox:
    """The generator of (seed, number, stream), ready for block ``first`` of four numbers.

    Each thread has one, which is set anew: making one reads the system's entropy first, ten times as slowly.
    """
    # Arrays of whole words: a list with a seed of 2^63 or above would be rounded as a float.
    key = np.array([check_seed("seed", seed), 0], dtype=np.uint64)
    counter = np.array([first, 0, stream, check_count("number", number, least=0)], dtype=np.uint64)
    generator: np.random.Philox | None = getattr(_KEPT, "generator", None)
    if generator is None:
        _KEPT.generator = generator = np.random.Philox(key=key)
    generator.state = {**_FRESH, "state": {"counter": counter, "key": key}}
    return generator


@functools.lru_cache(maxsize=4)
def _cycle(
    size: int, seed: int, cycle: int, power: int
) -> tuple[npt.NDArray[np.uint64], tuple[int, ...], npt.NDArray[np.uint64]]:
    """Column signs, what sets the order of the rows, and row signs of one cycle; kept, since every row needs them."""
    columns = _random_words(size, seed, cycle, _COLUMNS)
    numbers = _random_words(64 * 4 + (1 << power), seed, cycle, _ROWS)
    return columns, tuple(int(word) for word in numbers[:4]), numbers[4:]


def _permuted(position: int, power: int, order: tuple[int, ...]) -> int:
    """A pseudo-random permutation of the numbers below 2^power: two rounds of an odd multiple, a sum and a shift."""
    last = (1 << power) - 1
    shift = max(power // 2, 1)
    for factor, shifted in (order[:2], order[2:]):
        position = (position * (factor | 1) + shifted) & last
        position ^= position >> shift
    return position


def _row_words(row: int, num_words: int) -> npt.NDArray[np.uint64]:
    """Row ``row`` of the matrix as bits: within a word its low six bits count, from word to word the others."""
    words = np.empty(num_words, dtype=np.uint64)
    words[0] = functools.reduce(int.__xor__, (_PATTERNS[j] for j in range(6) if row >> j & 1), 0)
    done, high = 1, row >> 6
    while done < num_words:  # the second half is the first one, or its opposite
        half = words[done : 2 * done]
        if high & 1:
            np.invert(words[: len(half)], out=half)
        else:
            half[:] = words[: len(half)]
        done, high = 2 * done, high >> 1
    return words
