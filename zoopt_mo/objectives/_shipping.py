"""Points that travel to another process as a few numbers instead of as a vector.

The point of a step lies in one file; a probe is that file and the seeds of its directions, which the other process
draws again. For a million parameters that is about a hundred bytes a query instead of eight megabytes.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zoopt_mo.directions import Combination, Direction

LEAST_SIZE = 1 << 14  # entries below which a vector is sent as it is

Vector = npt.NDArray[np.float64]
Terms = tuple[tuple[float, Any], ...]


def ships_by_file(executor: Executor, x: Vector) -> bool:
    """Whether points go by file: large ones, to processes that are sure to see this machine's files."""
    return isinstance(executor, ProcessPoolExecutor) and x.size >= LEAST_SIZE


class PointsByFile:
    """Gives copies of a vector under a probe that are pickled as a file's name and the probe.

    Args:
        x: The vector, moved in place by whoever probes.
    """

    def __init__(self, x: Vector) -> None:
        self.x = x
        shared = Path("/dev/shm")  # memory, where there is such a thing
        self._folder = Path(tempfile.mkdtemp(prefix="zoopt-mo-", dir=shared if os.access(shared, os.W_OK) else None))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._round = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> PointsByFile:
        """A folder of its own."""
        return PointsByFile(self.x)

    def __call__(self) -> Vector:
        """A copy of the vector as it is now."""
        return self.x.copy()

    def begin_round(self) -> None:
        """Write the vector, before it is moved, for the probes to come."""
        self._round += 1
        np.save(self._file, self.x)
        with contextlib.suppress(FileNotFoundError):
            self._folder.joinpath(f"{self._round - 1}.npy").unlink()

    def at(self, displacement: Combination) -> Vector:
        """The vector as it is now, under ``displacement``.

        Args:
            displacement: How far it is from the one that was written.
        """
        point = self.x.copy().view(_Point)
        point.recipe = (str(self._file), tuple((factor, _seed_or_bits(d)) for factor, d in displacement.terms))
        return point

    @property
    def _file(self) -> Path:
        return self._folder / f"{self._round}.npy"


class _Point(np.ndarray[Any, Any]):
    """An array that is pickled by its recipe."""

    recipe: tuple[str, Terms] | None = None

    def __reduce__(self) -> Any:  # noqa: ANN401 - what pickle takes
        return super().__reduce__() if self.recipe is None else (_make_point, self.recipe)


def _make_point(file: str, terms: Terms) -> Vector:
    point = _read(file).copy()
    moves: Sequence[tuple[float, Direction]] = [(factor, _draw(kept)) for factor, kept in terms]
    Combination(moves).add_to(torch.from_numpy(point))
    return point


@functools.lru_cache(maxsize=1)
def _read(file: str) -> Vector:
    vector: Vector = np.load(file, allow_pickle=False)
    return vector


def _seed_or_bits(direction: Direction) -> Any:  # noqa: ANN401
    """What draws the direction again, if another process can import it, else the direction."""
    origin = direction.origin
    importable = origin is not None and "<" not in getattr(origin[0], "__qualname__", "<")
    return origin if importable else direction


def _draw(kept: Any) -> Direction:  # noqa: ANN401
    if isinstance(kept, Direction):
        return kept
    source, *arguments = kept
    direction: Direction = source(*arguments)
    return direction
