"""What a report says, read back from its data and its file; how it looks is tested in a browser elsewhere."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from privacy_mllm.asking import Desk, Question
from privacy_mllm.cli import main
from privacy_mllm.data.clips import all_questions
from privacy_mllm.data.folder import export_clips
from privacy_mllm.data.sources import candidates_of
from privacy_mllm.data.world import render_clips
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.oracles.settings import OracleConfig, open_oracle
from privacy_mllm.report import charts, write_report
from privacy_mllm.report.examples import add_examples, to_data_uri, to_reply
from privacy_mllm.report.gather import column_names, distinct, gather, without_secrets
from privacy_mllm.report.model import Entry, Reply
from privacy_mllm.report.page import group_examples, number_methods, to_html
from privacy_mllm.report.scales import Scale, round_ticks, running_mean, thinned
from privacy_mllm.runs import Run, load_anonymizer
from privacy_mllm.summaries import Spread
from tests.app.fault_server import KEY, MODEL, running_service
from tests.app.report_runs import BLIND, FIGURES, TINY, make_comparison, make_run, read_records

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_comparison(tmp_path_factory.mktemp("comparisons") / "compare")


@pytest.fixture(scope="module")
def entry(run: Path) -> Entry:
    return add_examples(gather(run), run, count=3)


def pixels_of(address: str) -> np.ndarray:
    assert address.startswith("data:image/webp;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


# --- scales ----------------------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(1, 12))
def test_round_ticks_enclose_the_range_and_are_evenly_apart(first: float, second: float, count: int) -> None:
    low, high = min(first, second), max(first, second)
    ticks = round_ticks(low, high, count)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= high - 1e-6 * step
    assert 2 <= len(ticks) <= count + 3
    assert np.allclose(np.diff(ticks), step, rtol=1e-6)


def test_ticks_of_one_number_still_span_an_axis() -> None:
    assert round_ticks(3.0, 3.0, 3) == [3.0, 4.0]
    assert round_ticks(0.0, 1e-60, 3) == [0.0, 0.5]


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_a_range_that_is_none_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="`low` and `high` must be finite and in this order"):
        round_ticks(*bounds)


def test_a_scale_may_run_downwards() -> None:
    assert [Scale(0, 10, 100, 20)(number) for number in (0, 5, 10)] == [100, 60, 20]


def test_the_running_mean_leaves_out_what_is_not_known() -> None:
    assert running_mean([None, 2.0, None, 4.0, 6.0], window=3) == [None, 2.0, 2.0, 3.0, 5.0]


def test_long_series_are_thinned_to_their_ends() -> None:
    assert thinned(5) == [0, 1, 2, 3, 4]
    kept = thinned(10_000, most=100)
    assert (len(kept), kept[0], kept[-1]) == (100, 0, 9_999)


# --- what is gathered ------------------------------------------------------------------------------------------------


def test_a_run_is_gathered_whole(run: Path) -> None:
    entry = gather(run)
    assert entry.name == "first"
    assert [method.name for method in entry.methods] == list(FIGURES)
    assert entry.methods[2].values["action"] == Spread(45.0, 45.0, 45.0)
    assert entry.methods[2].values["all"].mean == 46.5
    assert entry.blind == BLIND
    assert [record.calls for record in entry.steps] == [record["calls"] for record in read_records(run)]
    assert sum(line.calls for line in entry.bill) == entry.steps[-1].calls == 48


def test_settings_that_are_not_at_their_defaults_are_marked(run: Path) -> None:
    changed = {setting.name: setting.value for setting in gather(run).settings if setting.changed}
    assert changed == {
        "clips": "8",
        "pool": "8",
        "batch": "4",
        "privacy_batch": "4",
        "calls_per_sample": "6.0",
    }


def test_a_comparison_keeps_the_order_of_its_table_and_the_range_over_seeds(comparison: Path) -> None:
    entry = gather(comparison)
    assert [method.name for method in entry.methods] == ["ours", "black"]
    assert entry.methods[0].values["action"] == Spread(45.0, 40.0, 50.0)
    assert entry.command == "privacy-mllm compare --seeds 2 -o compare"


def test_a_run_that_was_not_judged_has_no_table_and_says_so(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "bare")
    (folder / "results.json").unlink()
    entry = gather(folder)
    assert entry.methods == ()
    page = to_html([entry])
    assert "Utility against leakage</h2>" not in page
    assert "privacy-mllm evaluate --run" in page


def test_a_folder_that_is_neither_is_refused_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 2
    assert "is neither a run nor a comparison" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_columns_without_any_figure_are_left_out(run: Path) -> None:
    entry = gather(run)
    assert column_names([entry]) == ["action", "all", "frozen", "attacker", "calls"]
    with_bits = replace(entry.methods[0], values={"bits": Spread(1.0, 1.0, 1.0)})
    assert "bits" in column_names([entry, replace(entry, methods=(with_bits,))])


def test_runs_of_the_same_name_are_told_apart(run: Path) -> None:
    entry = gather(run)
    assert [shown.name for shown in distinct([entry, entry, entry])] == ["first", "first (2)", "first (3)"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://me:secret@host/v1?key=secret#secret", "https://host/v1"),
        ("--base-url=http://secret@host:8000/v1 -x", "--base-url=http://host:8000/v1 -x"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("folder:/data?split=2", "folder:/data?split=2"),
    ],
)
def test_addresses_lose_what_may_be_a_key(text: str, kept: str) -> None:
    assert without_secrets(text) == kept


# --- drawings --------------------------------------------------------------------------------------------------------


def test_the_front_holds_what_no_other_method_beats(run: Path) -> None:
    entry = gather(run)
    points = charts.points_of([entry], number_methods([entry]))
    assert [point.label for point in charts.front_of(points)] == ["no query", "trained", "raw"]


def test_every_point_leads_to_its_row_and_names_itself(run: Path) -> None:
    entry = gather(run)
    points = charts.points_of([entry], number_methods([entry]))
    drawing = ET.fromstring(charts.draw_trade_off(points, [BLIND]))
    links = drawing.findall("a")
    assert [link.get("href") for link in links] == [f"#method-{number}" for number in (1, 2, 3, 4)]
    assert links[2].get("aria-label") == "3: trained, 45.0 % right at 70.0 % leakage, not dominated"
    assert "not dominated" not in (links[3].get("aria-label") or "")


def test_curves_are_interrupted_where_nothing_is_known(run: Path) -> None:
    entry = gather(run)
    drawing = ET.fromstring(charts.draw_curve([entry], lambda record: record.cosine, title="cosine", y=(-1, 1)))
    line = next(path for path in drawing.findall("path") if "step" in (path.get("class") or ""))
    assert (line.get("d") or "").count("M") == 1
    assert (line.get("d") or "").count("L") == len(entry.steps) - 2  # the first step has no past


# --- examples --------------------------------------------------------------------------------------------------------


def test_examples_show_the_rendered_clips_exactly(entry: Entry) -> None:
    first = entry.examples[0]
    clips = render_clips("test", 100)
    raw = pixels_of(first.before or "")
    assert raw.shape == (128, 128, 3)
    upper_left = torch.from_numpy(raw[:64, :64].copy()).permute(2, 0, 1)
    assert any(torch.equal(upper_left, clip[0]) for clip in clips.frames)
    assert not np.array_equal(pixels_of(first.after), raw)


def test_examples_are_the_same_each_time(run: Path, entry: Entry) -> None:
    assert add_examples(gather(run), run, count=3).examples == entry.examples


def test_the_embedded_black_box_answers_with_a_probability(entry: Entry) -> None:
    for example in entry.examples:
        assert len(example.asked) == 4
        for asked in example.asked:
            for reply in (asked.before, asked.after):
                assert reply is not None
                assert reply.right == (reply.text in asked.accepted)
                assert reply.probability is not None
                assert 0 < reply.probability <= 1


def test_a_probability_is_the_share_among_the_candidates() -> None:
    answer = Answer("A dog", {"A dog": -1.0, "cat": -1.0 - float(np.log(3))})
    reply = to_reply(answer, ("dog",))
    assert (reply.text, reply.right) == ("A dog", True)
    assert reply.probability == pytest.approx(0.75)
    assert to_reply(Answer("cat"), ("dog",)) == Reply("cat", right=False, probability=None)


def test_frames_that_fill_no_row_leave_black(entry: Entry) -> None:
    frames = torch.full((3, 3, 8, 8), 200, dtype=torch.uint8)
    pixels = pixels_of(to_data_uri(frames, 2))
    assert pixels.shape == (16, 16, 3)
    assert int(pixels[8:, 8:].max()) == 0
    assert int(pixels[:8].min()) == 200


def test_large_pictures_are_shrunk() -> None:
    frames = torch.randint(256, (1, 3, 640, 480), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert pixels_of(to_data_uri(frames, 1)).shape == (320, 240, 3)


def test_raw_pictures_of_other_data_stay_out_unless_asked_for(run: Path, tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        export_clips(render_clips(split, 8), tmp_path / "data", split=split, append=split != "train")
    folder = shutil.copytree(run, tmp_path / "run")
    about = json.loads((folder / "config.json").read_text())
    about["config"]["data"] = f"folder:{tmp_path / 'data'}"
    (folder / "config.json").write_text(json.dumps(about))
    kept, shown = (add_examples(gather(folder), folder, with_raw=with_raw) for with_raw in (False, True))
    assert [example.before for example in kept.examples] == [None] * len(kept.examples) != []
    assert all(example.before for example in shown.examples)
    assert [example.after for example in kept.examples] == [example.after for example in shown.examples]
    page = to_html([kept])
    assert "--with-raw shows them" in page
    assert page.count("data:image/webp") == len(kept.examples)
    shutil.rmtree(tmp_path / "data")
    gone = add_examples(gather(folder), folder)
    assert gone.examples == ()
    assert gone.remark == "No pictures, because the data could not be read."


@pytest.mark.slow
def test_what_a_service_said_is_taken_from_the_ledger_and_never_asked_anew(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    folder = shutil.copytree(run, tmp_path / "paid")
    clips = render_clips("test", 100)
    question = all_questions(clips)[0]
    with running_service(tmp_path / "log.jsonl", "--model", MODEL) as service:
        settings = OracleConfig(oracle=f"openai:{MODEL}", base_url=service.url)
        Run(folder).write_config(TINY, settings)
        shown = NetworkAnonymizer(load_anonymizer(folder).network, "trained").anonymize(clips)
        oracle = open_oracle(settings, candidates_of("world"))
        with Run(folder).open_ledger() as ledger, Desk(oracle, ledger) as desk:
            questions = [Question(clip, question, clips.answers[row][question]) for row, clip in enumerate(shown[:50])]
            said = desk.answers(questions, name="judging trained")
    paid = (tmp_path / "log.jsonl").read_text()
    examples = add_examples(gather(folder), folder).examples  # the service is gone
    replies = [example.asked[0].after for example in examples]
    known = [reply.text for reply in replies if reply is not None]
    assert known != []
    assert set(known) <= set(said)
    assert len(known) < len(replies)  # the other half was never asked about
    assert all(example.asked[0].before is None and example.asked[1].after is None for example in examples)
    assert (tmp_path / "log.jsonl").read_text() == paid
    assert "not asked" in to_html([replace(gather(folder), examples=examples)])
    assert KEY not in to_html([replace(gather(folder), examples=examples)])


def test_the_same_clip_of_two_runs_stands_side_by_side(entry: Entry) -> None:
    other = replace(entry, name="second")
    groups = group_examples([entry, other])
    assert [[of.name for of, _ in shown] for _, shown in groups] == [["first", "second"]] * 3


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_command_writes_one_small_file_that_asks_for_nothing(
    run: Path, comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "deep" / "report.html"
    assert main(["report", str(run), str(comparison), "-o", str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    page = file.read_text(encoding="utf-8")
    assert file.stat().st_size < 3_000_000
    addresses = re.findall(r'(?:src|href|action|url)\s*[=(]\s*"?([^")\s>]*)', page)
    assert {address.partition(":")[0] for address in addresses if not address.startswith("#")} == {"data"}
    assert f"privacy-mllm report {run} {comparison} -o {file}" in page


def test_names_from_outside_are_text_and_never_markup(entry: Entry) -> None:
    page = to_html([replace(entry, name='"><script>alert(1)</script>')])
    assert "<script>alert" not in page
    assert "<b>blur" not in page
    assert "&lt;b&gt;blur &amp; co&lt;/b&gt;" in page


def test_a_report_can_be_written_again(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_report([run], file)
    first = file.read_bytes()
    write_report([run], file)
    assert file.read_bytes() == first


def test_the_page_says_in_short_what_came_of_it(entry: Entry) -> None:
    page = to_html([entry])
    assert "45.0 (raw 93.0, without asking 10.0) are right" in page
    assert f"70.0 (raw 96.0, seeing nothing {BLIND})" in page
    assert str(TINY.calls_per_sample) in page
