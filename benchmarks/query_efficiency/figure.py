"""The picture: how many times more queries each peer needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.query_efficiency.methods import OURS, PEERS
from benchmarks.query_efficiency.runs import Cell
from benchmarks.query_efficiency.tables import pick, ratios, with_interval


def draw(cells: Sequence[Cell], file: Path) -> None:
    """A dot for each problem, noise and goal, and the geometric mean with its interval, a row a peer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    ours = {key: cell for key, cell in pick(cells, OURS, "tuned").items() if key[1] in ("none", "additive")}
    colours = {"none": "#0072b2", "additive": "#e69f00"}
    for row, peer in enumerate(reversed(PEERS)):
        them = pick(cells, peer, "tuned")
        for (_, noise, _), ratio in ratios(ours, them).items():
            shift = 0.14 if noise == "none" else -0.14
            axes.plot(1 / ratio, row + shift, "o", color=colours[noise], alpha=0.55, markersize=5, markeredgewidth=0)
        mean, low, high = with_interval(ours, them)
        axes.errorbar(mean, row, xerr=[[mean - low], [high - mean]], fmt="D", color="black", capsize=3, markersize=5)
        axes.annotate(f"{mean:.2f}", (mean, row), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=8)
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.set_yticks(range(len(PEERS)), list(reversed(PEERS)))
    axes.set_xlabel("queries of the method over those of zo.recommended (every step tuned)")
    handles = [axes.plot([], [], "o", color=colour, label=name)[0] for name, colour in colours.items()]
    axes.legend(handles, ["no noise", "additive noise"], loc="lower right", frameon=False, fontsize=8)
    figure.savefig(file, dpi=130)
