"""Rows as csv, and tables under the command and the commit that made them, in Markdown and as a page."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.ablations.command import RESULTS, Command
from benchmarks.ablations.jobs import Row
from benchmarks.ablations.page import write_page

RESAMPLES = 2000


@dataclass(frozen=True)
class Spread:
    """A median over seeds and its 95 % interval (bootstrap over seeds).

    Args:
        median: The median.
        low: Lower end; not a number for one seed.
        high: Upper end; likewise.
    """

    median: float
    low: float
    high: float

    def text(self, digits: int = 1) -> str:
        """``median (low to high)``, the value alone of one seed, or a dash where there is nothing."""
        if not np.isfinite(self.median):
            return "-"
        if np.isnan(self.low):
            return f"{self.median:.{digits}f}"
        low, high = (f"{end:.{digits}f}" if np.isfinite(end) else "?" for end in (self.low, self.high))
        return f"{self.median:.{digits}f} ({low} to {high})"


def spread(values: Sequence[float]) -> Spread:
    """Median and interval of one value a seed; infinite ones count as they are, as where a goal was not reached.

    The interval of one value is not a number.
    """
    array = np.asarray(values, dtype=float)
    if not array.size or np.isnan(array).any():
        return Spread(float("nan"), float("nan"), float("nan"))
    if array.size == 1:
        return Spread(float(array[0]), float("nan"), float("nan"))
    drawn = np.random.default_rng(0).integers(array.size, size=(RESAMPLES, array.size))
    medians = np.median(array[drawn], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975], method="nearest")
    return Spread(float(np.median(array)), float(low), float(high))


def write_csv(rows: Sequence[Row], file: Path) -> None:
    """A line a job: its key, what it found, and the seconds."""
    parameters = list(dict.fromkeys(name for row in rows for name, _ in row.job.parameters))
    found = list(dict.fromkeys(name for row in rows for name in row.found))
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, ["method", "setting", "seed", *parameters, *found, "seconds"], restval="")
        writer.writeheader()
        for row in rows:
            key = {"method": row.job.method, "setting": row.job.setting, "seed": row.job.seed}
            writer.writerow({**key, **dict(row.job.parameters), **row.found, "seconds": row.seconds})


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    Raises:
        ValueError: If a line has another length than the heads.
    """
    if any(len(line) != len(heads) for line in lines):
        raise ValueError(f"`lines` must have {len(heads)} cells each, one for each head.")
    shown = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in shown)


def write_report(command: Command, parts: Sequence[str], *, figures: Mapping[Path, str] | None = None) -> str:
    """Write ``NAME.md``: the command, the commit, then the parts; and ``NAME.html``, the same with the figures.

    Args:
        command: What was asked for.
        parts: Paragraphs and tables in Markdown.
        figures: Pictures of the page, drawn before, and what each shows; None for ``NAME.png``, where there is one.

    Returns:
        What the command prints: the text, and where the page is.
    """
    head = f"`{command.line}`, commit {commit()}, {command.seeds} {'seed' if command.seeds == 1 else 'seeds'}."
    text = "\n\n".join([head, *parts]) + "\n"
    command.file(".md").write_text(text, encoding="utf-8")
    page = write_page(command, text, _figure(command) if figures is None else figures)
    size = f"{page.stat().st_size / 1e6:.1f} MB"
    return f"{text}\nreport   {page.resolve().as_uri()} ({size}; open it in a browser)"


def _figure(command: Command) -> dict[Path, str]:
    """The picture of the benchmark's own name, if there is one, told by the benchmark's first line."""
    file = command.file(".png")
    told = command.doc.partition("\n")[0] or command.name
    return {file: f"Figure {file.name}. {told}"} if file.is_file() else {}


def commit() -> str:
    """The commit of the working tree, with ``-dirty`` if more than results changed since; "unknown" outside of git."""
    found = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", ":/", ":(exclude,top)benchmarks/results")
    return found + ("-dirty" if changed else "") if found else "unknown"


def _git(*words: str) -> str:
    line = ["git", *words]
    return subprocess.run(line, cwd=RESULTS.parent, capture_output=True, text=True, check=False).stdout.strip()
