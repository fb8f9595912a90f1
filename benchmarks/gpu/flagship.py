"""Steps of the flagship's training, and pictures through a network, on a device and in a precision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.timing import free_memory, measure
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.models.factory import build_anonymizer
from privacy_mllm.models.precision import set_precision
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.starting import build_start
from privacy_mllm.train import Training

QUESTION = "What is shown?"
FORMATS = {"as it is": torch.contiguous_format, "channels last": torch.channels_last}


@dataclass(frozen=True)
class World:
    """What is trained on.

    Args:
        width: Width of the U-Net.
        reviewer: The reviewer's network.
        side: Height and width of a frame, in pixels.
        frames: Frames of a clip.
        batch: Clips of a step; as many pictures go to the reviewer.
    """

    width: int
    reviewer: str
    side: int
    frames: int
    batch: int


@dataclass(frozen=True)
class Way:
    """How it is computed.

    Args:
        device: Where.
        precision: "float32" or "bfloat16".
        layout: A key of ``FORMATS``: order of the numbers inside the U-Net.
    """

    device: torch.device
    precision: str
    layout: str = "as it is"


class Judge:
    """A black box that costs next to nothing: it answers by the brightness of a clip's first frame."""

    name, deterministic = "brightness", True

    def __init__(self) -> None:
        self.num_calls = 0
        self.concurrency: int | None = None

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        """See :class:`privacy_mllm.oracles.protocol.Oracle`."""
        self.num_calls += len(questions)
        light = (clips[:, 0].float().mean(dim=(1, 2, 3)) / 256).clamp(0.01, 0.99).tolist()
        return [Answer("light", {"light": math.log(one), "dark": math.log(1 - one)}) for one in light]

    def can_answer(self, question: str, answer: str) -> bool:  # noqa: ARG002 - the protocol's
        """See :class:`privacy_mllm.oracles.protocol.Oracle`."""
        return answer in ("light", "dark")


def training_row(world: World, way: Way, *, seconds: float, warmup: int = 3) -> dict[str, Any]:
    """Steps a second of the training.

    Args:
        world: What is trained on.
        way: How it is computed.
        seconds: Time to spend.
        warmup: Runs before.
    """
    free_memory(way.device)
    config = TrainConfig(
        anonymizer=f"unet-{world.width}",
        reviewer=world.reviewer,
        network_device=str(way.device),
        precision=way.precision,
        pool=world.batch,
        batch=world.batch,
        privacy_batch=world.batch,
        calls_per_sample=10_000,
    )
    clips = random_clips(world)
    start = build_start(config, clips)
    vars(start.anonymizer)["memory_format"] = FORMATS[way.layout]
    training = Training(config, clips, Judge(), start=start)
    steps = training.steps()
    timing = measure(lambda: next(steps), way.device, seconds=seconds, warmup=warmup)
    return {
        **_about("training", world, way),
        "seconds": timing.seconds,
        "steps_a_second": 1 / timing.seconds,
        "peak_gb": None if timing.peak_bytes is None else timing.peak_bytes / 1e9,
        "runs": timing.runs,
    }


def anonymize_row(world: World, way: Way, *, seconds: float, warmup: int = 3) -> dict[str, Any]:
    """Pictures a second through the U-Net, from bytes in the machine's memory to bytes there.

    Args:
        world: What is shown.
        way: How it is computed.
        seconds: Time to spend.
        warmup: Runs before.
    """
    free_memory(way.device)
    network = set_precision(build_anonymizer(f"unet-{world.width}").to(way.device), way.precision)
    vars(network)["memory_format"] = FORMATS[way.layout]
    method, clips = NetworkAnonymizer(network, "network"), random_clips(world)
    timing = measure(lambda: method.anonymize(clips), way.device, seconds=seconds, warmup=warmup)
    return {
        **_about("anonymize", world, way),
        "seconds": timing.seconds,
        "pictures_a_second": world.batch * world.frames / timing.seconds,
        "peak_gb": None if timing.peak_bytes is None else timing.peak_bytes / 1e9,
        "runs": timing.runs,
    }


def ways(device: torch.device) -> Iterator[Way]:
    """All ways on a device."""
    for layout in FORMATS:
        for precision in ("float32", "bfloat16"):
            yield Way(device, precision, layout)


def random_clips(world: World) -> Clips:
    """Clips of noise with seven attributes and one question."""
    generator = torch.Generator().manual_seed(0)
    size = (world.batch, world.frames, 3, world.side, world.side)
    return Clips(
        torch.randint(256, size, dtype=torch.uint8, generator=generator),
        torch.randint(2, (world.batch, 7), generator=generator).float(),
        tuple(f"attribute {number}" for number in range(7)),
        ({QUESTION: ("light",)},) * world.batch,
        tuple(f"clip {number}" for number in range(world.batch)),
    )


def _about(part: str, world: World, way: Way) -> dict[str, Any]:
    return {
        "part": part,
        "name": f"unet-{world.width}, {world.reviewer}" if part == "training" else f"unet-{world.width}",
        "side": world.side,
        "pictures": world.batch * world.frames,
        "where": way.device.type,
        "precision": way.precision,
        "layout": way.layout,
    }
