"""Stopping a training anywhere: a real Ctrl-C, a failure halfway, and what is kept then."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import zoopt_mo as zo
from privacy_mllm import session, starting
from privacy_mllm.asking import Desk, Question
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.interrupts import held_interrupts
from privacy_mllm.models import factory
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.records import StepRecord
from privacy_mllm.runs import Run
from privacy_mllm.train import Training

TINY = TrainConfig(clips=16, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


@pytest.fixture(scope="module")
def undisturbed(clips: Clips) -> tuple[list[StepRecord], torch.Tensor]:
    """Records and weights of a whole training."""
    training = Training(TINY, clips, EmbeddedOracle())
    return list(training.steps()), weights_of(training)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def weights_of(training: Training) -> torch.Tensor:
    return torch.cat([zo.Parameters(network).flat() for network in (training.anonymizer, training.reviewer)])


def train_in(folder: Path, training: Training) -> str | None:
    """Go on with the run in a folder, as the command does."""
    run = Run(folder)
    run.write_config(TINY, OracleConfig())
    run.load_state(training)
    return session._take_steps(training, run, session.Watch())


class Interrupted(Training):
    """Hears a Ctrl-C at one place of one step."""

    place, at_step = "", 2

    def _here(self, place: str) -> None:
        if self.place == place and self.num_taken == self.at_step:
            ctrl_c()

    def _draw(self) -> None:
        self._here("drawing")
        super()._draw()
        self._here("looking")

    def _reviewer_loss(self) -> torch.Tensor:
        loss = super()._reviewer_loss()
        self._here("judging")
        return loss

    def _build(self) -> None:
        payloads = self.showing.payloads

        def render() -> zo.Batch:
            found = payloads()
            self._here("probing")
            return found

        vars(self.showing)["payloads"] = render
        super()._build()

    def _move(self, report: zo.StepReport) -> StepRecord:
        learn = self.scheme.refresh

        def refresh(pictures: torch.Tensor, labels: torch.Tensor) -> float:
            self._here("before learning")
            learned = learn(pictures, labels)
            self._here("after learning")
            return learned

        vars(self.scheme)["refresh"] = refresh
        try:
            return super()._move(report)
        finally:
            del vars(self.scheme)["refresh"]


@pytest.mark.parametrize(
    ("place", "taken"),
    [("drawing", 2), ("looking", 2), ("judging", 2), ("probing", 2), ("before learning", 3), ("after learning", 3)],
)
def test_ctrl_c_anywhere_in_a_step_leaves_a_run_that_ends_as_if_it_never_came(
    tmp_path, clips, undisturbed, place, taken
):
    records, weights = undisturbed
    stopped = Interrupted(TINY, clips, EmbeddedOracle())
    stopped.place = place
    assert train_in(tmp_path, stopped) == session.CTRL_C
    assert stopped.num_taken == taken == len(Run(tmp_path).read_metrics())
    resumed = Training(TINY, clips, EmbeddedOracle())
    assert train_in(tmp_path, resumed) is None
    assert Run(tmp_path).read_metrics() == records
    assert torch.equal(weights_of(resumed), weights)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_step_that_fails_while_the_networks_move_is_not_kept(tmp_path, clips, undisturbed, monkeypatch):
    monkeypatch.setattr(session, "SAVE_EVERY", 2)
    training = Training(TINY, clips, EmbeddedOracle())
    refresh = training.scheme.refresh

    def out_of_memory(pictures: torch.Tensor, labels: torch.Tensor) -> float:
        if training.num_taken == 3:
            raise RuntimeError("out of memory")
        return refresh(pictures, labels)

    vars(training.scheme)["refresh"] = out_of_memory
    with pytest.raises(RuntimeError, match="out of memory"):
        train_in(tmp_path, training)
    assert not training.has_state
    with pytest.raises(RuntimeError, match=r"state_dict\(\) must not be called where the networks are half moved"):
        training.state_dict()
    assert zo.load_checkpoint(tmp_path / "state.ckpt")["num_taken"] == 2
    resumed = Training(TINY, clips, EmbeddedOracle())
    assert train_in(tmp_path, resumed) is None
    assert torch.equal(weights_of(resumed), undisturbed[1])


def ask_in(folder: Path, clips: Clips, *, until: int, save_at: int = -1, nudge: float = 0.0) -> tuple[Training, int]:
    """Go on until a number of steps is taken, then be killed; the training and the calls that this process made."""
    config, oracle = replace(TINY, calls_per_sample=40.0), EmbeddedOracle()
    with Run(folder).open_ledger() as ledger:
        training = Training(config, clips, oracle, ledger=ledger)
        Run(folder).load_state(training)
        with torch.no_grad():
            training.anonymizer.get_parameter("out.bias").add_(nudge)
        steps = training.steps()
        while training.num_taken < until:
            next(steps)
            if training.num_taken == save_at:
                Run(folder).save(training)
    return training, oracle.num_calls


@pytest.mark.parametrize("save_at", [-1, 3])
def test_steps_taken_anew_with_other_pictures_are_asked_again_and_billed_twice(tmp_path, clips, monkeypatch, save_at):
    """As on a GPU, where a killed process leaves answers that its successor cannot meet bit for bit."""
    ask_in(tmp_path, clips, until=5, save_at=save_at)
    with pytest.raises(ValueError, match="must be gone on with as it was begun"):
        ask_in(tmp_path, clips, until=9, nudge=0.01)
    monkeypatch.setattr("privacy_mllm.train.repeats_exactly", lambda _device: False)
    resumed, num_asked = ask_in(tmp_path, clips, until=9, nudge=0.01)
    calls_a_step, saved = 2 * TINY.batch, max(save_at, 0)
    assert num_asked == (9 - saved) * calls_a_step
    assert resumed.num_calls == (9 + 5 - saved) * calls_a_step


def test_steps_taken_anew_with_the_same_pictures_are_not_asked_again(tmp_path, clips, monkeypatch):
    monkeypatch.setattr("privacy_mllm.train.repeats_exactly", lambda _device: False)
    _, num_first = ask_in(tmp_path, clips, until=3)
    resumed, num_second = ask_in(tmp_path, clips, until=4)
    assert (num_first, num_second) == (3 * 2 * TINY.batch, 2 * TINY.batch)
    assert resumed.num_calls == 4 * 2 * TINY.batch


def test_a_run_is_judged_twice_with_pictures_that_differ_where_they_may(tmp_path, clips):
    brighter = clips.frames.clone()
    brighter[0, 0, 0, 0, 0] ^= 1
    asked = []
    for frames in (clips.frames, brighter, clips.frames):
        oracle = EmbeddedOracle()
        with zo.Ledger(tmp_path / "queries.sqlite", run="one") as ledger:
            desk = Desk(oracle, ledger, repeats_exactly=False)
            questions = [
                Question(clip, question, answers[question])
                for clip, answers in zip(frames, clips.answers, strict=True)
                for question in list(answers)[:1]
            ]
            desk.losses(questions, "text", name="judging")
            asked.append(oracle.num_calls)
    assert asked == [len(clips), 1, 0]
    with zo.Ledger(tmp_path / "queries.sqlite", run="two") as ledger:
        Desk(EmbeddedOracle(), ledger).losses(questions[:2], "text", name="judging")
        with pytest.raises(ValueError, match="must be gone on with as it was begun"):
            Desk(EmbeddedOracle(), ledger).losses(questions[1:3], "text", name="judging")


def test_a_state_shares_the_networks_tensors_and_holds_each_once(clips):
    training = Training(TINY, clips, EmbeddedOracle())
    next(training.steps())
    state = training.state_dict()
    own = {tensor.data_ptr() for tensor in training.anonymizer.parameters()}
    assert own <= {tensor.data_ptr() for tensor in state["anonymizer"].values()}
    places = [tensor.data_ptr() for tensor in _tensors_in(state) if tensor.is_floating_point() and tensor.numel()]
    assert len(places) == len(set(places))


def test_what_a_step_changes_before_the_networks_move_is_a_snapshot(clips):
    training = Training(replace(TINY, schedule="adaptive", reuse_more=True), clips, EmbeddedOracle())
    steps = training.steps()
    for _ in range(3):
        next(steps)
    small = training._small_state()
    kept = [tensor.clone() for tensor in _tensors_in(small)]
    list(steps)
    assert all(map(torch.equal, kept, _tensors_in(small)))
    assert small["num_taken"] == 3


def test_a_new_run_builds_its_networks_once(tmp_path, monkeypatch):
    built = []
    build = factory.build_anonymizer

    def counted(name: str, **options: Any) -> nn.Module:
        built.append(name)
        return build(name, **options)

    monkeypatch.setattr(starting, "build_anonymizer", counted)
    config = replace(TINY, anonymizer="unet-4", start_steps=1)
    run, stopped_by = session.train_run(config, tmp_path, "one", session.Watch())
    assert stopped_by is None
    assert built == ["unet-4"]
    again = run.load_start(config, render_clips("train", TINY.clips), lambda _name: None)
    first = zo.load_checkpoint(run.path / "start.ckpt")["anonymizer"]
    assert all(torch.equal(tensor, first[name]) for name, tensor in again.anonymizer.state_dict().items())


def test_outside_the_main_thread_the_handler_of_ctrl_c_stays():
    seen = []

    def look() -> None:
        with held_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_a_held_ctrl_c_is_told_and_the_handler_is_back_after_an_error():
    def stopped_and_failed() -> None:
        ctrl_c()
        raise OSError("disk full")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="disk full"), held_interrupts() as heard:
        stopped_and_failed()
    assert heard == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is before


def _tensors_in(state: object) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state]
    if isinstance(state, dict):
        return [tensor for value in state.values() for tensor in _tensors_in(value)]
    if isinstance(state, (list, tuple)):
        return [tensor for value in state for tensor in _tensors_in(value)]
    return []
