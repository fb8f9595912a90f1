"""From the folders that ``train``, ``demo``, ``evaluate`` and ``compare`` leave to the data of a page; asks nothing."""

from __future__ import annotations

import csv
import json
import math
import re
import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import zoopt_mo as zo
from privacy_mllm.compare import Scale
from privacy_mllm.config import TrainConfig
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.report.model import BillRow, Entry, Method, Setting
from privacy_mllm.runs import LEDGER, Run
from privacy_mllm.summaries import Spread

Json = Mapping[str, Any]

COLUMNS = {
    "action": ("action", "right answers to the main question, %"),
    "all": ("all", "right answers, the mean over all questions, %"),
    "frozen": (
        "frozen",
        "leakage to the reviewer that saw raw pictures only (cMAP, %), the paper's measure; it flatters",
    ),
    "attacker": ("attacker", "leakage to the strongest attacker trained on the method's own pictures (cMAP, %)"),
    "worst": ("worst", "the attribute that leaks most, above chance, % of what there is"),
    "weighted": ("weighted", "leakage above chance, weighted by severity, %"),
    "bits": ("bits", "bits of all attributes that the strongest attacker learns from a clip"),
    "reidentified": ("person", "clips whose nearest other clip shows the same person, %"),
    "calls": ("calls", "black-box calls of the training, for each clip asked about"),
}
"""Columns of the table: heading and meaning. One that no method has a figure for is left out."""

_SECRET_PARTS = re.compile(r"(https?://)(?:[^/\s@]*@)?([^\s?#]*)(?:[?#]\S*)?")


def gather(folder: Path) -> Entry:
    """Everything that a folder tells without its networks.

    Args:
        folder: A run, or the output of ``compare``.

    Raises:
        FileNotFoundError: If it is neither.
    """
    if (folder / "about.json").is_file():
        return _gather_comparison(folder)
    if (folder / "config.json").is_file():
        return _gather_run(folder)
    raise FileNotFoundError(f"{folder} is neither a run nor a comparison: it has no config.json or about.json.")


def distinct(entries: Sequence[Entry]) -> list[Entry]:
    """The same entries, no two with the same name."""
    seen: dict[str, int] = {}
    found = []
    for entry in entries:
        seen[entry.name] = seen.get(entry.name, 0) + 1
        count = seen[entry.name]
        found.append(entry if count == 1 else replace(entry, name=f"{entry.name} ({count})"))
    return found


def column_names(entries: Iterable[Entry]) -> list[str]:
    """The columns that some method has a figure for, in the order of the table."""
    known = {name for entry in entries for method in entry.methods for name in method.values}
    return [name for name in COLUMNS if name in known]


def without_secrets(text: str) -> str:
    """A text whose addresses have lost user, password, query and fragment, where keys may stand."""
    return _SECRET_PARTS.sub(r"\1\2", text)


def _gather_run(folder: Path) -> Entry:
    about = _read(folder / "config.json")
    table = _read(folder / "results.json") if (folder / "results.json").is_file() else {"rows": [], "blind_cmap": None}
    steps = Run(folder).read_metrics() if (folder / "metrics.jsonl").is_file() else []
    return Entry(
        name=folder.resolve().name,
        is_comparison=False,
        command=without_secrets(shlex.join(about.get("command", []))),
        settings=(*_settings(TrainConfig, about["config"]), *_settings(OracleConfig, about.get("oracle", {}))),
        versions=about.get("versions", {}),
        methods=tuple(_method(row["method"], [row]) for row in table["rows"]),
        blind=table["blind_cmap"],
        steps=tuple(steps),
        bill=_bill(folder / LEDGER),
    )


def _gather_comparison(folder: Path) -> Entry:
    about = _read(folder / "about.json")
    rows = [_read(file) for file in sorted((folder / "rows").glob("*.json"))]
    methods: dict[str, list[Json]] = {name: [] for name in _order(folder / "table.csv")}
    for row in rows:
        methods.setdefault(row["method"], []).append(row)
    chances = [statistics.fmean(row["chance"].values()) for row in rows if row.get("chance")]
    scale = {name: value for name, value in about["scale"].items() if value is not None}
    seeds = max((len(of_method) for of_method in methods.values()), default=0)
    settings = (*_settings(TrainConfig, about["config"]), *_settings(OracleConfig, about.get("oracle", {})))
    quick = about["scale"].get("clips") != Scale().clips
    command = shlex.join(about.get("command", [])) or _comparison_command(folder, seeds, settings, quick=quick)
    return Entry(
        name=folder.resolve().name,
        is_comparison=True,
        command=without_secrets(command),
        settings=(
            *(Setting(f"scale: {name}", str(value), changed=False, help="") for name, value in scale.items()),
            *settings,
        ),
        versions={},
        methods=tuple(_method(name, found) for name, found in methods.items() if found),
        blind=chances[0] if chances else None,
        bill=_bill(folder / LEDGER),
    )


def _comparison_command(folder: Path, seeds: int, settings: Iterable[Setting], *, quick: bool) -> str:
    """The command that makes such a comparison, of an earlier version that did not keep the one that was typed."""
    words = ["privacy-mllm", "compare", *(["--quick"] if quick else []), "--seeds", str(seeds), "-o", folder.name]
    for setting in settings:
        if setting.changed:
            words += [f"--{setting.name.replace('_', '-')}", *([] if setting.value == "True" else [setting.value])]
    return shlex.join(words)


def _read(file: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(file.read_text(encoding="utf-8"))


def _order(table: Path) -> list[str]:
    """The methods in the order of the written table, if there is one."""
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as stream:
        return [row["method"] for row in csv.DictReader(stream)]


def _settings(kind: type[TrainConfig | OracleConfig], values: Json) -> list[Setting]:
    """The settings in the order of their class; those of another version come last."""
    known = {entry.name: entry for entry in fields(kind)}
    names = [name for name in known if name in values] + [name for name in values if name not in known]
    return [
        Setting(
            name=name,
            value=without_secrets(str(values[name])),
            changed=name in known and values[name] != known[name].default,
            help=known[name].metadata["help"] if name in known else "",
        )
        for name in names
    ]


def _method(name: str, rows: Sequence[Json]) -> Method:
    """One method from its rows, one a seed."""
    figures = {
        "action": [row["action"] for row in rows],
        "all": [_mean(row["answers"].values()) for row in rows],
        "frozen": [row["frozen_cmap"] for row in rows],
        "attacker": [row["attacker_cmap"] for row in rows],
        "worst": [row.get("worst_above") for row in rows],
        "weighted": [row.get("weighted") for row in rows],
        "bits": [sum(row["bits"].values()) if row.get("bits") else None for row in rows],
        "reidentified": [row.get("reidentified") for row in rows],
        "calls": [row.get("calls_per_sample", 0.0) for row in rows],
    }
    return Method(name, values=_values(figures), answers=_parts(rows, "answers"), attributes=_parts(rows, "attacker"))


def _parts(rows: Sequence[Json], key: str) -> dict[str, Spread]:
    return _values({name: [row[key].get(name) for row in rows] for name in rows[0][key]})


def _values(figures: Mapping[str, Sequence[float | None]]) -> dict[str, Spread]:
    """The spread of each figure over seeds; what no seed knows is left out."""
    found = {}
    for name, over_seeds in figures.items():
        known = [value for value in over_seeds if value is not None and math.isfinite(value)]
        if known:
            found[name] = Spread.of(known)
    return found


def _mean(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if not known or None in known else statistics.fmean(value for value in known if value is not None)


def _bill(ledger: Path) -> tuple[BillRow, ...]:
    """What was asked, by purpose."""
    if not ledger.is_file():
        return ()
    with zo.LedgerReader(ledger) as reader:
        return tuple(
            BillRow(
                purpose=line.group,
                calls=line.queries,
                reused=line.reused,
                failed=line.failed,
                tokens=line.tokens_in + line.tokens_out,
                price=line.cost,
                seconds=line.seconds / max(1, line.queries - line.reused),
            )
            for line in reader.bill()
        )
