"""Clips that do not fit into memory: judging them holds a few at a time and finds what it finds with all of them."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from privacy_mllm.asking import Desk
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.lazy import LazyFrames
from privacy_mllm.data.reading import Item, Reading
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.evaluate import Evaluator
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Anonymizer, Downsample, FrameDifference, NetworkAnonymizer, Raw, SelectivePrivacy
from privacy_mllm.methods.anonymized import anonymized
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.models.unet import UNet
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.results import Row
from tests.app import data_fixtures as disk

READING = Reading(frames=2, size=16)
CLIP = 2 * 3 * 16 * 16  # bytes
AT_ONCE = 8
CACHE = 16 * CLIP


def bytes_alive() -> int:
    """Bytes of all pictures that are in memory and were not there before the test."""
    found = [one for one in gc.get_objects() if type(one) is Tensor and one.dtype == torch.uint8 and one.ndim > 2]
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in found}.values())


@dataclass
class Scales:
    """Notes how much is in memory."""

    most_alive: int = 0
    calls: list[int] = field(default_factory=list)

    def note(self, clips: int) -> None:
        self.calls.append(clips)
        self.most_alive = max(self.most_alive, bytes_alive())


@dataclass(frozen=True)
class Weighed:
    """A method that notes what is in memory whenever it is called."""

    method: Downsample
    scales: Scales

    @property
    def name(self) -> str:
        return self.method.name

    def anonymize(self, clips: Clips) -> Tensor:
        shown = self.method.anonymize(clips)
        self.scales.note(len(clips))
        return shown


class WeighedOracle(EmbeddedOracle):
    def __init__(self, scales: Scales) -> None:
        super().__init__()
        self.scales = scales

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        self.scales.note(len(clips))
        return super().ask(clips, questions)


def on_disk(folder: Path, clips: Clips) -> Clips:
    """The same clips, of two frames of 16 x 16, in files."""
    items = [
        Item(name, disk.write_clip(folder / f"{name}.npy", clip))
        for name, clip in zip(clips.names, clips.frames, strict=True)
    ]
    only = tuple({QUESTIONS[0]: answers[QUESTIONS[0]]} for answers in clips.answers)
    return replace(clips, frames=LazyFrames(items, READING, cache_bytes=CACHE), answers=only, people=None)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clips, Clips]:
    """Clips for attackers, and clips that are judged."""
    folder = tmp_path_factory.mktemp("clips")
    return on_disk(folder, render_clips("train", 200)), on_disk(folder, render_clips("test", 150))


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("privacy_mllm.methods.anonymized.PIXELS_AT_ONCE", AT_ONCE * 2 * 16 * 16 + 1)
    monkeypatch.setattr("privacy_mllm.reviewing.FRAMES_AT_ONCE", 2 * AT_ONCE)
    gc.freeze()  # what is there now is not looked through
    yield
    gc.unfreeze()


def judge(attack: Clips, test: Clips, cache_bytes: int, scales: Scales) -> Row:
    evaluator = Evaluator(
        attack,
        test,
        Desk(WeighedOracle(scales)),
        load_reviewer("reviewer"),
        attackers=Attackers(steps=3),
        cache_bytes=cache_bytes,
    )
    return evaluator.judge(Weighed(Downsample(2), scales))


@pytest.mark.usefixtures("few_at_once")
def test_judging_holds_a_few_clips_and_finds_what_it_finds_with_all_in_memory(clips: tuple[Clips, Clips]) -> None:
    attack, test = clips
    few = Scales()
    found = judge(attack, test, CACHE, few)
    assert max(few.calls) == AT_ONCE
    # Four caches, and of the attackers' batches of 48 two that are read ahead, raw and anonymized.
    assert few.most_alive < 4 * CACHE + 4 * 48 * CLIP + 2 * AT_ONCE * CLIP < (len(attack) + len(test)) * CLIP
    everything = Scales()
    assert judge(attack.load(), test.load(), 1 << 30, everything) == found
    assert everything.most_alive > (len(attack) + len(test)) * CLIP


@pytest.mark.usefixtures("few_at_once")
def test_clips_that_fit_are_anonymized_once_and_others_when_they_are_looked_at(clips: tuple[Clips, Clips]) -> None:
    _, test = clips
    scales = Scales()
    whole = anonymized(Weighed(Downsample(2), scales), test)
    assert scales.calls == [AT_ONCE] * 18 + [6]
    scales.calls.clear()
    shown = anonymized(Weighed(Downsample(2), scales), test, cache_bytes=CACHE)
    assert scales.calls == []
    assert torch.equal(shown.frames[torch.arange(20, 30)], whole.frames[20:30])
    assert scales.calls == [8, 2]
    assert torch.equal(shown.frames[[29, 3]], whole.frames[[29, 3]])
    assert scales.calls == [8, 2, 1]


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize(
    "method",
    [Raw(), FrameDifference(), SelectivePrivacy(), NetworkAnonymizer(UNet(), "network")],
    ids=lambda one: one.name,
)
def test_every_kind_of_method_does_the_same_to_a_clip_whatever_others_it_comes_with(
    clips: tuple[Clips, Clips], method: Anonymizer
) -> None:
    test = clips[1].head(40)
    at_once = method.anonymize(test.load())
    shown = anonymized(method, test, cache_bytes=CACHE).frames
    for rows in torch.randperm(40, generator=torch.Generator().manual_seed(0)).split(7):
        assert torch.equal(shown[rows], at_once[rows])


def test_a_method_that_changes_the_size_is_refused(clips: tuple[Clips, Clips]) -> None:
    @dataclass(frozen=True)
    class Halving:
        name: str = "halving"

        def anonymize(self, clips: Clips) -> Tensor:
            return clips.frames[..., ::2, ::2]

    with pytest.raises(RuntimeError, match=r"A clip must have shape \[2, 3, 16, 16\], got \[2, 3, 8, 8\]"):
        anonymized(Halving(), clips[1])
