"""A training as curves in TensorBoard, beside the records that every run keeps; for watching long runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from privacy_mllm.records import StepRecord

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

    from privacy_mllm.session import Watch

FOLDER = "tensorboard"


@contextlib.contextmanager
def tracked(watch: Watch, tracking: str) -> Iterator[Watch]:
    """A watch that also writes every step's numbers into the run's folder, where asked to.

    ``tensorboard --logdir RUNS`` shows them, under the names of :class:`privacy_mllm.records.StepRecord`, against the
    number of the step. A run that is resumed goes on in its curves; steps that are taken anew replace the old ones.

    Args:
        watch: Whom else to tell.
        tracking: "tensorboard", or "none".

    Raises:
        ImportError: If the package is missing; the message names the extra.
        ValueError: If ``tracking`` is unknown.
    """
    if tracking not in ("none", "tensorboard"):
        raise ValueError(f"`tracking` must be none or tensorboard, got {tracking!r}.")
    if tracking == "none":
        yield watch
        return
    board = _Board()

    def begin(folder: Path) -> None:
        board.folder = folder / FOLDER
        watch.begin(folder)

    def step(record: StepRecord, steps: int) -> None:
        board.write(record)
        watch.step(record, steps)

    try:
        yield replace(watch, begin=begin, step=step)
    finally:
        board.close()


class _Board:
    """Event files of one run, opened at the first step."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise ImportError('`tracking` needs tensorboard: pip install "zoopt-mo[tracking]"') from error
        self._kind = SummaryWriter
        self._writer: SummaryWriter | None = None
        self.folder = Path(FOLDER)

    def write(self, record: StepRecord) -> None:
        """Add the numbers of a step; what is not known is left out."""
        if self._writer is None:
            self._writer = self._kind(str(self.folder), purge_step=record.step or None)
        for name, value in asdict(record).items():
            if name != "step" and value is not None:
                self._writer.add_scalar(name, value, record.step)
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()
