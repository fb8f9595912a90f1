"""A training that is stopped and gone on with ends as if it had never been stopped, and pays for no call twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm import session
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.runs import Run
from privacy_mllm.train import Training

TINY = TrainConfig(clips=16, pool=12, batch=4, privacy_batch=4, calls_per_sample=6.0)
STEPS = 9


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


class Stopping(EmbeddedOracle):
    """The embedded oracle, one call a clip; it stops the process, or fails, at a given call."""

    def __init__(self, stop_at: int | None = None, fail_at: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.stop_at, self.fail_at = stop_at, fail_at
        self.concurrency = 1

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        if self.num_calls == self.stop_at:
            raise KeyboardInterrupt
        answers = super().ask(clips, questions)
        if self.num_calls in self.fail_at:
            raise zo.QueryError("refused", zo.Usage(tokens_out=3))
        return answers


def train_in(folder: Path, clips: Clips, oracle: EmbeddedOracle, config: TrainConfig = TINY) -> Training:
    """Train in a folder as far as the oracle allows."""
    run = Run(folder)
    run.write_config(config, OracleConfig())
    with run.open_ledger() as ledger:
        training = Training(config, clips, oracle, ledger=ledger)
        with training.desk:
            run.load_state(training)
            session._take_steps(training, run, session.Watch())
    return training


def weights_of(training: Training) -> list[float]:
    return [*zo.Parameters(training.anonymizer).flat().tolist(), *zo.Parameters(training.reviewer).flat().tolist()]


@pytest.mark.parametrize(
    ("config", "fail_at"),
    [(TINY, ()), (replace(TINY, schedule="adaptive", reuse_more=True, early_stop=True), (3, 10, 11, 40))],
    ids=["plain", "with failures and every strategy"],
)
def test_a_run_stopped_at_any_call_ends_bit_for_bit_as_the_undisturbed_one(tmp_path, clips, config, fail_at):
    whole = tmp_path / "whole"
    whole.mkdir()
    undisturbed = train_in(whole, clips, Stopping(fail_at=fail_at), config)
    assert undisturbed.num_taken == STEPS
    for stop_at in (0, 5, 17, 41, 71):
        folder = tmp_path / f"stopped at {stop_at}"
        folder.mkdir()
        first = Stopping(stop_at, fail_at)
        assert train_in(folder, clips, first, config).num_taken == stop_at // 8
        second = Stopping(fail_at=tuple(call - stop_at for call in fail_at))
        resumed = train_in(folder, clips, second, config)
        assert weights_of(resumed) == weights_of(undisturbed)
        assert first.num_calls + second.num_calls == undisturbed.num_calls == STEPS * 8
        assert Run(folder).read_metrics() == Run(whole).read_metrics()


@pytest.mark.parametrize("estimator", ["prior-guided", "guide-corrected", "guide-taught"])
def test_a_stopped_run_with_a_guide_goes_on_with_the_same_guide_bit_for_bit(tmp_path, clips, estimator):
    batch = 8 if estimator == "guide-taught" else 4  # eight calls a step
    config = replace(TINY, estimator=estimator, guide_steps=3, batch=batch, reviewer_refreshes=1)
    whole = tmp_path / "whole"
    whole.mkdir()
    undisturbed = train_in(whole, clips, Stopping(), config)
    assert undisturbed.guide is not None
    guides = zo.Parameters(undisturbed.guide.network).flat()
    assert (undisturbed.num_taken, undisturbed.num_calls) == (STEPS, 8 * STEPS)
    for stop_at in (0, 21, 50):
        folder = tmp_path / f"stopped at {stop_at}"
        folder.mkdir()
        assert train_in(folder, clips, Stopping(stop_at), config).num_taken == stop_at // 8
        second = Stopping()
        resumed = train_in(folder, clips, second, config)
        assert weights_of(resumed) == weights_of(undisturbed)
        assert resumed.guide is not None
        assert torch.equal(zo.Parameters(resumed.guide.network).flat(), guides)
        assert second.num_calls == 8 * STEPS - stop_at
        assert Run(folder).read_metrics() == Run(whole).read_metrics()


def test_a_resume_after_the_end_asks_nothing_and_changes_nothing(tmp_path, clips):
    first = train_in(tmp_path, clips, Stopping())
    oracle = Stopping()
    again = train_in(tmp_path, clips, oracle)
    assert (oracle.num_calls, again.num_taken) == (0, STEPS)
    assert weights_of(again) == weights_of(first)
    assert len(Run(tmp_path).read_metrics()) == STEPS


def test_a_failed_call_costs_its_clip_alone_and_is_told(tmp_path, clips):
    training = train_in(tmp_path, clips, Stopping(fail_at=(2, 30)))
    assert [record.failed for record in Run(tmp_path).read_metrics()] == [1, 0, 0, 1, *[0] * 5]
    assert training.num_calls == STEPS * 8
    with zo.Ledger(tmp_path / "queries.sqlite", run=tmp_path.name):
        reader = zo.LedgerReader(tmp_path / "queries.sqlite")
        (line,) = reader.bill("objective")
        reader.close()
    assert (line.queries, line.failed, line.attempts, line.tokens_out) == (72, 2, 72, 6)


def test_a_run_ends_before_it_costs_more_than_it_may(clips):
    class Dear(EmbeddedOracle):
        def ask(self, clips, questions):
            bill = zo.Usage(cost=0.25)
            return [replace(answer, usage=bill) for answer in super().ask(clips, questions)]

    training = Training(TINY, clips, Dear(), limits=OracleConfig(max_cost=5.0))
    records = list(training.steps())
    assert [record.cost for record in records] == [2.0, 4.0]
    assert training.ended_by == "the limit on cost is reached"


def test_no_picture_and_no_tensor_of_one_is_kept_beside_the_networks(tmp_path, clips):
    marked = torch.full_like(clips.frames[:, :, :, :8, :8], 0)
    marked[...] = torch.tensor(list(b"SECRETPX"), dtype=torch.uint8)
    frames = clips.frames.clone()
    frames[:, :, :, :8, :8] = marked
    train_in(tmp_path, clips.with_frames(frames), Stopping())
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"queries.sqlite", "state.ckpt", "metrics.jsonl"} <= {file.name for file in files}
    assert not [file.name for file in files if b"SECRETPX" in file.read_bytes()]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])["step"] == 0


def test_a_run_that_has_settled_stops_early_if_it_may(clips):
    config = replace(TINY, calls_per_sample=120.0, utility_lr=1e-9, privacy_lr=1e-9, reviewer_lr=1e-9)
    training = Training(replace(config, early_stop=True), clips, EmbeddedOracle())
    taken = len(list(training.steps()))
    assert 80 <= taken < training.num_steps
    assert training.ended_by == "the loss no longer falls by more than its noise"
