"""The anonymizer that hides parts of the picture: its shares by hand, and a training that finds what is where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.models.factory import build_anonymizer, restore_anonymizer
from privacy_mllm.models.regions import Regions
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.train import Training

QUESTION = "is the lamp on"


def regions(*parameters: Sequence[float]) -> Regions:
    network = Regions(len(parameters))
    with torch.no_grad():
        network.hiding.copy_(torch.tensor(parameters))
    return network


def test_shares_by_hand_and_their_ends_are_reached() -> None:
    """Logits of ln 3 and -ln 3 are 3/4 and 1/4: 1.2 * 3/4 - 0.1 = 0.8, and 0.2. Beyond 2.4 at both sides is the end."""
    network = regions([math.log(3), -math.log(3)], [2.5, -2.5])
    assert network.shares.detach().flatten().tolist() == pytest.approx([0.8, 0.2, 1.0, 0.0])
    picture = torch.rand(2, 3, 4, 6)
    shown = network(picture)
    assert torch.equal(shown[..., 2:, 3:], picture[..., 2:, 3:])
    assert torch.equal(shown[..., 2:, :3], torch.full((2, 3, 2, 3), 0.5))
    torch.testing.assert_close(shown[..., :2, :3], 0.2 * picture[..., :2, :3] + 0.8 * 0.5)
    torch.testing.assert_close(shown[..., :2, 3:], 0.8 * picture[..., :2, 3:] + 0.2 * 0.5)


def test_at_first_nine_tenths_are_hidden_everywhere() -> None:
    assert Regions(3).shares.detach().flatten().tolist() == pytest.approx([0.9] * 9, abs=0.02)


@pytest.mark.parametrize("size", [(2, 2), (5, 7), (96, 64), (31, 200)])
def test_a_hidden_part_is_the_same_for_every_picture_of_any_size(size: tuple[int, int]) -> None:
    method = NetworkAnonymizer(regions([9.0, -9.0], [9.0, -9.0]), "regions")
    pictures = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    first, second = (method(picture) for picture in pictures)
    middle = math.ceil(size[1] / 2)
    assert torch.equal(first[..., :middle], second[..., :middle])
    assert torch.equal(first[..., middle:], pictures[0, ..., middle:])


def test_by_name_and_back_from_its_weights(tmp_path: Path) -> None:
    assert sum(weight.numel() for weight in build_anonymizer("regions").parameters()) == 64
    network = build_anonymizer("regions-3")
    assert isinstance(network, Regions)
    torch.nn.init.normal_(network.hiding)
    again = restore_anonymizer(network.state_dict())
    picture = torch.rand(1, 3, 9, 9)
    assert torch.equal(again(picture), network(picture))
    with pytest.raises(ValueError, match='`init` must be "warm" for an anonymizer that hides as it is'):
        TrainConfig(anonymizer="regions-3", init="identity")


class Lamp:
    """A black box that looks at the lower right corner alone."""

    name = "lamp"
    num_calls = 0
    concurrency: int | None = None
    deterministic = True

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        self.num_calls += len(clips)
        lights = clips[..., 24:, 24:].float().mean((1, 2, 3, 4)) / 255 - 0.5
        chances = torch.sigmoid(40 * lights).double().clamp(1e-6, 1 - 1e-6).tolist()
        return [
            Answer("yes" if chance > 0.5 else "no", {"yes": math.log(chance), "no": math.log(1 - chance)})
            for chance in chances
        ]

    def can_answer(self, question: str, answer: str) -> bool:
        return question == QUESTION and answer in ("yes", "no")


def lamps(count: int) -> Clips:
    """Noise with a badge in the upper left corner, of those who wear one, and a lamp in the lower right one."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(100, 156, (count, 1, 3, 32, 32), dtype=torch.uint8, generator=generator)
    badge, light = torch.randint(0, 2, (2, count), generator=generator)
    frames[..., 2:6, 2:6] = (60 + 180 * badge).to(torch.uint8)[:, None, None, None, None]
    frames[..., 26:30, 26:30] = (255 * light).to(torch.uint8)[:, None, None, None, None]
    answers = tuple({QUESTION: ("yes",) if is_on else ("no",)} for is_on in light.tolist())
    return Clips(frames, badge[:, None].float(), ("badge",), answers, tuple(map(str, range(count))))


def test_training_hides_what_is_private_and_shows_what_is_asked() -> None:
    config = TrainConfig(anonymizer="regions-4", pool=64, batch=8, calls_per_sample=30.0, start_steps=60)
    training = Training(replace(config, **settings_of("regions-4")), lamps(64), Lamp())
    records = list(training.steps())
    assert records[-1].calls == 64 * 30
    assert isinstance(training.anonymizer, Regions)
    shares = training.anonymizer.shares
    assert shares[0, 0] == 1.0
    assert int(shares.argmin()) == 15  # the lamp is in the last of 16 parts
    assert shares[3, 3] < 0.95


def test_the_world_is_trained_on_and_a_stopped_training_goes_on(tmp_path: Path) -> None:
    clips = render_clips("train", 16)
    tiny = TrainConfig(anonymizer="regions", clips=16, pool=8, batch=4, privacy_batch=4, calls_per_sample=4.0)
    config = replace(tiny, **settings_of("regions"), start_steps=2)
    whole, stopped, resumed = (Training(config, clips, EmbeddedOracle()) for _ in range(3))
    list(whole.steps())
    next(steps := stopped.steps())
    next(steps)
    zo.save_checkpoint(tmp_path / "state", stopped.state_dict())
    resumed.load_state_dict(zo.load_checkpoint(tmp_path / "state"))
    list(resumed.steps())
    assert torch.equal(zo.Parameters(resumed.anonymizer).flat(), zo.Parameters(whole.anonymizer).flat())
