"""The four tables in Markdown, ours beside the paper's, and how far the orders agree."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import kendalltau

import zoopt_mo as zo
from benchmarks.ablations import Row, spread, table
from benchmarks.baselines.printed import TABLES, PaperTable
from benchmarks.baselines.runs import METHODS, VQA, Chosen, key
from privacy_mllm.tables import worst_of

FIELDS = {"action": "action", VQA: VQA, "frozen": "frozen_cmap", "attacker": "attacker_cmap"}
"""Columns, and what a run found under them."""
HEADS = ("method", *FIELDS, "worst attribute", "bits", "calls")


def rows_of(rows: Sequence[Row], paper: PaperTable) -> dict[str, list[Row]]:
    """The runs of each method that belong to a table, in its order.

    Args:
        rows: All runs.
        paper: The table.
    """
    found: dict[str, list[Row]] = {name: [] for name in METHODS}
    for row in rows:
        name = row.job.method
        if (row.job.setting, row.job["tells"]) == key(name, paper.task, paper.kind):
            found[name].append(row)
    return found


def medians(mine: Mapping[str, Sequence[Row]], field: str) -> dict[str, float]:
    """The median over seeds of what was found, by method."""
    return {name: statistics.median(row.number(field) for row in runs) for name, runs in mine.items()}


def tables(rows: Sequence[Row], chosen: Chosen) -> list[str]:
    """What the columns mean, the orders, the four tables, and what tuning chose.

    Args:
        rows: All runs.
        chosen: Radius and step with text only.
    """
    there, found = rows[0], chosen.items()
    return [
        (
            "Action and VQA: right answers to the main question, and the mean over all questions. Leakage is read as "
            "cMAP by the frozen reviewer, the paper's measure, and by an attacker fine-tuned on the method's pictures; "
            f"who sees nothing reads {there.number('chance'):.1f}. Worst attribute: the one that the attacker reads "
            "best, and how far above chance; 100 is everything. All in percent. Bits: what the attacker learns of all "
            f"attributes from a clip; there are {there.number('bits_there'):.1f}. Calls: black-box calls of the "
            "training for each clip asked about. Median over seeds with its 95 % interval; one figure alone is that of "
            "a method without randomness, or of one seed."
        ),
        "### Order",
        (
            "Kendall's tau between the paper's order of its methods and ours (1 is the same, 0 is none), of right "
            "answers and of both readings of cMAP, and the methods that no other of these beats in right answers and "
            "cMAP, here by the attacker. Of two columns of cMAP the first counts."
        ),
        table(
            ["table", "answers", "frozen", "attacker", "unbeaten in the paper", "unbeaten here"],
            [order_line(rows, paper) for paper in TABLES],
        ),
        *(part for paper in TABLES for part in (f"### {paper}, beside {paper.model}", paper_table(rows, paper))),
        "With text only, tuning chose: "
        + "; ".join(f"{name}, radius {radius:g}, step {step:g} times the settings'" for name, (radius, step) in found)
        + ".",
    ]


def paper_table(rows: Sequence[Row], paper: PaperTable) -> str:
    """One table, the paper's figures in its last columns."""
    lines = []
    for name, runs in rows_of(rows, paper).items():
        measured = [_text(runs, field) for field in FIELDS.values()]
        worst = Counter(row.found["worst"] for row in runs).most_common(1)[0][0]
        above = statistics.median(row.number("worst_above") for row in runs)
        printed = [f"{value:.1f}" for value in paper.printed.get(name, ())] or ["-"] * len(paper.columns)
        calls = f"{statistics.median(row.number('calls') for row in runs):g}"
        lines.append([name, *measured, worst_of(str(worst), above), _text(runs, "bits"), calls, *printed])
    return table([*HEADS, *(f"paper: {column}" for column in paper.columns)], lines)


def order_line(rows: Sequence[Row], paper: PaperTable) -> list[str]:
    """How far the paper's order is ours, and what no other method beats in both."""
    mine = {name: runs for name, runs in rows_of(rows, paper).items() if name in paper.printed}
    answers, frozen, attacker = (medians(mine, field) for field in (paper.task, "frozen_cmap", "attacker_cmap"))
    theirs = [{name: paper.printed[name][place] for name in mine} for place in (0, 1)]
    orders = [(answers, theirs[0]), (frozen, theirs[1]), (attacker, theirs[1])]
    found = [f"{kendalltau(list(a.values()), list(b.values())).statistic:.2f}" for a, b in orders]
    return [f"{paper.number}", *found, _unbeaten(*theirs), _unbeaten(answers, attacker)]


def _unbeaten(answers: Mapping[str, float], leakage: Mapping[str, float]) -> str:
    best = zo.non_dominated(np.array([[leakage[name], -answers[name]] for name in answers]))
    return ", ".join(name for name, is_best in zip(answers, best, strict=True) if is_best)


def _text(runs: Sequence[Row], field: str) -> str:
    if len(runs) == 1:
        return f"{runs[0].number(field):.1f}"
    return spread([row.number(field) for row in runs]).text()
