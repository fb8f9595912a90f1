"""The clips of the next step are read while the present one computes, and nothing else changes."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.ahead import ReadAhead
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.lazy import LazyFrames
from privacy_mllm.data.world import render_clips
from privacy_mllm.drawing import draw_batches
from privacy_mllm.methods.surrogates.labelled import label_clips
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.train import Training

TINY = TrainConfig(clips=16, pool=12, batch=4, privacy_batch=4, calls_per_sample=4.0)
STEPS = 6
PATIENCE = 20  # seconds until a reading that never comes is a failure


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


class Reader:
    """Clips of memory as if they lay on a disk: what is read is written down, batch by batch."""

    def __init__(self, frames: Tensor, broken: int | None = None) -> None:
        self.read: list[list[int]] = []
        self._frames, self._broken, self._more = frames, broken, threading.Condition()

    def __call__(self, rows: Sequence[int]) -> list[Tensor]:
        with self._more:
            self.read.append(list(rows))
            self._more.notify_all()
        if self._broken in rows:
            raise OSError(f"clip {self._broken} is broken")
        return [self._frames[row] for row in rows]

    def wait_for(self, batches: int) -> bool:
        """Whether that many batches were read, in time."""
        with self._more:
            return self._more.wait_for(lambda: len(self.read) >= batches, timeout=PATIENCE)

    @property
    def frames(self) -> LazyFrames:
        return LazyFrames.fetched(self, self._frames.shape, cache_bytes=0)


class Watching(EmbeddedOracle):
    """The embedded oracle; before each answer something is looked at."""

    def __init__(self, look: Callable[[int], None]) -> None:
        super().__init__()
        self.look = look

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        self.look(self.num_calls // (2 * TINY.batch))
        return super().ask(clips, questions)


def trained(config: TrainConfig, clips: Clips, private: Clips | None = None) -> Training:
    training = Training(config, clips, EmbeddedOracle(), private=private)
    for _ in training.steps():
        pass
    return training


def weights_of(training: Training) -> list[float]:
    return [*zo.Parameters(training.anonymizer).flat().tolist(), *zo.Parameters(training.reviewer).flat().tolist()]


def test_the_next_clips_are_asked_for_while_the_black_box_judges_the_present_ones(clips: Clips) -> None:
    asked, judged = Reader(clips.frames), Reader(clips.frames)
    late: list[int] = []

    def look(step: int) -> None:
        ahead = min(step + 2, STEPS)
        if not late and not (asked.wait_for(ahead) and judged.wait_for(ahead)):
            late.append(step)

    training = Training(TINY, clips.with_frames(asked.frames), Watching(look), private=clips.with_frames(judged.frames))
    assert (asked.read, judged.read) == ([], [])
    assert len(list(training.steps())) == STEPS
    assert late == []
    assert (len(asked.read), len(judged.read)) == (STEPS, STEPS)  # once a step, and none too many
    assert weights_of(training) == weights_of(trained(TINY, clips))


def test_an_adaptive_schedule_reads_the_pictures_of_the_reviewer_ahead_alone(clips: Clips) -> None:
    config = replace(TINY, schedule="adaptive")
    asked, judged = Reader(clips.frames), Reader(clips.frames)
    seen: list[int] = []

    def look(step: int) -> None:
        assert judged.wait_for(min(step + 2, STEPS))
        seen.append(len(asked.read) - (step + 1))

    training = Training(
        config, clips.with_frames(asked.frames), Watching(look), private=clips.with_frames(judged.frames)
    )
    assert len(list(training.steps())) == STEPS
    assert set(seen) == {0}
    assert (len(asked.read), len(judged.read)) == (STEPS, STEPS)
    assert weights_of(training) == weights_of(trained(config, clips))


@pytest.mark.parametrize("schedule", ["uniform", "adaptive"])
def test_a_training_that_reads_ahead_saves_the_state_of_one_that_does_not(clips: Clips, schedule: str) -> None:
    config = replace(TINY, schedule=schedule)
    lazy = clips.with_frames(Reader(clips.frames).frames)
    plain, ahead = (Training(config, each, EmbeddedOracle()) for each in (clips, lazy))
    for number, _ in enumerate(zip(plain.steps(), ahead.steps(), strict=True)):
        states = plain.state_dict(), ahead.state_dict()
        assert torch.equal(states[0]["generator"], states[1]["generator"])
        assert torch.equal(states[0]["order"], states[1]["order"])
        if number == 3:
            resumed = Training(config, lazy, EmbeddedOracle())
            resumed.load_state_dict(copy.deepcopy(states[1]))
            for _ in resumed.steps():
                pass
    assert weights_of(resumed) == weights_of(ahead) == weights_of(plain)


def test_a_broken_clip_ends_the_training_at_the_step_that_looks_at_it(clips: Clips) -> None:
    order = Reader(clips.frames)
    trained(TINY, clips.with_frames(order.frames), clips)
    broken = order.read[2][0]  # the third batch shows every clip that the first two did not
    training = Training(
        TINY, clips.with_frames(Reader(clips.frames, broken=broken).frames), EmbeddedOracle(), private=clips
    )
    with pytest.raises(OSError, match=f"clip {broken} is broken"):
        list(training.steps())
    assert training.num_taken == 2
    assert training.num_calls == 2 * 2 * TINY.batch


def test_tensors_in_memory_start_no_thread(clips: Clips) -> None:
    before = set(threading.enumerate())
    training = Training(TINY, clips, EmbeddedOracle())
    next(training.steps())
    next(draw_batches(clips.frames, clips.attributes, 2, 4, torch.Generator()))
    assert set(threading.enumerate()) <= before


def test_what_was_expected_is_given_and_anything_else_is_read(clips: Clips) -> None:
    reader = Reader(clips.frames)
    ahead = ReadAhead(reader.frames)
    rows, times = torch.tensor([3, 1]), torch.tensor([0, 2])
    ahead.expect((rows, times))
    assert reader.wait_for(1)
    assert torch.equal(ahead.take((rows, times)), clips.frames[rows, times])
    assert reader.read == [[1, 3]]
    ahead.expect(rows)
    assert reader.wait_for(2)
    assert torch.equal(ahead.take(rows + 1), clips.frames[rows + 1])
    assert torch.equal(ahead.take(rows), clips.frames[rows])  # what was not wanted is forgotten
    assert reader.read[1:] == [[1, 3], [2, 4], [1, 3]]


def test_a_clip_that_is_broken_and_not_wanted_does_no_harm(clips: Clips) -> None:
    reader = Reader(clips.frames, broken=5)
    ahead = ReadAhead(reader.frames)
    ahead.expect(torch.tensor([5]))
    assert reader.wait_for(1)
    assert len(ahead.take(torch.tensor([4]))) == 1
    ahead.expect(torch.tensor([5]))
    with pytest.raises(OSError, match="clip 5 is broken"):
        ahead.take(torch.tensor([5]))


def test_batches_of_frames_come_one_ahead_and_are_those_that_one_by_one_would_be_drawn(clips: Clips) -> None:
    reader = Reader(clips.frames)
    one_by_one, ahead = (torch.Generator().manual_seed(4) for _ in range(2))
    batches = draw_batches(reader.frames, clips.attributes, 5, 3, ahead)
    for number, (pictures, labels) in enumerate(batches):
        assert reader.wait_for(min(number + 2, 5))
        expected = next(draw_batches(clips.frames, clips.attributes, 1, 3, one_by_one))
        assert torch.equal(pictures, expected[0])
        assert torch.equal(labels, expected[1])
    assert len(reader.read) == 5
    assert torch.equal(ahead.get_state(), one_by_one.get_state())


@pytest.mark.parametrize("sources", [1, 2])
def test_clips_of_surrogates_come_one_ahead_too(clips: Clips, sources: int) -> None:
    readers = [Reader(clips.frames) for _ in range(sources)]
    lazy = [clips.with_frames(reader.frames) for reader in readers]
    plain = [clips] * sources
    one_by_one, ahead = (torch.Generator().manual_seed(4) for _ in range(2))
    expected = label_clips(plain[0], private=plain[1] if sources == 2 else None)
    batches = label_clips(lazy[0], private=lazy[1] if sources == 2 else None).draw_ahead(5, 3, ahead)
    for number, batch in enumerate(batches):
        assert all(reader.wait_for(min(number + 2, 5)) for reader in readers)
        wanted = expected.draw(3, one_by_one)
        assert len(batch.sources) == len(wanted.sources) == sources
        assert all(map(torch.equal, batch.sources, wanted.sources))
        assert torch.equal(batch.actions, wanted.actions)
        assert torch.equal(batch.attributes, wanted.attributes)
    assert [len(reader.read) for reader in readers] == [5] * sources
    assert torch.equal(ahead.get_state(), one_by_one.get_state())
    assert list(expected.draw_ahead(0, 3, ahead)) == []
