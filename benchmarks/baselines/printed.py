"""What the paper prints in its tables 1 to 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.baselines.runs import ACTION, LOGPROBS, PAPER, TEXT, VQA


@dataclass(frozen=True)
class PaperTable:
    """One table of the paper.

    The first two have HMDB51 too, which is left out here.

    Args:
        number: Its number.
        task: What is asked.
        kind: What our black box tells in its place.
        model: The paper's model.
        columns: What its figures are.
        printed: Its figures, by our name of each method; right answers first, then cMAP.
    """

    number: int
    task: str
    kind: str
    model: str
    columns: tuple[str, ...]
    printed: Mapping[str, tuple[float, ...]]

    def __str__(self) -> str:
        """For example ``Table 1: action, log-probabilities``."""
        return f"Table {self.number}: {self.task}, {self.kind}"


UCF101 = ("action (UCF101)", "cMAP (VISPR)")
OKVQA = ("VQA (OK-VQA)", "cMAP (OK-VQA)", "cMAP (VISPR)")


STILL = tuple(name for name in PAPER if name not in ("surrogate BDQ", "surrogate STPrivacy"))
"""Those of them that are defined on single pictures."""


def _by_method(names: tuple[str, ...], *columns: tuple[float, ...]) -> Mapping[str, tuple[float, ...]]:
    return dict(zip(names, zip(*columns, strict=True), strict=True))


TABLES = (
    PaperTable(
        1,
        ACTION,
        LOGPROBS,
        "Video-LLaVA",
        UCF101,
        _by_method(
            PAPER,
            (55.4, 43.1, 40.1, 43.6, 46.0, 34.2, 36.8, 35.6, 36.9, 37.4, 39.8, 48.4),
            (64.4, 57.2, 56.4, 55.9, 63.5, 57.1, 56.7, 56.4, 57.4, 57.1, 59.1, 54.6),
        ),
    ),
    PaperTable(
        2,
        ACTION,
        TEXT,
        "GPT-4V",
        UCF101,
        _by_method(
            PAPER,
            (70.4, 61.5, 62.4, 61.7, 63.1, 58.9, 59.1, 58.7, 59.2, 59.8, 61.2, 67.1),
            (64.4, 57.2, 56.4, 55.9, 63.5, 58.5, 57.9, 58.1, 57.8, 57.4, 59.1, 54.9),
        ),
    ),
    PaperTable(
        3,
        VQA,
        LOGPROBS,
        "LLaVA",
        OKVQA,
        _by_method(
            STILL,
            (60.1, 55.7, 48.4, 54.4, 55.9, 40.2, 41.6, 43.1, 45.1, 57.6),
            (59.3, 52.7, 51.3, 50.9, 57.5, 49.3, 48.6, 48.2, 51.5, 44.2),
            (64.4, 57.2, 56.4, 55.9, 63.5, 54.3, 52.9, 52.1, 54.3, 48.8),
        ),
    ),
    PaperTable(
        4,
        VQA,
        TEXT,
        "GPT-4V",
        OKVQA,
        _by_method(
            STILL,
            (63.6, 56.2, 49.1, 55.3, 56.1, 55.4, 56.5, 55.6, 55.9, 59.2),
            (59.3, 52.7, 51.3, 50.9, 57.5, 48.4, 46.6, 46.8, 51.5, 44.2),
            (64.4, 57.2, 56.4, 55.9, 63.5, 50.2, 49.4, 49.7, 54.3, 47.9),
        ),
    ),
)
