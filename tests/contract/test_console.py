"""Promises of the command ``zoopt-mo``: true sums, whole exports, clear errors, no harm to a run."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoopt_mo as zo
from zoopt_mo.console import main
from zoopt_mo.ledger import Entry, Place


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two runs with a failure, a reused answer and a bill."""
    path = tmp_path / "queries.sqlite"
    usage = zo.Usage(attempts=2, tokens_in=100, tokens_out=7, cost=0.125)
    with zo.Ledger(path, run="first") as first:
        first.record(Entry(Place("utility", 0, 0), "a", {"text": 'a "cat",\nor two'}, 0.5, usage=usage, latency=1.0))
        first.record(Entry(Place("utility", 0, 1), "b", error="TimeoutError: slow", usage=usage, latency=3.0))
        first.record(Entry(Place("privacy", 0, 0), "c", 0.25, 0.25, usage=zo.Usage(attempts=0)))
    with zo.Ledger(path, run="second") as second:
        second.record(Entry(Place("utility", 0, 0), "a", {"text": "dog"}, 1.5, usage=usage, latency=2.0))
    return path


def table(text: str) -> list[list[str]]:
    """The cells of the lines; no cell of these tests has two spaces."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


HEADER = ["queries", "reused", "failed", "attempts", "tokens in", "tokens out", "cost", "mean s"]


def test_show_sums_up_by_objective(ledger, capsys):
    assert main(["ledger", "show", str(ledger)]) == 0
    text = capsys.readouterr().out
    assert table(text) == [
        ["objective", *HEADER],
        ["utility", "3", "0", "1", "6", "300", "21", "0.3750", "2.000"],
        ["privacy", "1", "1", "0", "0", "0", "0", "0.0000", "-"],
        ["total", "4", "1", "1", "6", "300", "21", "0.3750", "2.000"],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1  # aligned


@pytest.mark.parametrize("by", ["run", "step", "hour", "objective"])
def test_show_has_a_line_for_each_group_and_the_same_total(ledger, capsys, by):
    assert main(["ledger", "show", str(ledger), "--by", by]) == 0
    rows = table(capsys.readouterr().out)
    with zo.LedgerReader(ledger) as reader:
        assert [row[0] for row in rows[1:-1]] == [line.group for line in reader.bill(by)]
    assert rows[-1] == ["total", "4", "1", "1", "6", "300", "21", "0.3750", "2.000"]


def test_show_of_one_run_leaves_the_others_out(ledger, capsys):
    assert main(["ledger", "show", str(ledger), "--run", "second", "--by", "run"]) == 0
    assert [row[:2] for row in table(capsys.readouterr().out)[1:]] == [["second", "1"], ["total", "1"]]


def test_an_empty_ledger_shows_nothing_spent(tmp_path, capsys):
    zo.Ledger(tmp_path / "queries.sqlite", run="first").close()
    assert main(["ledger", "show", str(tmp_path / "queries.sqlite")]) == 0
    assert table(capsys.readouterr().out)[1:] == [["total", "0", "0", "0", "0", "0", "0", "0.0000", "-"]]


def test_names_cannot_move_the_cursor(tmp_path, capsys):
    path = tmp_path / "queries.sqlite"
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(Entry(Place("\x1b[2Jf\n", 0, 0), "a", 0.5, 0.5))
    assert main(["ledger", "show", str(path)]) == 0
    assert table(capsys.readouterr().out)[1][0] == "?[2Jf?"


def test_export_writes_every_row_as_csv_or_json(ledger, tmp_path, capsys):
    with zo.LedgerReader(ledger) as reader:
        rows = list(reader.rows())
    assert main(["ledger", "export", str(ledger)]) == 0
    printed = capsys.readouterr().out
    for name in ("all.csv", "all.jsonl"):
        assert main(["ledger", "export", str(ledger), "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "all.csv").read_bytes().decode() == printed
    as_text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert list(csv.DictReader(io.StringIO(printed))) == as_text
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [line.pop("reply") for line in lines] == [{"text": 'a "cat",\nor two'}, None, 0.25, {"text": "dog"}]
    assert lines == [{name: value for name, value in row.items() if name != "reply"} for row in rows]


def test_export_of_one_run_leaves_the_others_out(ledger, capsys):
    assert main(["ledger", "export", str(ledger), "--run", "second"]) == 0
    assert [row["run"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))] == ["second"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "missing.sqlite"], "There is no ledger at missing.sqlite."),
        (["show", "LEDGER", "--run", "third"], "`run` must be one of ['first', 'second'], got 'third'."),
        (["export", "LEDGER", "--run", "third"], "`run` must be one of ['first', 'second'], got 'third'."),
        (["export", "LEDGER", "-o", "all.txt"], "`--output` must end in .csv or .jsonl, got 'all.txt'."),
        (["export", "LEDGER", "-o", "no/such/folder.csv"], "No such file or directory: 'no/such/folder.csv'"),
        (["show", "text"], "`path` must be a ledger, but text: file is not a database."),
    ],
)
def test_an_error_is_one_clear_line(ledger, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("step = 3\n" * 100)
    assert main(["ledger", *(str(ledger) if word == "LEDGER" else word for word in arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("zoopt-mo: error: ")
    assert printed.err.endswith(f"{words}\n")
    assert printed.err.count("\n") == 1
    assert {found.name for found in Path.cwd().iterdir() if not found.name.startswith(ledger.name)} == {"text"}


@pytest.mark.parametrize("arguments", [[], ["ledger"], ["ledger", "show"], ["ledger", "show", "x", "--by", "day"]])
def test_wrong_use_is_explained(capsys, arguments):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    assert "usage: zoopt-mo" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["ledger", "--help"], ["ledger", "export", "--help"]])
def test_help_is_given(capsys, arguments):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(arguments)
    assert "usage: zoopt-mo" in capsys.readouterr().out


COMMAND = [sys.executable, "-c", "import sys; from zoopt_mo.console import main; sys.exit(main())", "ledger"]


def test_a_run_that_is_being_written_is_read_and_not_disturbed(ledger):
    with zo.Ledger(ledger, run="first") as writer:
        for step in range(1, 4):
            writer.record(Entry(Place("utility", step, 0), "d", 0.5, 0.5))
            done = subprocess.run([*COMMAND, "show", str(ledger)], capture_output=True, text=True, check=True)
            assert table(done.stdout)[-1][:2] == ["total", str(4 + step)]


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    path = tmp_path / "queries.sqlite"
    with zo.Ledger(path, run="first") as ledger:
        for step in range(3000):
            ledger.record(Entry(Place("f", step, 0), "a", 0.5, 0.5))
    with subprocess.Popen([*COMMAND, "export", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.readline().startswith(b"run,id,objective")
        command.stdout.close()
        assert command.stderr.read() == b""
    assert command.returncode == 0
