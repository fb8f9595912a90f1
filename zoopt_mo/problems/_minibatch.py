"""A data problem seen through a few of its rows at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zoopt_mo._checks import check_count, check_seed
from zoopt_mo.problems._base import Array, Problem
from zoopt_mo.problems._forms import DataProblem, Rows
from zoopt_mo.problems._seeds import key_of


class Minibatch(Problem):
    """A data problem seen through a batch of rows: the same batch for all queries until :meth:`advance`.

    Queries of one step share their batch, so their differences are not blurred by the choice of rows. Each batch is
    drawn without replacement; batch number ``k`` depends on ``seed`` and ``k`` alone.

    Args:
        problem: The problem whose rows are sampled. ``ideal``, ``nadir`` and ``front`` are those of all rows.
        batch_size: Rows in a batch.
        seed: Seed of the batches.

    Raises:
        ValueError: If ``batch_size`` exceeds the number of rows.

    Example:
        >>> from zoopt_mo import problems
        >>> batch = problems.Minibatch(problems.LogisticRegression(5, num_rows=100), batch_size=10, seed=0)
        >>> x = batch.start(seed=0)
        >>> before = batch.losses(x)
        >>> bool(batch.losses(x) == before)
        True
        >>> batch.advance()
        >>> bool(batch.losses(x) == before)
        False
    """

    def __init__(self, problem: DataProblem, batch_size: int, seed: int) -> None:
        super().__init__(problem.size, problem.num_objectives, name=f"{problem.name}, minibatch")
        self.problem = problem
        self.batch_size = check_count("batch_size", batch_size)
        if self.batch_size > problem.num_rows:
            raise ValueError(f"`batch_size` must be at most {problem.num_rows}, the number of rows, got {batch_size}.")
        self.seed = check_seed("seed", seed)
        self.reset()

    def advance(self) -> None:
        """Move on to the next batch; call it after each step."""
        self._show(self.step + 1)

    def reset(self) -> None:
        """Back to the first batch."""
        self._show(0)

    def state_dict(self) -> dict[str, int]:
        """What :meth:`load_state_dict` needs to go on from here."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from ``state``, made by :meth:`state_dict`."""
        self._show(check_count("step", state["step"], least=0))

    def losses(self, x: npt.ArrayLike) -> Array:
        """The losses ``[n]`` at ``x`` ``[p]``, or ``[b, n]`` at ``[b, p]``, averaged over the present batch."""
        return self.problem.losses(x, self.rows)

    def gradients(self, x: npt.ArrayLike) -> Array:
        """The gradients ``[n, p]`` at ``x`` ``[p]``, averaged over the present batch."""
        return self.problem.gradients(x, self.rows)

    def start(self, seed: int) -> Array:
        """The problem's own start for ``seed``."""
        return self.problem.start(seed)

    @property
    def ideal(self) -> Array:
        """The least value of each loss over all rows ``[n]``."""
        return self.problem.ideal

    @property
    def nadir(self) -> Array:
        """The greatest value on the front over all rows ``[n]``."""
        return self.problem.nadir

    def front(self, num_points: int) -> Array:
        """The front over all rows, of at most ``num_points`` points."""
        return self.problem.front(num_points)

    def _show(self, step: int) -> None:
        self.step = step
        generator = np.random.Generator(np.random.Philox(key=key_of(self.seed, "batch"), counter=step << 128))
        self.rows: Rows = generator.choice(self.problem.num_rows, self.batch_size, replace=False)
