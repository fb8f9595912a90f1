"""What a GPU brings: steps of the library at ten million and a billion parameters, and steps of the flagship.

    python -m benchmarks.gpu [--quick] [--device DEVICE] [--size P ...] [--side PIXELS] [--width W] [--results FILE]

Under 3 minutes on a GPU. A pass is ``theta.add_(other)``; which bytes a step must move is told by
:func:`benchmarks.gpu.library.bytes_to_move`, and their speed is compared with the memory's best by clock and width. The
flagship's judge costs nothing: its times are those of U-Net, reviewer, probes and copies. The last line printed is one
JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.flagship import Way, World, anonymize_row, training_row, ways
from benchmarks.gpu.library import library_rows
from privacy_mllm.devices import device_name

RESULTS = Path(__file__).parents[1] / "results" / "gpu.csv"
COLUMNS = (
    *("part", "name", "p", "side", "pictures", "where", "precision", "layout", "queries"),
    *("seconds", "steps_a_second", "pictures_a_second", "passes"),
    *("bytes_to_move", "bytes_a_second", "share_of_peak", "peak_gb", "runs", "failed"),
    *("device", "torch", "commit", "command"),
)


def main() -> None:
    """Measure, print a line a row and the JSON line, and keep the rows."""
    options = _parser().parse_args()
    started = time.perf_counter()
    about = {
        "device": device_name(options.device),
        "torch": torch.__version__,
        "commit": options.commit or _commit(),
        "command": shlex.join(["python", "-m", "benchmarks.gpu", *sys.argv[1:]]),
    }
    print(about)
    rows = []
    for row in _rows(options):
        rows.append({**row, **about})
        print("  ".join(f"{key} {_short(value)}" for key, value in row.items() if value is not None), flush=True)
        _keep(options.results, rows)
    print(f"took {time.perf_counter() - started:.0f} s")
    print(json.dumps({**about, **_summary(rows)}))


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    device = torch.device(options.device)
    seconds: float = min(options.seconds, 1.0) if options.quick else options.seconds
    for size in options.size:
        yield from library_rows(size, device, seconds=seconds)
    world = World(options.width, options.reviewer, options.side, options.frames, options.batch)
    for way in ways(device):
        yield training_row(world, way, seconds=seconds)
        yield anonymize_row(world, way, seconds=seconds)
    if device.type != "cpu" and not options.quick:
        for precision in ("float32", "bfloat16"):  # the same on the machine's processor, once each
            way = Way(torch.device("cpu"), precision)
            yield training_row(world, way, seconds=0.0, warmup=0)
            yield anonymize_row(world, way, seconds=0.0, warmup=0)


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures by name."""
    found: dict[str, Any] = {}
    for row in rows:
        if row["part"] == "library":
            found.setdefault(f"p{row['p']}", {})[row["name"]] = {
                key: row.get(key) for key in ("steps_a_second", "passes", "share_of_peak", "peak_gb")
            }
        else:
            rate = "steps_a_second" if row["part"] == "training" else "pictures_a_second"
            way = f"{row['where']} {row['precision']}, {row['layout']}"
            found.setdefault(f"{row['part']}_{rate}", {})[way] = row[rate]
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most a second a measurement; no CPU beside a GPU")
    parser.add_argument("--device", default="cuda", help="what is measured")
    parser.add_argument("--size", type=int, nargs="+", default=[10**7, 10**9], help="numbers of parameters p")
    parser.add_argument("--width", type=int, default=64, help="width of the flagship's U-Net")
    parser.add_argument("--reviewer", default="resnet50", help="the flagship's reviewer")
    parser.add_argument("--side", type=int, default=112, help="height and width of its frames, in pixels")
    parser.add_argument("--frames", type=int, default=8, help="frames of a clip")
    parser.add_argument("--batch", type=int, default=16, help="clips of a step")
    parser.add_argument("--seconds", type=float, default=3.0, help="time to spend on each measurement")
    parser.add_argument("--commit", default="", help="what is measured, where it is no checkout")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv file that takes the rows; written anew")
    return parser


def _commit() -> str:
    """The commit measured, or "unknown" outside a checkout."""
    words = ["git", "describe", "--always", "--dirty"]
    try:
        git = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    except FileNotFoundError:
        return "unknown"
    return git.stdout.strip() or "unknown"


def _keep(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, fieldnames=COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _short(value) for key, value in row.items()} for row in rows)


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
