"""The commands as a user types them: real files in, real files out, and what they say when something is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import skimage.data
import torch
from PIL import Image

from privacy_mllm.cli import main
from privacy_mllm.data.folder import read_folder
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.runs import load_anonymizer

TINY = ["--pool", "8", "--batch", "4", "--privacy-batch", "4", "--calls-per-sample", "3"]
METHODS = [
    "raw",
    "downsample 2x",
    "downsample 4x",
    "frame difference",
    "SelectivePrivacy (detail)",
    "weak blur (box)",
    "strong blur (box)",
    "black (box)",
    "black (oracle silhouette)",
    "SelectivePrivacy (people)",
    "start",
    "no query",
    "trained",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one demo in miniature."""
    runs = tmp_path_factory.mktemp("runs")
    assert main(["demo", "--quick", "--runs", str(runs)]) == 0
    return runs / "demo"


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photograph, taken upright and stored turned, as telephones do."""
    file = tmp_path_factory.mktemp("photos") / "astronaut.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees to show
    exif[0x010F] = "camera maker"
    Image.fromarray(skimage.data.astronaut()[:300, :400]).save(file, exif=exif)
    return file


def test_the_demo_leaves_a_table_with_every_method(demo: Path) -> None:
    results = json.loads((demo / "results.json").read_text())
    assert 0 < results["blind_cmap"] < 100
    assert [row["method"] for row in results["rows"]] == METHODS
    for row in results["rows"]:
        assert 0 <= row["action"] <= 100
        assert 0 <= row["frozen_cmap"] <= 100
        assert 0 <= row["attacker_cmap"] <= 100
        assert row["calls_per_sample"] == (4.0 if row["method"] == "trained" else 0.0)


def test_the_demo_draws_pictures_of_a_sensible_size(demo: Path) -> None:
    for name in ("before_after", "losses", "trade_off"):
        with Image.open(demo / "figures" / f"{name}.png") as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20


def test_the_demo_records_every_step_and_how_it_was_made(demo: Path) -> None:
    records = [json.loads(line) for line in (demo / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(4))
    assert records[-1]["calls"] == 64
    about = json.loads((demo / "config.json").read_text())
    assert about["config"]["data"] == "world"
    assert set(about["versions"]) == {"zoopt-mo", "torch", "python"}
    assert load_anonymizer(demo).calls == 64


def test_the_demo_ends_with_a_page(demo: Path) -> None:
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert all(f">{method}</th>" in page for method in METHODS)
    assert len(page) < 3_000_000


def test_a_second_run_of_the_same_name_leaves_the_first_alone(tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["train", "--runs", str(tmp_path), "--clips", "8", *TINY, "--no-evaluation"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train", "train-2"]


def test_training_from_files_gives_the_network_of_training_from_memory(tmp_path: Path) -> None:
    assert main(["world", "export", str(tmp_path / "data"), "--clips", "16", "--test-clips", "4"]) == 0
    common = ["train", "--runs", str(tmp_path), "--clips", "16", *TINY, "--no-evaluation"]
    assert main([*common, "--name", "memory"]) == 0
    assert main([*common, "--name", "files", "--data", f"folder:{tmp_path / 'data'}"]) == 0
    memory, files = (load_anonymizer(tmp_path / name) for name in ("memory", "files"))
    for name, tensor in memory.network.state_dict().items():
        assert torch.equal(tensor, files.network.state_dict()[name])
    assert files.trained_on == f"folder:{tmp_path / 'data'}"


def test_an_exported_world_holds_the_rendered_clips(tmp_path: Path) -> None:
    assert main(["world", "export", str(tmp_path), "--clips", "3", "--test-clips", "2"]) == 0
    for split, count in (("train", 3), ("validation", 2), ("test", 2)):
        clips = read_folder(tmp_path, split=split)
        assert torch.equal(clips.frames, render_clips(split, count).frames)


def test_a_run_on_files_is_judged_on_files(tmp_path: Path) -> None:
    assert main(["world", "export", str(tmp_path / "data"), "--clips", "24", "--test-clips", "24"]) == 0
    runs, data = str(tmp_path / "runs"), f"folder:{tmp_path / 'data'}"
    assert main(["train", "--runs", runs, "--data", data, *TINY, "--attacker-steps", "2"]) == 0
    results = json.loads((tmp_path / "runs" / "train" / "results.json").read_text())
    assert [row["method"] for row in results["rows"]] == ["raw", "start", "no query", "trained"]


def test_an_answer_that_the_black_box_cannot_give_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["world", "export", str(tmp_path / "data"), "--clips", "9", "--test-clips", "2"]) == 0
    questions = tmp_path / "data" / "questions.jsonl"
    lines = questions.read_text().splitlines()
    entry = json.loads(lines[1])
    lines[1] = json.dumps({**entry, "answers": ["juggling"]})
    questions.write_text("\n".join(lines) + "\n")
    code = main(["train", "--runs", str(tmp_path / "runs"), "--data", f"folder:{tmp_path / 'data'}", *TINY])
    assert code == 2
    said = capsys.readouterr().err
    assert "questions.jsonl:2" in said
    assert "juggling" in said
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_leaves_a_checkpoint_that_can_be_used(tmp_path: Path, photograph: Path) -> None:
    arguments = ["train", "--runs", str(tmp_path), "--clips", "64", "--pool", "64", "--calls-per-sample", "9000"]
    with subprocess.Popen(
        [sys.executable, "-m", "privacy_mllm.cli", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        metrics = tmp_path / "train" / "metrics.jsonl"
        deadline = time.monotonic() + 100
        while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"what was learned so far" in said
    trained = load_anonymizer(tmp_path / "train")
    assert trained.calls == json.loads(metrics.read_text().splitlines()[-1])["calls"] > 0
    assert main(["anonymize", str(photograph), "-o", str(tmp_path / "out"), "--run", str(tmp_path / "train")]) == 0


def test_a_photograph_is_anonymized_upright_at_its_size_without_metadata(
    demo: Path, photograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["anonymize", str(photograph), "-o", str(tmp_path), "--run", str(demo)]) == 0
    with Image.open(tmp_path / "astronaut.jpg") as result:
        assert result.size == (300, 400)
        assert not result.getexif()
    assert "on photographs it protects nobody" in capsys.readouterr().err


def test_the_newest_run_is_used_where_none_is_named(demo: Path, photograph: Path, tmp_path: Path) -> None:
    assert main(["anonymize", str(photograph), "-o", str(tmp_path / "a"), "--runs", str(demo.parent)]) == 0
    assert main(["anonymize", str(photograph), "-o", str(tmp_path / "b"), "--run", str(demo)]) == 0
    assert (tmp_path / "a" / "astronaut.jpg").read_bytes() == (tmp_path / "b" / "astronaut.jpg").read_bytes()


def test_without_any_run_the_user_is_told_what_to_do(
    photograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["anonymize", str(photograph), "-o", str(tmp_path), "--runs", str(tmp_path / "none")]) == 2
    assert "run 'privacy-mllm demo', name one with --run, or choose a --method" in capsys.readouterr().err


def test_the_black_method_hides_the_box_and_nothing_else(photograph: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"astronaut.jpg": [[50, 60, 150, 200]]}))
    png = tmp_path / "in" / "astronaut.png"
    png.parent.mkdir()
    Image.open(photograph).convert("RGB").rotate(-90, expand=True).save(png)
    boxes.write_text(json.dumps({"astronaut.png": [[50, 60, 150, 200]]}))
    arguments = ["anonymize", str(png), "-o", str(tmp_path / "out"), "--method", "black", "--boxes", str(boxes)]
    assert main(arguments) == 0
    before, after = Image.open(png).convert("RGB"), Image.open(tmp_path / "out" / "astronaut.png").convert("RGB")
    assert after.getpixel((100, 100)) == (0, 0, 0)
    assert after.getpixel((10, 10)) == before.getpixel((10, 10))


def test_broken_files_are_named_and_the_others_done(
    demo: Path, photograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "good.jpg").write_bytes(photograph.read_bytes())
    (folder / "cut.jpg").write_bytes(photograph.read_bytes()[:4000])
    (folder / "deep" / "text.png").write_text("not a picture")
    assert main(["anonymize", str(folder), "-o", str(tmp_path / "out"), "--run", str(demo)]) == 1
    said = capsys.readouterr().err
    assert "cut.jpg" in said
    assert "text.png" in said
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["good.jpg"]


def test_nothing_is_written_over_without_force(demo: Path, photograph: Path, tmp_path: Path) -> None:
    common = ["anonymize", str(photograph), "-o", str(tmp_path), "--run", str(demo)]
    assert main(common) == 0
    (tmp_path / "astronaut.jpg").write_bytes(b"mine")
    assert main(common) == 1
    assert (tmp_path / "astronaut.jpg").read_bytes() == b"mine"
    assert main([*common, "--force"]) == 0
    assert (tmp_path / "astronaut.jpg").read_bytes() != b"mine"


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--run", str(tmp_path)]) == 2
    assert "is not a run: it has no config.json" in capsys.readouterr().err


def test_a_checkpoint_of_another_kind_is_refused(
    photograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "anonymizer.safetensors").write_bytes(b"\x00" * 64)
    assert main(["anonymize", str(photograph), "-o", str(tmp_path / "out"), "--run", str(tmp_path)]) == 2
    assert "is not a checkpoint of an anonymizer" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["demo", "train", "evaluate", "report", "anonymize", "pretrain", "world"])
def test_every_command_explains_itself_without_loading_torch(verb: str) -> None:
    code = (
        "import sys; from privacy_mllm.cli import main\n"
        f"try: main([{verb!r}, '--help'])\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert result.stdout.startswith(f"usage: privacy-mllm {verb}")
    assert result.stdout.rstrip().endswith("False")


def test_the_questions_of_the_world_are_asked_in_full(demo: Path) -> None:
    row = json.loads((demo / "results.json").read_text())["rows"][0]
    assert set(row["answers"]) == set(QUESTIONS)


@pytest.mark.parametrize("package", ["rich", "safetensors", "PIL", "jinja2"])
def test_a_missing_extra_is_named(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from privacy_mllm.cli import main; sys.exit(main(['demo']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert 'pip install "zoopt-mo[privacy]"' in result.stderr


def test_a_plan_counts_the_calls_that_the_training_then_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *TINY, "--dry-run", "--runs", str(tmp_path), "--clips", "32", "--test-clips", "8"]) == 0
    assert "embedded: 3 steps of 8 calls, then 128 to judge" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert main(["train", *TINY, "--runs", str(tmp_path), "--clips", "32", "--no-evaluation"]) == 0
    assert json.loads((tmp_path / "train" / "metrics.jsonl").read_text().splitlines()[-1])["calls"] == 3 * 8


def test_a_plan_for_a_service_names_price_and_hours_and_needs_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    service = ["--oracle", "openai:some-model", "--price-in", "2", "--price-out", "10", "--max-cost", "0.01"]
    assert main(["train", *TINY, "--dry-run", "--clips", "32", "--test-clips", "8", *service]) == 0
    said = capsys.readouterr().out
    assert "3 steps of 8 calls, then 96 to judge" in said  # raw pictures stay here
    assert "calls: 120 (" in said
    assert "price: 0." in said
    assert "would end before it costs 0.01" in said


def test_probing_prints_answer_time_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe-oracle"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == [
        "oracle",
        "question",
        "answer",
        "logprobs",
        "latency",
        "attempts",
        "tokens",
        "cost",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--oracle", "gpt-4"], "`oracle` must be 'embedded', 'openai:MODEL' or 'hf:PATH', got 'gpt-4'."),
        (["--oracle", "openai:m", "--key-variable", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
        (["--oracle", "openai:m", "--picture", "me.png"], "add --send-raw"),
        (["--oracle", "hf:/nowhere"], "no folder"),
    ],
)
def test_probing_says_what_is_wrong(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe-oracle", *arguments]) == 2
    assert words in capsys.readouterr().err
