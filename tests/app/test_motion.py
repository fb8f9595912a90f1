"""The anonymizer that shows what moves: what its steps hide, its gradients, and a training of it from end to end."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

import zoopt_mo as zo
from privacy_mllm import cli, planning
from privacy_mllm.anonymize import anonymize_paths
from privacy_mllm.changing import Change
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.devices import to_pictures
from privacy_mllm.media.errors import MediaError
from privacy_mllm.media.pictures import write_picture
from privacy_mllm.media.video import VideoInfo
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.models.clip_network import show_clips
from privacy_mllm.models.factory import build_anonymizer, restore_anonymizer
from privacy_mllm.models.motion import Motion
from privacy_mllm.models.precision import set_precision
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.runs import Run, load_anonymizer
from privacy_mllm.starting import make_start
from privacy_mllm.train import Training
from tests.app.data_fixtures import write_clip
from tests.app.fault_server import KEY, MODEL, running_service

TINY = TrainConfig(anonymizer="motion", clips=16, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0, start_steps=2)
TINY = replace(TINY, **settings_of("motion"))


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


def training_of(clips: Clips, config: TrainConfig = TINY) -> Training:
    return Training(config, clips, EmbeddedOracle(), start=make_start(config, clips))


def exact(network: Motion, clips: torch.Tensor) -> np.ndarray:
    """The same in numpy and scipy, in double precision."""
    values = clips.double().numpy()
    grey = np.tensordot(np.array([0.299, 0.587, 0.114]), values, axes=(0, 2))[:, :, None]
    pale = grey + (values - grey) / (1 + math.exp(-network.colour.item()))
    width = math.exp(network.log_blur.item()) * min(values.shape[-2:]) / 64
    for axis in (-1, -2):
        pale = gaussian_filter1d(pale, width, axis=axis, mode="nearest", radius=math.ceil(3 * width))
    difference = np.diff(pale, axis=1)
    largest = np.abs(difference).max(axis=(2, 3, 4), keepdims=True)
    thresholds = np.cumsum(np.log1p(np.exp(network.rises.detach().double().numpy())))
    reached = sum(np.abs(difference) / largest > threshold for threshold in thresholds)
    shown = 0.5 + largest / 2 * np.sign(difference) * reached / len(thresholds)
    return np.concatenate([np.full_like(shown[:, :1], 0.5), shown], axis=1)


@pytest.mark.parametrize("blur", [0.2, 1.3, 2.5])
def test_it_is_the_staircase_of_the_blurred_difference(clips: Clips, blur: float) -> None:
    network = Motion()
    network.log_blur.data.fill_(math.log(blur))
    pictures = to_pictures(clips.frames[:4, :, :, ::2], "cpu")  # not square
    with torch.no_grad():
        shown = network(pictures)
    apart = np.abs(shown.numpy() - exact(network, pictures)) > 1e-4
    assert apart.mean() < 1e-3  # single precision puts a few pixels on the other side of a threshold


def test_what_hardly_moves_leaves_no_trace() -> None:
    clip = torch.full((1, 3, 3, 32, 32), 0.4)
    clip[0, 1, :, :16] += 0.5
    clip[0, 1, :, 24:] += 0.06  # below the first threshold, 2/15 of the largest
    network = Motion()
    shown = network(clip).detach()
    assert set(shown[0, 1, :, 27:].unique().tolist()) == {0.5}
    assert shown[0, 1, 0, 2, 2].item() == pytest.approx(0.75)
    assert shown[0, 2, 0, 2, 2].item() == pytest.approx(0.25)
    assert torch.equal(shown[:, 0], torch.full_like(shown[:, 0], 0.5))
    assert len(shown.mul(1e4).round().unique()) <= 2 * len(network.thresholds) + 1


def test_a_clip_in_which_nothing_moves_is_grey() -> None:
    assert set(Motion()(torch.rand(1, 1, 3, 8, 8).expand(1, 4, 3, 8, 8)).unique().tolist()) == {0.5}


def test_a_gradient_reaches_every_parameter_and_steps_are_hard(clips: Clips) -> None:
    network = Motion()
    pictures = to_pictures(clips.frames[:2], "cpu")
    loss = (network(pictures) - 0.5).square().sum()
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert len(gradients) == 3
    assert all(bool((gradient != 0).all()) for gradient in gradients)
    before = loss.item()
    with torch.no_grad():  # a gradient of the smooth steps points where the loss of the hard ones rises
        theta, gradient = zo.Parameters(network).flat(), torch.cat([one.flatten() for one in gradients])
        torch.nn.utils.vector_to_parameters(theta + 0.05 * gradient / gradient.norm(), network.parameters())
        assert (network(pictures) - 0.5).square().sum() > before


def test_mixed_precision_changes_nothing(clips: Clips) -> None:
    pictures = to_pictures(clips.frames[:2], "cpu")
    rounded = set_precision(Motion(), "bfloat16")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rounded(pictures), Motion()(pictures))


def test_a_still_is_shown_as_a_moving_camera_sees_it(clips: Clips) -> None:
    stills = to_pictures(clips.frames[:3, :1], "cpu")
    moved = torch.cat([stills[..., 1:], stills[..., -1:]], dim=-1)
    network = Motion()
    assert torch.equal(network(stills), network(torch.cat([stills, moved], dim=1))[:, 1:])


def test_labels_may_come_with_stills(clips: Clips) -> None:
    private = replace(clips, frames=clips.frames[:, :1])
    start = make_start(TINY, private)
    training = Training(TINY, clips, EmbeddedOracle(), private=private, start=start)
    assert next(training.steps()).calls == 2 * TINY.batch


def test_a_picture_of_the_users_is_shown_alone_or_beside_an_earlier_one(clips: Clips) -> None:
    method, clip = NetworkAnonymizer(Motion(), "network"), clips.frames[0]
    assert torch.equal(method(clip[0]), shown_by(method, clip[:1])[0])
    assert torch.equal(method.compare(clip[0], clip[2]), shown_by(method, clip[::2])[1])
    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    half = method.compare(clip[0], clip[2], left)
    assert torch.equal(half[..., :32], method.compare(clip[0], clip[2])[..., :32])
    assert torch.equal(half[..., 32:], clip[2, ..., 32:])


def shown_by(method: NetworkAnonymizer, clip: torch.Tensor) -> torch.Tensor:
    return method.anonymize(Clips(clip[None], torch.zeros(1, 1), ("face",), ({},), ("clip",)))[0]


@pytest.mark.parametrize(("apart", "frames"), [(0.2, 2), (0.25, 2), (0.01, 1), (9.0, 90)])
def test_a_frame_is_compared_with_that_so_many_seconds_before(clips: Clips, apart: float, frames: int) -> None:
    method = NetworkAnonymizer(Motion(), "network")
    video = clips.frames[:3].flatten(0, 1)
    change = Change(method, None, None, "video", apart)
    change.begin_video(VideoInfo(64, 64, 0, Fraction(10), Fraction(1, 1000), Fraction(1), (0, 0, 0)))
    for index, frame in enumerate(video):
        expected = method.compare(video[max(0, index - frames)], frame)
        assert torch.equal(change(frame, index), expected)
    assert change.remark is None


def test_frames_that_would_fill_the_memory_are_refused() -> None:
    change = Change(NetworkAnonymizer(Motion(), "network"), None, None, "long.mp4", 2.0)
    large = VideoInfo(2160, 3840, 0, Fraction(60), Fraction(1, 1000), Fraction(1), (0, 0, 0))
    with pytest.raises(
        MediaError, match=r"long.mp4 has 60 frames of 3840x2160 a second; .* 120 must be kept, 2847 MiB"
    ):
        change.begin_video(large)


def test_of_a_users_video_only_what_moves_is_shown(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    video = np.full((12, 64, 96, 3), 200, np.uint8)
    video[:, 8:24, 8:24] = 30  # a dark square stands on the left
    for step in range(12):
        video[step, 32:48, 16 + 5 * step : 32 + 5 * step] = 30  # another goes to the right
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for picture in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    method = NetworkAnonymizer(Motion(), "network")
    report = anonymize_paths([tmp_path / "in.mp4"], tmp_path / "out", method, apart=0.5, workers=3)
    assert report.ok, report.failed
    with av.open(str(tmp_path / "out" / "in.mp4")) as container:
        shown = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)]).astype(int)
    assert len(shown) == 12
    grey = shown[0, 0, 0]
    assert np.abs(shown[0] - grey).max() <= 2  # in the first frame nothing has moved
    assert np.abs(shown[:, 4:26, :30] - grey).max() <= 8  # what stands is never shown
    at, was = 16 + 5 * 8, 16 + 5 * 4
    assert shown[8, 36:44, at + 5 : at + 11].mean() < grey - 40  # where it is now
    assert shown[8, 36:44, was + 5 : was + 11].mean() > grey + 40  # and where it was half a second before


@pytest.mark.parametrize("batch_size", [1, 3, 9, 64])
def test_clips_are_never_parted(clips: Clips, batch_size: int) -> None:
    network = Motion()
    with torch.no_grad():
        expected = (255 * network(to_pictures(clips.frames, "cpu"))).round().to(torch.uint8)
    shown = NetworkAnonymizer(network, "network", batch_size=batch_size).anonymize(clips)
    assert int((shown.int() - expected.int()).abs().max()) <= 1
    assert (shown != expected).float().mean() < 1e-3


def test_a_clip_that_is_too_large_is_shown_smaller(clips: Clips) -> None:
    frames = NetworkAnonymizer(Motion(), "network", max_pixels=32 * 32).anonymize(clips)
    assert frames.shape == clips.frames.shape


def test_it_is_built_by_name_and_restored_from_its_weights() -> None:
    network = build_anonymizer("motion")
    assert isinstance(network, Motion)
    network.log_blur.data.fill_(0.7)
    again = restore_anonymizer(network.state_dict())
    assert isinstance(again, Motion)
    clip = torch.rand(1, 3, 3, 16, 16)
    assert torch.equal(show_clips(again, clip), network(clip))
    longer = restore_anonymizer(Motion(6).state_dict())
    assert isinstance(longer, Motion)
    assert len(longer.thresholds) == 6


def test_the_reviewer_judges_a_picture_of_each_clip(clips: Clips) -> None:
    training = training_of(clips)
    judged = training.batches.draw(is_last=False).judged
    assert judged.pictures.shape == (TINY.privacy_batch, 4, 3, 64, 64)
    whole = training.anonymizer(judged.pictures)
    assert judged.times is not None
    times = judged.times.tolist()
    for shown, clip, time in zip(judged.shown(training.anonymizer), whole, times, strict=True):
        assert torch.equal(shown, clip[time])
    assert len(set(times)) > 1


def test_it_draws_what_a_network_of_pictures_draws(clips: Clips) -> None:
    usual = replace(TINY, anonymizer="small")
    mine, theirs = training_of(clips), Training(usual, clips, EmbeddedOracle())
    for _ in range(3):
        here, there = (one.batches.draw(is_last=False) for one in (mine, theirs))
        assert torch.equal(here.rows, there.rows)
        assert here.questions == there.questions
        assert here.judged.times is not None
        rows = torch.arange(len(here.judged.times))
        assert torch.equal(here.judged.pictures[rows, here.judged.times], there.judged.pictures)
        assert torch.equal(here.judged.labels, there.judged.labels)


@pytest.mark.parametrize("estimator", ["spsa", "critical-history", "guide-corrected", "guide-taught"])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, clips: Clips, estimator: str) -> None:
    config = replace(TINY, estimator=estimator, guide_steps=3)
    whole = training_of(clips, config)
    start = zo.Parameters(whole.anonymizer).flat()
    records = list(whole.steps())
    assert whole.num_calls == 6 * TINY.pool
    stopped = training_of(clips, config)
    steps = stopped.steps()
    for _ in range(2):
        next(steps)
    zo.save_checkpoint(tmp_path / "state", stopped.state_dict())
    resumed = training_of(clips, config)
    resumed.load_state_dict(zo.load_checkpoint(tmp_path / "state"))
    assert [record.utility for record in resumed.steps()] == [record.utility for record in records[2:]]
    ends = [zo.Parameters(training.anonymizer).flat() for training in (resumed, whole)]
    assert torch.equal(*ends)
    assert not torch.equal(ends[0], start)


def test_an_estimated_step_has_the_length_that_the_settings_allow(clips: Clips) -> None:
    training = training_of(clips, replace(TINY, estimator="spsa", utility_max_norm=1e-3, utility_weight=0.99))
    before = zo.Parameters(training.anonymizer).flat()
    record = next(training.steps())
    assert record.i_max == 0
    moved = float((zo.Parameters(training.anonymizer).flat() - before).norm())
    assert moved < 2 * TINY.utility_lr * 1e-3 + TINY.privacy_lr * TINY.augmentation


def test_stills_and_a_start_that_shows_everything_are_refused(clips: Clips) -> None:
    stills = replace(clips, frames=clips.frames[:, :1])
    with pytest.raises(ValueError, match="must have two pictures or more"):
        Training(TINY, stills, EmbeddedOracle(), start=make_start(TINY, clips))
    with pytest.raises(ValueError, match='`init` must be "warm"'):
        replace(TINY, init="identity")


def test_its_reviewer_begins_by_learning_to_read_it(clips: Clips) -> None:
    said: list[str] = []
    start = make_start(TINY, clips, said.append)
    assert said == ["training the reviewer on what the anonymizer shows"]
    raw, learned = (zo.Parameters(network).flat() for network in (start.raw_reviewer, start.reviewer))
    assert not torch.equal(raw, learned)
    assert all(parameter.grad is None for network in vars(start).values() for parameter in network.parameters())
    held_out: list[str] = []
    make_start(replace(TINY, hold_out="answer=indoors"), clips, held_out.append)
    assert held_out == ["training the reviewer of raw pictures", *said]
    others: list[str] = []
    make_start(replace(TINY, anonymizer="small-8"), clips, others.append)
    assert others[0] == "training the reviewer of raw pictures"  # all of another kind's start is made


@pytest.mark.parametrize("preset", [[], ["--preset", "hmdb51-vispr"]])
def test_its_settings_go_before_those_of_a_preset_and_after_what_was_typed(
    preset: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TrainConfig] = []

    def keep(config: TrainConfig, *_: object) -> int:
        seen.append(config)
        return 0

    monkeypatch.setattr(planning, "run", keep)
    words = ["train", *preset, "--anonymizer", "motion", "--utility-lr", "0.02", "--dry-run"]
    assert cli.main(words) == 0
    settings = settings_of("motion") | {"utility_lr": 0.02, "anonymizer": "motion"}
    assert {name: getattr(seen[0], name) for name in settings} == settings


def test_the_command_trains_judges_and_reports_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    small = ["--clips", "16", "--pool", "8", "--batch", "4", "--calls-per-sample", "4", "--start-steps", "2"]
    judged = ["--test-clips", "8", "--attacker-steps", "1"]
    words = ["train", "--anonymizer", "motion", "--radius", "0.2", "--runs", str(runs), *small, *judged]
    assert cli.main(words) == 0
    assert f"privacy-mllm anonymize PICTURE -o OUT --run {runs / 'train'}" in capsys.readouterr().out
    run = Run(runs / "train")
    settings = settings_of("motion") | {"radius": 0.2}
    config, _ = run.read_config()
    assert {name: getattr(config, name) for name in settings} == settings
    assert cli.main(["evaluate", "--run", str(run.path), *judged]) == 0
    assert cli.main(["report", str(run.path), "-o", str(tmp_path / "report.html")]) == 0
    capsys.readouterr()
    picture = tmp_path / "picture.png"
    write_picture(picture, torch.zeros(3, 16, 16, dtype=torch.uint8), picture_format="PNG")
    words = ["anonymize", str(picture), "-o", str(tmp_path / "out"), "--run", str(run.path)]
    assert cli.main([*words, "--apart", "0"]) == 2
    assert "`apart` must be positive, got 0.0" in capsys.readouterr().err
    assert cli.main(words) == 0
    assert "(a still is shown as a moving camera would see it)" in capsys.readouterr().out


COUNT = "how many people are there"


def write_videos(root: Path) -> str:
    """Eight videos of the rendered world with their tables, ten frames at ten a second; the name of the source."""
    shown = render_clips("train", 8, frames=10)
    root.mkdir()
    for number, frames in enumerate(shown.frames):
        write_clip(root / f"{number}.mp4", frames)
    rows = [[f"{number}.mp4", *map(str, row)] for number, row in enumerate(shown.attributes.int().tolist())]
    lines = [["file", *shown.attribute_names], *rows]
    (root / "attributes.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    asked = [(f"{number}.mp4", answers[COUNT]) for number, answers in enumerate(shown.answers)]
    entries = [json.dumps({"file": file, "question": COUNT, "answers": right}) for file, right in asked]
    (root / "questions.jsonl").write_text("".join(f"{entry}\n" for entry in entries))
    return f"folder:{root}"


FEW = ["--pool", "8", "--batch", "4", "--privacy-batch", "4", "--calls-per-sample", "3", "--start-steps", "2"]


def test_a_users_video_is_compared_as_far_apart_as_the_training_clips(tmp_path: Path) -> None:
    """Their pictures are three frames apart; no other time gives the same copy."""
    pytest.importorskip("av")
    runs, data = str(tmp_path / "runs"), write_videos(tmp_path / "data")
    command = ["train", "--runs", runs, "--data", data, "--anonymizer", "motion", *FEW, "--no-evaluation"]
    assert cli.main(command) == 0
    assert load_anonymizer(tmp_path / "runs" / "train").apart == pytest.approx(0.3)

    def copied(*options: str) -> bytes:
        out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}.mp4"
        video = str(tmp_path / "data" / "0.mp4")
        assert cli.main(["anonymize", video, "-o", str(out), "--runs", runs, *options]) == 0
        return out.read_bytes()

    assert copied() == copied("--apart", "0.3")
    assert copied() != copied("--apart", "0.2")


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["critical-history", "guide-corrected"])
def test_it_is_trained_against_a_service_and_a_lost_state_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, estimator: str
) -> None:
    pytest.importorskip("av")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    network = ["--anonymizer", "motion", "--estimator", estimator, "--guide-steps", "2", "--calls-per-sample", "12"]
    with running_service(tmp_path / "log.jsonl", "--logprobs") as service:
        asked = ["--oracle", f"openai:{MODEL}", "--base-url", service.url, "--no-evaluation"]
        data = ["--data", write_videos(tmp_path / "data")]
        assert cli.main(["train", "--runs", str(tmp_path), "--name", "run", *FEW, *network, *data, *asked]) == 0
        first, paid = load_anonymizer(tmp_path / "run"), len(service.log())
        with zo.LedgerReader(tmp_path / "run" / "queries.sqlite") as ledger:
            (bill,) = (line for line in ledger.bill() if line.group == "utility")
        assert bill.queries - bill.reused == first.calls > 20
        (tmp_path / "run" / "state.ckpt").unlink()
        assert cli.main(["train", "--resume", str(tmp_path / "run"), "--no-evaluation"]) == 0
        assert len(service.log()) == paid
    again = load_anonymizer(tmp_path / "run").network.state_dict()
    assert all(torch.equal(again[name], weight) for name, weight in first.network.state_dict().items())
