"""How fast the flagship is: pictures and video anonymized a second, and the time of each of its parts.

    python -m benchmarks.flagship [--frames N] [--workers W] [--results FILE]

Pictures of 512x512 are read, anonymized with the shipped network and written, by the code of ``privacy-mllm
anonymize``; the starting of Python is not in it. A part's time is the median over repeats, in wall and in processor
seconds. The last line printed is one JSON object: ``anonymize_fps`` is the rate of PNG files by wall time, and
``anonymize_fps_idle`` what the workers' cores have processor time for, which is to be believed on a busy machine.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from privacy_mllm.anonymize import anonymize_paths
from privacy_mllm.concurrency import usual_workers
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.media.pictures import write_picture
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.models.unet import UNet
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.reviewing import train_reviewer
from privacy_mllm.weights import load_weights

RESULTS = Path(__file__).parent / "results" / "flagship.csv"
SIDE = 512
CLIPS = 64
"""Clips of four frames of 64x64 that the parts are measured on."""


@dataclass(frozen=True)
class Measured:
    """One row of the table.

    Args:
        name: What was done.
        unit: What one of it is.
        per_second: How many a second, by wall time.
        wall_ms: Wall time of one, in milliseconds.
        processor_ms: Processor time of one.
    """

    name: str
    unit: str
    per_second: float
    wall_ms: float
    processor_ms: float


def main() -> None:
    """Measure, print the table and the JSON line, and keep the table."""
    options = _parser().parse_args()
    torch.set_num_threads(1)  # As the command does: work is shared out above.
    network = UNet()
    network.load_state_dict(load_weights("unet_warm"))
    rows = [*_anonymizing(network, options.frames, options.workers), *_parts(network)]
    for row in rows:
        print(f"{row.name:44} {row.per_second:8.1f} {row.unit}s/s {row.wall_ms:8.2f} ms {row.processor_ms:8.2f} ms CPU")
    _keep(options.results, rows)
    idle = {f"{row.name.split()[1]}_fps_idle": round(1e3 * options.workers / row.processor_ms, 1) for row in rows[:3]}
    rates = {f"{row.name.split()[1]}_fps": row.per_second for row in rows[:3]}
    png = {"anonymize_fps": rates["png_fps"], "anonymize_fps_idle": idle["png_fps_idle"]}
    print(json.dumps({**png, **rates, **idle, "workers": options.workers, **_conditions()}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=60, help="pictures in a folder, and frames of the video")
    parser.add_argument("--workers", type=int, default=usual_workers(), help="pictures or frames in work at once")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv file to write")
    return parser


def _anonymizing(network: nn.Module, count: int, workers: int) -> Iterator[Measured]:
    """The rates of PNG, JPEG and video, with reading and writing."""
    frames = render_clips("test", -(-count // 4), size=SIDE).frames.flatten(0, 1)[:count]
    method = NetworkAnonymizer(network, "network")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, write in (("png", _write_pictures), ("jpg", _write_pictures), ("mp4", _write_video)):
            source = folder / f"in_{kind}"
            source.mkdir()
            write(source, frames, kind)

            def work(source: Path = source, kind: str = kind) -> None:
                report = anonymize_paths([source], folder / kind, method, force=True, workers=workers)
                if not report.ok:
                    raise RuntimeError(report.failed[0].reason)

            yield _measure(f"anonymize {kind} {SIDE}x{SIDE}", "frame", work, per_call=count)


def _parts(network: UNet) -> Iterator[Measured]:
    clips = render_clips("test", CLIPS)
    pictures, large = clips.frames.flatten(0, 1).float() / 255, torch.rand(1, 3, SIDE, SIDE)
    reviewer, oracle = load_reviewer("reviewer"), EmbeddedOracle()
    numbers = iter(range(1_000_000))

    def look(frames: Tensor) -> None:
        with torch.inference_mode():
            for part in frames.split(64):
                network(part)

    def ask() -> None:
        # A pixel differs each time: nothing is remembered.
        frames = clips.frames.clone()
        frames[:, 0, 0, 0, 0] = next(numbers) % 256
        oracle.ask(frames, [QUESTIONS[0]] * CLIPS)

    def learn() -> None:
        train_reviewer(clips.frames, clips.attributes, steps=10, seed=0, init=reviewer)

    yield _measure("render a clip of 4x64x64", "clip", lambda: _discard(render_clips("test", CLIPS)), per_call=CLIPS)
    yield _measure("U-Net, forward, 64x64", "frame", lambda: look(pictures), per_call=4 * CLIPS)
    yield _measure(f"U-Net, forward, {SIDE}x{SIDE}", "frame", lambda: look(large))
    yield _measure("reviewer, a step on 48 frames", "step", learn, per_call=10)
    yield _measure("black box, a question about a clip", "call", ask, per_call=CLIPS)


def _measure(name: str, unit: str, work: Callable[[], None], *, per_call: int = 1, repeats: int = 3) -> Measured:
    work()
    wall, processor = [], []
    for _ in range(repeats):
        began = time.perf_counter(), time.process_time()
        work()
        wall.append((time.perf_counter() - began[0]) / per_call)
        processor.append((time.process_time() - began[1]) / per_call)
    middle = statistics.median(wall)
    return Measured(
        name, unit, round(1 / middle, 1), round(1e3 * middle, 3), round(1e3 * statistics.median(processor), 3)
    )


def _write_pictures(folder: Path, frames: Tensor, kind: str) -> None:
    for index, frame in enumerate(frames):
        write_picture(folder / f"{index:03}.{kind}", frame)


def _write_video(folder: Path, frames: Tensor, kind: str) -> None:
    import av

    with av.open(str(folder / f"clip.{kind}"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for frame in frames:
            picture = frame.permute(1, 2, 0).contiguous().numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _discard(_: object) -> None:
    """Nothing: a measured function returns nothing."""


def _conditions() -> dict[str, object]:
    """What the numbers hang on."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "commit": found.stdout.strip()}


def _keep(path: Path, rows: list[Measured]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
