"""The pictures of a run: before and after, loss against calls, utility against leakage."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.asking import Desk, Question
from privacy_mllm.data.clips import Clips
from privacy_mllm.methods.protocol import Anonymizer
from privacy_mllm.metrics import same_words
from privacy_mllm.records import StepRecord
from privacy_mllm.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from privacy_mllm.summaries import Summary

GRID_CLIPS = 6
RIGHT, WRONG, OURS, PLAIN = "#1a7f37", "#b42318", "#0b5cad", "#667085"


@dataclass(frozen=True)
class Shown:
    """A clip as a picture shows it.

    Args:
        frames: ``uint8 [t, 3, h, w]``.
        text: What was said of it; empty for nothing.
        is_good: Whether the text is green, else red.
    """

    frames: Tensor
    text: str
    is_good: bool


def draw_before_after(
    file: Path,
    clips: Clips,
    methods: Sequence[Anonymizer],
    desk: Desk,
    *,
    question: str,
    withheld: Collection[str] = (),
    seed: int = 0,
) -> None:
    """Clips before and after, a row each, with what the black box answers; clips are drawn at random, never chosen.

    Costs one call for each clip and method.

    Args:
        file: Where the PNG goes.
        clips: Clips to draw from.
        methods: The columns, in order; the first is usually the raw picture.
        desk: The way to the black box.
        question: What is asked.
        withheld: Names of methods whose pictures are not shown to the black box.
        seed: Seed of the draw.
    """
    asked = [row for row, answers in enumerate(clips.answers) if question in answers]
    drawn = torch.randperm(len(asked), generator=torch.Generator().manual_seed(seed))[:GRID_CLIPS]
    rows = [asked[int(index)] for index in drawn]
    accepted = [clips.answers[row][question] for row in rows]
    columns = {}
    for method in methods:
        shown = method.anonymize(clips.select(rows).load())
        asked_about = [Question(clip, question, right) for clip, right in zip(shown, accepted, strict=True)]
        said = [""] * len(rows) if method.name in withheld else desk.answers(asked_about, name=f"picture {method.name}")
        columns[method.name] = [
            _answered(frames, text, right) for frames, text, right in zip(shown, said, accepted, strict=True)
        ]
    draw_clips(file, columns, heading=f'"{question}?"')


def draw_clips(
    file: Path,
    columns: Mapping[str, Sequence[Shown]],
    *,
    heading: str,
    rows: Sequence[str] = (),
    caption: str = "",
) -> None:
    """Clips in a grid, what was said of each below it, in green or red.

    Args:
        file: Where the PNG goes.
        columns: From the title of a column to its clips, as many in each.
        heading: What stands above all.
        rows: What stands left of each row; nothing where it is empty.
        caption: What stands below all.
    """
    count = len(next(iter(columns.values())))
    width = 4.2 * len(columns) + (2.2 if rows else 0.0)
    figure, axes = _subplots(count, len(columns), width=width, height=1.45 * count + 0.6)
    for column, (title, clips) in enumerate(columns.items()):
        for axis, clip in zip(axes[:, column], clips, strict=True):
            _draw_clip(axis, clip)
        axes[0, column].set_title(title, fontsize=11, fontweight="bold", pad=20)
    for axis, text in zip(axes[:, 0], rows, strict=False):
        axis.set_ylabel(text, fontsize=9, rotation=0, ha="right", va="center", labelpad=8)
    figure.suptitle(heading, fontsize=11)
    if caption:
        figure.supxlabel(caption, fontsize=9, color=PLAIN)
    _save(figure, file)


def draw_losses(file: Path, records: Sequence[StepRecord]) -> None:
    """Both losses against the calls spent, with their running mean.

    Args:
        file: Where the PNG goes.
        records: The steps of the run, at least one.
    """
    figure, axes = _subplots(1, 2, width=9.5, height=3.4)
    calls = np.array([record.calls for record in records])
    series = {
        "utility loss of the black box": [record.utility for record in records],
        "privacy loss by the reviewer": [record.privacy for record in records],
    }
    for axis, (title, values) in zip(axes[0], series.items(), strict=True):
        axis.plot(calls, values, color=PLAIN, alpha=0.35, linewidth=0.8, label="each step")
        axis.plot(calls, _running_mean(values), color=OURS, linewidth=2, label="mean of 20 steps")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("black-box calls spent")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    figure.suptitle(f"{records[0].calls} calls a step", fontsize=9, color=PLAIN)
    _save(figure, file)


def draw_trade_off(file: Path, results: Results, *, ours: str) -> None:
    """Utility against leakage to the fine-tuned attacker, a point a method; up and to the left is better.

    Args:
        file: Where the PNG goes.
        results: The table.
        ours: The method that is picked out.
    """
    figure, axes = _subplots(1, 1, width=7, height=4.6)
    axis: Axes = axes[0, 0]
    axis.axvline(results.blind_cmap, color=PLAIN, linestyle=":", linewidth=1.2)
    axis.annotate("blind base rate", (results.blind_cmap, 2), rotation=90, fontsize=8, color=PLAIN, ha="right")
    for row in results.rows:
        if math.isnan(row.action):  # never asked
            continue
        picked = row.method == ours
        axis.scatter(row.attacker_cmap, row.action, s=90 if picked else 36, color=OURS if picked else PLAIN, zorder=3)
        _label(axis, row, below=any(_just_under(row, other) for other in results.rows), bold=picked)
    axis.set_xlabel("leakage: cMAP of an attacker fine-tuned on the anonymized pictures (%)")
    axis.set_ylabel("utility: right answers to the main question (%)")
    axis.set_ylim(0, 102)
    axis.margins(x=0.12)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    _save(figure, file)


def draw_comparison(file: Path, summaries: Sequence[Summary], *, ours: str) -> None:
    """Utility against leakage, a point a method with its range over seeds, and the set that no other beats in both.

    A method whose pictures were not shown to the black box is no point.

    Args:
        file: Where the PNG goes.
        summaries: The table.
        ours: The method that is picked out.
    """
    summaries = [row for row in summaries if not math.isnan(row.action.mean)]
    figure, axes = _subplots(1, 1, width=10, height=5.6)
    axis: Axes = axes[0, 0]
    best = zo.non_dominated([[row.attacker.mean, -row.action.mean] for row in summaries])
    front = sorted(
        (row.attacker.mean, row.action.mean) for row, is_best in zip(summaries, best, strict=True) if is_best
    )
    axis.step(*zip(*front, strict=True), where="post", color=PLAIN, linewidth=1, linestyle="--", label="not dominated")
    for number, row in enumerate(summaries, start=1):
        color = OURS if row.method == ours else PLAIN
        x, y = row.attacker, row.action
        across, up = [[x.mean - x.low], [x.high - x.mean]], [[y.mean - y.low], [y.high - y.mean]]
        label = f"{number}  {row.method}"
        axis.errorbar(x.mean, y.mean, xerr=across, yerr=up, color=color, marker="o", linewidth=0.8, label=label)
        offset, weight = (4, 4), "bold" if row.method == ours else "normal"
        point = (x.mean, y.mean)
        axis.annotate(
            str(number), point, offset, textcoords="offset points", fontsize=9, color=color, fontweight=weight
        )
    axis.set_xlabel("leakage: cMAP of an attacker fine-tuned on the anonymized pictures (%)")
    axis.set_ylabel("utility: right answers to the main question (%)")
    axis.margins(x=0.06, y=0.06)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False, fontsize=8, handlelength=0.8)
    _save(figure, file)


def _label(axis: Axes, row: Row, *, below: bool, bold: bool) -> None:
    """The method's name beside its point, towards the middle of the picture."""
    left = row.attacker_cmap > 80
    axis.annotate(
        row.method,
        (row.attacker_cmap, row.action),
        xytext=(-6 if left else 6, -12 if below else 5),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize=9 if bold else 8,
        fontweight="bold" if bold else "normal",
    )


def _just_under(row: Row, other: Row) -> bool:
    return abs(row.attacker_cmap - other.attacker_cmap) < 8 and 0 < other.action - row.action < 5


def _answered(frames: Tensor, said: str, accepted: tuple[str, ...]) -> Shown:
    """A clip with the answer to a question about it; a wrong one with the right one beside it."""
    right = any(same_words(said, text) for text in accepted)
    return Shown(frames, said if right or not said else f"{said} (is: {accepted[0]})", right)


def _draw_clip(axis: Axes, clip: Shown) -> None:
    """The frames of a clip side by side, with what was said of it."""
    axis.imshow(torch.cat(list(clip.frames), dim=2).permute(1, 2, 0).numpy(), interpolation="nearest")
    axis.set_xlabel(textwrap.shorten(clip.text, 60), fontsize=9, color=RIGHT if clip.is_good else WRONG)
    axis.set_xticks([])
    axis.set_yticks([])


def _running_mean(values: Sequence[float], window: int = 20) -> list[float]:
    return [float(np.mean(values[max(0, end - window) : end])) for end in range(1, len(values) + 1)]


def _subplots(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """A figure that needs no screen and leaves pyplot's global state alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130)
