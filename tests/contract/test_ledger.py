"""Promises of the ledger: every answer is kept at once, given back to the query that asked it, and billed truly."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoopt_mo as zo
from zoopt_mo.ledger import Entry, Place
from zoopt_mo.ledger import _schema as schema

# Root may write anything; nobody may not.
AS_NOBODY = """
import os, sys, zoopt_mo as zo
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queries.sqlite"


def answer(step: int, value: float = 1.0, *, probe: int = 0, objective: str = "f", key: str = "k", **fields) -> Entry:
    return Entry(Place(objective, step, probe), key, reply=value, value=value, **fields)


def failure(step: int, *, probe: int = 0, objective: str = "f", key: str = "k", **fields) -> Entry:
    return Entry(Place(objective, step, probe), key, error="TimeoutError: slow", **fields)


def rows_of(path: Path, run: str | None = None) -> list[dict[str, Any]]:
    with zo.LedgerReader(path) as reader:
        return list(reader.rows(run=run))


def child(program: str, *args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_a_row_holds_all_of_a_query(path):
    usage = zo.Usage(attempts=3, tokens_in=10, tokens_out=2, cost=0.125)
    entry = Entry(Place("utility", 4, 1, 2), "abc", {"text": "cat"}, 0.1 + 0.2, None, usage, 1.5, 2**64 - 1, 0.01)
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(entry)
        assert ledger.recall(entry.place, "abc") == entry
    (row,) = rows_of(path)
    assert row.pop("time") > 1.7e9
    assert row == {
        "run": "first",
        "id": 1,
        "objective": "utility",
        "step": 4,
        "probe": 1,
        "item": 2,
        "key": "abc",
        "seed": str(2**64 - 1),
        "radius": 0.01,
        "value": 0.30000000000000004,
        "reply": '{"text": "cat"}',
        "error": None,
        "void": None,
        "attempts": 3,
        "latency": 1.5,
        "tokens_in": 10,
        "tokens_out": 2,
        "cost": 0.125,
    }


@pytest.mark.parametrize("value", [-0.0, 5e-324, 1.7976931348623157e308, 1 / 3, -1e-7])
def test_a_loss_comes_back_to_the_last_bit(path, value):
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(answer(0, value))
    with zo.Ledger(path, run="first") as ledger:
        back = ledger.recall(Place("f", 0, 0), "k")
    assert back is not None
    assert np.float64(back.reply).tobytes() == np.float64(value).tobytes()


def test_every_query_has_its_own_place(path):
    places = [Place(f, s, p, i) for f in "fg" for s in (0, 1) for p in (-1, 0, 1) for i in (0, 1)]
    with zo.Ledger(path, run="first") as ledger, zo.Ledger(path, run="second") as other:
        for number, place in enumerate(places):
            ledger.record(Entry(place, "k", reply=float(number), value=float(number)))
        found = [ledger.recall(place, "k") for place in places]
        assert [entry.value for entry in found if entry is not None] == list(range(len(places)))
        assert [other.recall(place, "k") for place in places] == [None] * len(places)
        assert ledger.recall(Place("f", 2, 0), "k") is None


def test_another_question_at_the_same_place_is_refused(path):
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(answer(3, probe=1, key="asked"))
        words = (
            r"^`run` 'first' of .* must be gone on with as it was begun, but 'f' asks something else at step 3, probe 1"
        )
        with pytest.raises(ValueError, match=words):
            ledger.recall(Place("f", 3, 1), "another")


def test_an_answer_to_the_same_question_is_found_wherever_it_was_asked_but_no_failure(path):
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(failure(0, key="asked"))
    with zo.Ledger(path, run="second") as ledger:
        assert ledger.lookup("asked") is None
        ledger.record(answer(7, 2.5, objective="g", key="asked"))
    with zo.Ledger(path, run="third") as ledger:
        found = ledger.lookup("asked")
        assert found is not None
        assert (found.place, found.value) == (Place("g", 7, 0), 2.5)


# --- giving up -------------------------------------------------------------------------------------------------------


def test_what_was_given_up_fails_no_more_and_binds_no_more_but_answers_are_of_use(path):
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(answer(1, key="before"))
        ledger.record(failure(2, probe=0, key="failed"))
        ledger.record(answer(2, 5.0, probe=1, key="answered"))
        ledger.record(answer(3, 6.0, key="after"))
        ledger.record(answer(3, 7.0, objective="g", key="other"))
        ledger.void("f", 2)
        assert ledger.recall(Place("f", 2, 0), "failed") is None  # asked again
        kept = ledger.recall(Place("f", 2, 1), "answered")
        assert kept is not None
        assert (kept.value, kept.void) == (5.0, True)
        assert ledger.recall(Place("f", 3, 0), "something else") is None  # no mismatch
        untouched = ledger.recall(Place("g", 3, 0), "other")
        assert untouched is not None
        assert not untouched.void
        with pytest.raises(ValueError, match="asks something else at step 1, probe 0"):
            ledger.recall(Place("f", 1, 0), "something else")


def test_what_was_given_up_is_counted_by_round(path):
    with zo.Ledger(path, run="first") as ledger:
        for step in range(5):
            ledger.record(failure(step, usage=zo.Usage(cost=0.5)))
            ledger.record(failure(step, probe=1, usage=zo.Usage(attempts=0)))
        ledger.void("f", 3)
        assert [ledger.given_up("f", step) for step in range(5)] == [(0, 0), (0, 0), (0, 0), (2, 1.0), (2, 1.0)]
        ledger.void("f", 1)  # more was given up
        ledger.void("f", 2)
        assert [ledger.given_up("f", step) for step in range(5)] == [(0, 0), (4, 2.0), (4, 2.0), (4, 2.0), (4, 2.0)]
        assert ledger.given_up("g", 5) == (0, 0)


def test_a_query_asked_again_after_giving_up_binds_again(path):
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(failure(0, key="old"))
        ledger.void("f", 0)
        ledger.record(answer(0, 3.0, key="new"))
        found = ledger.recall(Place("f", 0, 0), "new")
        assert found is not None
        assert found.value == 3.0
        with pytest.raises(ValueError, match="asks something else at step 0"):
            ledger.recall(Place("f", 0, 0), "old")


# --- files that are refused ------------------------------------------------------------------------------------------


def test_other_settings_are_named(path):
    with zo.Ledger(path, run="first", about={"model": "a", "lr": 0.1}):
        pass
    with zo.Ledger(path, run="first", about={"lr": 0.1, "model": "a"}), zo.Ledger(path, run="second"):
        pass
    words = r"^`about` must be as when run 'first' of .* was begun; 'model' was 'a' and is 'b'\.$"
    with pytest.raises(ValueError, match=words):
        zo.Ledger(path, run="first", about={"model": "b", "lr": 0.1})
    with zo.Ledger(path, run="first", about={"model": "a", "lr": 0.1}):  # the refusal let go of the run
        pass


@pytest.mark.parametrize("run", ["", None, 3])
def test_a_run_needs_a_name(path, run):
    with pytest.raises(ValueError, match=r"^`run` must be a name, got "):
        zo.Ledger(path, run=run)
    with pytest.raises(TypeError, match=r"^`about` must hold what JSON can hold: Object of type set"):
        zo.Ledger(path, run="first", about={"model": {1}})
    assert not path.exists()


@pytest.mark.parametrize("run", ["a/b", "../up", "x" * 500, "Ä ö\n", "a", "A"])
def test_a_run_may_have_any_name(path, run):
    with zo.Ledger(path, run=run) as ledger:
        ledger.record(answer(0))
    assert [row["run"] for row in rows_of(path, run)] == [run]
    assert {found.parent for found in path.parent.rglob("*")} == {path.parent}


def foreign_files(path: Path) -> Iterator[tuple[str, str]]:
    path.write_text("step = 3\n" * 200)
    yield "text", r"file is not a database"
    path.write_bytes(b"")
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE things (name TEXT)")
    other.close()
    yield "another program's", r"is another program's database"
    path.unlink()
    with zo.Ledger(path, run="first"):
        pass
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 2")
    other.close()
    yield "a later version", r"must be a ledger of version 1, but .* is of version 2"
    path.unlink()
    path.mkdir()
    yield "a folder", r"unable to open database file"


def test_other_files_are_refused_and_left_as_they_are(path):
    for name, words in foreign_files(path):
        content = path.read_bytes() if path.is_file() else b""
        with pytest.raises(ValueError, match=words):
            zo.Ledger(path, run="first")
        assert (path.read_bytes() if path.is_file() else b"") == content, name
        expected = FileNotFoundError if path.is_dir() else ValueError
        with pytest.raises(expected, match=r"." if path.is_dir() else words):
            zo.LedgerReader(path)


def test_a_missing_folder_or_file_is_named(path):
    with pytest.raises(ValueError, match=r"^`path` must lie in a folder that exists, got "):
        zo.Ledger(path / "deeper.sqlite", run="first")
    with pytest.raises(FileNotFoundError, match=r"^There is no ledger at "):
        zo.LedgerReader(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no such table: queries"):
        zo.LedgerReader(path)


OPEN_OR_SAY = """
try:
    zo.Ledger(sys.argv[1], run="first").close()
except ValueError as error:
    print(error)
"""
READ = """
with zo.LedgerReader(sys.argv[1]) as reader:
    print(len(list(reader.rows())))
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_cannot_be_written_is_refused_and_can_be_read(path, what):
    with zo.Ledger(path, run="first") as ledger:
        ledger.record(answer(0))
    for folder in path.parents:  # pytest makes its folders for one user
        if "pytest" in str(folder):
            folder.chmod(0o755)
    path.chmod(0o444 if what == "file" else 0o666)
    path.parent.chmod(0o777 if what == "file" else 0o555)
    try:
        refused, read = child(AS_NOBODY + OPEN_OR_SAY, path), child(AS_NOBODY + READ, path)
    finally:
        path.parent.chmod(stat.S_IRWXU)
    assert refused.stdout.startswith("`path` must be a ledger that can be written, but "), refused
    assert read.stdout == "1\n", read.stderr


def test_no_run_begins_on_a_disk_that_is_nearly_full(path, monkeypatch):
    usage = shutil.disk_usage(path.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=(16 << 20) - 1))
    with pytest.raises(ValueError, match=r"^`path` must lie on a disk with 16 MiB free, got 15 MiB at "):
        zo.Ledger(path, run="first")
    assert not path.exists()


FULL = """
    import resource, sys, zoopt_mo as zo
    calls = 0
    def judge(payloads):
        global calls
        calls += len(payloads)
        return [1.0 for _ in payloads]
    ledger = zo.Ledger(sys.argv[1], run="first")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    try:
        for step in range(10_000):
            zo.ask(judge, [step], name="f", step=step, queries=zo.QueryPolicy(ledger=ledger))
    except RuntimeError as error:
        print(calls, error)
"""


def test_a_disk_that_fills_up_ends_the_run_and_keeps_what_was_written(path):
    done = child(FULL, path)
    calls, _, words = done.stdout.partition(" ")
    assert words.startswith(f"The ledger {path} cannot be written: "), done
    assert words.endswith("The run stops here.\n")
    rows = rows_of(path)
    assert [row["step"] for row in rows] == list(range(int(calls) - 1))
    assert len(rows) > 20


# --- processes and threads -------------------------------------------------------------------------------------------

HOLD = """
    import sys, zoopt_mo as zo
    ledger = zo.Ledger(sys.argv[1], run=sys.argv[2])
    print("open", flush=True)
    sys.stdin.readline()
"""


def holder(path: Path, run: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(path), run]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_one_process_at_a_time_writes_a_run_and_its_end_lets_the_next(path):
    with holder(path, "first") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(RuntimeError, match=r"^Run 'first' of .* is being written already, perhaps by another"):
            zo.Ledger(path, run="first")
        with zo.Ledger(path, run="second") as ledger:  # other runs of the file may be written
            ledger.record(answer(0))
        other.send_signal(signal.SIGKILL)
    with zo.Ledger(path, run="first") as ledger:
        with pytest.raises(RuntimeError, match="is being written already"):
            zo.Ledger(path, run="first")
        ledger.record(answer(0))


WRITE = """
    import sys, zoopt_mo as zo
    from zoopt_mo.ledger import Entry, Place
    path, run, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with zo.Ledger(path, run=run) as ledger:
        for step in range(count):
            ledger.record(Entry(Place("f", step, 0), run, reply=float(step), value=float(step)))
"""


def test_several_processes_fill_one_new_file_at_once(path):
    command = [sys.executable, "-c", textwrap.dedent(WRITE), str(path)]
    writers = [subprocess.Popen([*command, f"run {number}", "300"], stderr=subprocess.PIPE) for number in range(4)]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors) == (0, b"")
    for number in range(4):
        assert [row["value"] for row in rows_of(path, f"run {number}")] == list(range(300))


ENDLESS = """
    import sys, zoopt_mo as zo
    from zoopt_mo.ledger import Entry, Place
    ledger = zo.Ledger(sys.argv[1], run="first")
    for step in range(10**9):
        ledger.record(Entry(Place("f", step, 0), "k", reply=float(step), value=float(step)))
        print(step, flush=True)
"""


def test_rows_survive_a_killed_process(path):
    command = [sys.executable, "-c", textwrap.dedent(ENDLESS), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.readlines()
    last = max(int(line) for line in told if line.endswith("\n"))
    steps = [row["step"] for row in rows_of(path)]
    assert steps == list(range(len(steps)))
    assert len(steps) in (last + 1, last + 2)  # the last one may be written and not yet told
    with zo.Ledger(path, run="first") as ledger:
        assert ledger.recall(Place("f", last, 0), "k") is not None


def test_threads_may_write_and_read_one_ledger(path):
    with zo.Ledger(path, run="first") as ledger:

        def write(objective: str) -> None:
            for step in range(100):
                ledger.record(answer(step, objective=objective))
                assert ledger.recall(Place(objective, step, 0), "k") is not None

        threads = [threading.Thread(target=write, args=(f"f{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(rows_of(path)) == 400


def test_a_ledger_is_read_while_it_is_written(path):
    with zo.Ledger(path, run="first") as ledger, zo.LedgerReader(path) as reader:
        for step in range(5):
            ledger.record(answer(step))
            assert [line.queries for line in reader.bill()] == [step + 1]


# --- privacy ---------------------------------------------------------------------------------------------------------


def test_no_file_ever_holds_a_payload(path):
    marker = b"PORTRAIT-7f3a"
    payloads = [
        *(marker, marker.decode(), [marker.decode(), {"deep": marker}], np.frombuffer(marker, dtype=np.uint8)),
        marker * 20_000,
    ]
    looked = 0
    with zo.Ledger(path, run="first") as ledger:
        for reuse in (False, True):
            policy = zo.QueryPolicy(ledger=ledger, reuse=reuse)
            asked = zo.ask(lambda payloads: [0.5 for _ in payloads], payloads, name=f"f {reuse}", queries=policy)
            assert asked.losses.tolist() == [0.5] * 5
        for file in path.parent.iterdir():
            looked += file.stat().st_size > 0
            content = file.read_bytes()
            assert marker not in content
            assert marker.hex().encode() not in content
    assert looked >= 2  # the file and what is written ahead of it


# --- bills -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def spent(path: Path) -> Path:
    """Two runs of two objectives, with failures and answers that were reused."""
    generator = np.random.default_rng(0)
    for run in ("first", "second"):
        with zo.Ledger(path, run=run) as ledger:
            for step in range(6):
                for objective in ("f", "g 1"):
                    attempts, tokens = int(generator.integers(0, 3)), int(generator.integers(0, 100))
                    usage = zo.Usage(attempts, tokens, 2 * tokens, 0.25 * attempts)
                    kind = failure if generator.random() < 0.3 else answer
                    ledger.record(kind(step, objective=objective, usage=usage, latency=0.5 * attempts))
    with sqlite3.connect(path) as connection:  # spread over hours
        connection.execute("UPDATE queries SET time = 1e9 + 1800 * id")
    connection.close()
    return path


GROUP_OF = {
    "run": lambda row: row["run"],
    "objective": lambda row: row["objective"],
    "step": lambda row: f"{row['objective']} {row['step']}",
}


@pytest.mark.parametrize("run", [None, "second"])
@pytest.mark.parametrize("by", ["run", "objective", "step", "hour"])
def test_a_bill_adds_up_to_the_rows(spent, by, run):
    rows = rows_of(spent, run)
    with zo.LedgerReader(spent) as reader:
        lines = reader.bill(by, run=run)
    expected = {
        "queries": len(rows),
        "reused": sum(row["attempts"] == 0 and row["error"] is None for row in rows),
        "failed": sum(row["error"] is not None for row in rows),
        "attempts": sum(row["attempts"] for row in rows),
        "tokens_in": sum(row["tokens_in"] for row in rows),
        "tokens_out": sum(row["tokens_out"] for row in rows),
        "cost": sum(row["cost"] for row in rows),
        "seconds": sum(row["latency"] for row in rows),
    }
    assert {name: sum(getattr(line, name) for line in lines) for name in expected} == expected
    assert len(lines) == len({line.group for line in lines})
    if by in GROUP_OF:
        found = [GROUP_OF[by](row) for row in rows]
        assert {line.group: line.queries for line in lines} == {group: found.count(group) for group in found}
    else:
        assert len(lines) in (len(rows) // 2, len(rows) // 2 + 1)
        assert all(line.group.endswith(":00") for line in lines)


def test_an_unknown_run_or_grouping_is_named(spent):
    with zo.LedgerReader(spent) as reader:
        assert reader.runs == ["first", "second"]
        with pytest.raises(ValueError, match=r"^`by` must be one of run, objective, step, hour, got 'day'\.$"):
            reader.bill("day")  # type: ignore[arg-type]
        for ask in (reader.bill, reader.rows):
            with pytest.raises(ValueError, match=r"^`run` must be one of \['first', 'second'\], got 'third'\.$"):
                ask(run="third")


def test_what_was_reused_or_given_up_is_in_the_bill_but_costs_nothing_twice(path):
    def judge(payloads: list[str]) -> list[Any]:
        return [zo.Reply(1.0, zo.Usage(cost=0.5)) for _ in payloads]

    for run in ("first", "second"):
        with zo.Ledger(path, run=run) as ledger:
            policy = zo.QueryPolicy(ledger=ledger, reuse=True)
            asked = zo.ask(judge, ["a", "b", "a"], name="f", queries=policy)
            assert asked.num_queries == (2 if run == "first" else 0)
    with zo.LedgerReader(path) as reader:
        lines = reader.bill("run")
    assert [(line.queries, line.reused, line.cost) for line in lines] == [(3, 1, 1.0), (3, 3, 0.0)]


def test_tables_are_as_the_code_that_reads_them_expects(path):
    """A change of the tables needs a new version, or older files are read wrongly."""
    with zo.Ledger(path, run="first"):
        pass
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(queries)")]
    connection.close()
    known = (
        "id run objective step probe item key seed radius value reply error void attempts latency tokens_in tokens_out "
        "cost time"
    )
    assert (schema.VERSION, " ".join(columns)) == (1, known)
