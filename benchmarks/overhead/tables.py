"""The report in Markdown, which ``docs/performance.md`` includes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.overhead.rows import Row

NAMES = {
    "spsa": "SPSA",
    "critical_history": "SPSA with a critical history",
    "recommended": "`zo.recommended(mixed=True)`",
    "recommended_block": "`zo.recommended`",
    "spsa_new_grad": "`zo.SPSA`, new `.grad` each step",
    "mezo_loop": "MeZO's loop",
    "torchzero_spsa": "torchzero SPSA",
    "torchzero_mezo": "torchzero MeZO",
    "nevergrad_spsa": "nevergrad SPSA",
    "pycma_separable": "pycma sep-CMA-ES",
    "qiskit_spsa": "qiskit SPSA",
}
Text = Callable[[Row], str]


def report(rows: Sequence[Row], *, command: str, commit: str, machine: str, import_seconds: float) -> str:
    """All tables, each under a heading.

    Args:
        rows: What was measured.
        command: What measured it.
        commit: Of what.
        machine: On what.
        import_seconds: Time of ``import zoopt_mo`` after ``import torch``.
    """
    parts = [
        f"`{command}`, commit {commit}, on {machine}.",
        "### Passes of a step\n\nIn brackets: of a query.",
        _grid(_of(rows, "passes"), _name, _setting, _passes),
        "### Other types of parameters\n\nIn passes over parameters of the same type.",
        _grid(_of(rows, "dtypes"), _name, lambda row: f"{row.dtype}, {_power(row.p)}", _passes),
        "### Memory\n\nIn megabytes. Beyond the copy: neither theta, nor `.grad`, nor one copy of theta.",
        _memory(rows),
        "### With the length of the history",
        _grid(_of(rows, "history"), _name, lambda row: f"m = {row.count}", _passes),
        "### With the number of pairs",
        _grid(_of(rows, "probes"), _name, lambda row: f"q = {row.count}", _passes),
        "### Parts of a step\n\nIn passes, each part called by itself; `backward` calls the same.",
        _grid(_of(rows, "parts"), lambda row: str(row.part), _name, lambda row: _number(row.passes)),
        f"### Processor microseconds at {_power(_first_size(rows, 'small'))}\n\nIn brackets: of a query.",
        _grid(_of(rows, "small"), _name, lambda _: "step", _microseconds),
    ]
    if _of(rows, "huge"):
        parts += [
            f"### At {_power(_first_size(rows, 'huge'))}",
            _grid(_of(rows, "huge"), _name, lambda row: f"passes, {_threads(row)}", _passes),
        ]
    return "\n\n".join([*parts, f"`import zoopt_mo` after `import torch`: {import_seconds:.3f} s."]) + "\n"


def _memory(rows: Sequence[Row]) -> str:
    largest = max(row.p for row in rows if row.section == "passes")
    weighed = [row for row in rows if row.peak_mb is not None and row.p == largest and row.section != "huge"]
    lines = [
        f"| {_power(largest)} | peak above theta and `.grad` | beyond the copy | bytes a slot |",
        "|---|---|---|---|",
    ]
    for row in weighed:
        slot = "" if row.slot_bytes is None else f"{row.slot_bytes:,.0f}"
        lines.append(f"| {_name(row)} | {_number(row.peak_mb)} | {_number(row.extra_mb)} | {slot} |")
    return "\n".join(lines)


def _grid(rows: Sequence[Row], line: Text, column: Text, cell: Text) -> str:
    """A table of ``cell`` by ``line`` and ``column``, both in the order in which they turn up."""
    lines, columns = list(dict.fromkeys(map(line, rows))), list(dict.fromkeys(map(column, rows)))
    cells = {(line(row), column(row)): cell(row) for row in rows}
    head = ["| | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    body = ["| " + " | ".join([name, *(cells.get((name, title), "") for title in columns)]) + " |" for name in lines]
    return "\n".join(head + body)


def _of(rows: Sequence[Row], section: str) -> list[Row]:
    return [row for row in rows if row.section == section]


def _first_size(rows: Sequence[Row], section: str) -> int:
    return _of(rows, section)[0].p


def _name(row: Row) -> str:
    return NAMES[row.method]


def _setting(row: Row) -> str:
    return f"{_power(row.p)}, {_threads(row)}"


def _threads(row: Row) -> str:
    return f"{row.threads} thread{'s' if row.threads > 1 else ''}"


def _power(p: int) -> str:
    """``p = 10^7`` where it is a power of ten."""
    zeros = len(str(p)) - 1
    return f"p = 10^{zeros}" if p == 10**zeros and zeros > 2 else f"p = {p}"


def _passes(row: Row) -> str:
    if row.passes is None:
        return _note(row)
    return f"{_number(row.passes)} ({_number(row.passes / (row.queries or 1))})"


def _microseconds(row: Row) -> str:
    if row.microseconds is None:
        return _note(row)
    return f"{_number(row.microseconds)} ({_number(row.microseconds / (row.queries or 1))})"


def _note(row: Row) -> str:
    """The reason without its details, which are in the csv file."""
    return (row.note or "").partition(" (")[0]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
