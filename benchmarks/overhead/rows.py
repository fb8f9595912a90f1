"""The rows of the report: what the jobs found, as a csv file and as the one line of JSON."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.overhead.jobs import Found, Job

HEADLINES = ("spsa", "critical_history", "recommended", "recommended_block", "mezo_loop")


@dataclass(frozen=True)
class Row:
    """One figure or several of one method in one setting; None where not measured.

    Args:
        section: Part of the report.
        method: What was measured.
        p: Number of parameters.
        threads: Threads.
        dtype: Type of the parameters.
        count: Slots of the history, or pairs of a step, where that varies.
        part: Part of a step.
        queries: Queries of a step.
        milliseconds: Of a step.
        passes: Time of a step, or of its part, in passes over theta.
        microseconds: Of a step, where theta is small.
        slot_bytes: Memory of a slot of the history.
        peak_mb: Peak of memory above theta and ``.grad``, in 10^6 bytes.
        theta_mb: Memory of theta.
        note: Why nothing was measured.
    """

    section: str
    method: str
    p: int
    threads: int
    dtype: str
    count: int | None = None
    part: str | None = None
    queries: float | None = None
    milliseconds: float | None = None
    passes: float | None = None
    microseconds: float | None = None
    slot_bytes: float | None = None
    peak_mb: float | None = None
    theta_mb: float | None = None
    note: str | None = None

    @property
    def extra_mb(self) -> float | None:
        """Peak of memory beyond theta, ``.grad`` and one copy of theta to restore it from."""
        return None if self.peak_mb is None or self.theta_mb is None else max(0.0, self.peak_mb - self.theta_mb)


def rows_of(job: Job, found: Found) -> list[Row]:
    """What a job found with what it was asked; a row that says why for each method of one that found nothing."""
    common: dict[str, Any] = {"section": job.section, "p": job.p, "threads": job.threads, "dtype": job.dtype}
    if isinstance(found, str):
        return [Row(method=method, count=count, note=found, **common) for method, count in job.methods]
    return [Row(**common, **row) for row in found]


def write_csv(rows: Sequence[Row], commit: str, file: Path) -> None:
    """All rows, with the commit."""
    names = [*(field.name for field in dataclasses.fields(Row)), "extra_mb", "commit"]
    with file.open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            values = dataclasses.asdict(row) | {"extra_mb": row.extra_mb, "commit": commit}
            writer.writerow({name: _short(value) for name, value in values.items()})


def summary(rows: Sequence[Row], import_seconds: float) -> dict[str, Any]:
    """The figures that the others are judged by, per ``p``: with the fewest threads, and below that with all."""
    passes = [row for row in rows if row.section == "passes" and row.method in HEADLINES]
    by_size: dict[str, Any] = {}
    for p in sorted({row.p for row in passes}):
        here = [row for row in passes if row.p == p]
        few, many = min(row.threads for row in here), max(row.threads for row in here)
        by_size[str(p)] = {"threads": few, **_headlines(here, few)}
        if many > few:
            by_size[str(p)]["all_threads"] = {"threads": many, **_headlines(here, many)}
    small = {row.method: row.microseconds for row in rows if row.section == "small"}
    extra = {row.method: _short(row.extra_mb) for row in rows if row.section == "memory"}
    return {
        "p": by_size,
        "extra_mb": extra,
        "small_us": _short(small.get("spsa")),
        "small_critical_history_us": _short(small.get("critical_history")),
        "import_s": round(import_seconds, 3),
    }


def _headlines(rows: Sequence[Row], threads: int) -> dict[str, Any]:
    chosen = {row.method: row for row in rows if row.threads == threads}
    found: dict[str, Any] = {f"{name}_passes": _short(chosen[name].passes) for name in HEADLINES if name in chosen}
    if "critical_history" in chosen:
        found["history_bytes_per_slot"] = _short(chosen["critical_history"].slot_bytes)
    return found


def _short(value: object) -> object:
    """Four figures of a float are more than its noise allows."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
