"""Where the time of ``privacy-mllm demo`` goes: processor seconds of each part.

    python -m benchmarks.demo_profile [--quick]

A part's seconds are those of the threads that ran it, without the parts that it calls. The last line printed is one
JSON object. Takes as long as the demo.
"""

from __future__ import annotations

import argparse
import csv
import functools
import importlib
import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "demo_profile.csv"

PARTS = (
    ("privacy_mllm.data.sources", "render_clips", "renderer"),
    ("privacy_mllm.models.motion:Motion", "forward", "anonymizer, forward"),
    ("zoopt_mo", "backward", "training, the rest of the steps"),
    ("privacy_mllm.train:Training", "_move", "training, the rest of the steps"),
    ("privacy_mllm.oracles.embedded:EmbeddedOracle", "ask", "black box"),
    ("privacy_mllm.reviewers.attack", "train_reviewer", "attackers, training"),
    ("privacy_mllm.reviewers.attack", "review", "reviewers, reading"),
    ("privacy_mllm.evaluate", "review", "reviewers, reading"),
    ("privacy_mllm.leakage", "embed", "reviewers, reading"),
    ("privacy_mllm.leakage", "report_leakage", "leakage in bits"),
    ("privacy_mllm.methods:Blur", "anonymize", "blur"),
    ("privacy_mllm.methods:SelectivePrivacy", "anonymize", "SelectivePrivacy"),
    ("privacy_mllm.methods:Downsample", "anonymize", "other classical methods"),
    ("privacy_mllm.methods:FrameDifference", "anonymize", "other classical methods"),
    ("privacy_mllm.methods:Black", "anonymize", "other classical methods"),
)
"""Where a part is looked up when it is called, its name there, and how the table calls it."""


class Stopwatch:
    """Processor seconds of functions, in whatever threads they run; what they call of each other counts once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock, self._local = threading.Lock(), threading.local()

    def watch(self, owner: Any, name: str, part: str) -> None:  # noqa: ANN401 - a module or a class
        """Count the seconds of a function from now on."""
        setattr(owner, name, self._timed(getattr(owner, name), part))

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            inner = self._local.__dict__.setdefault("inner", [])
            inner.append(0.0)
            began = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                took = time.thread_time() - began
                own = took - inner.pop()
                if inner:
                    inner[-1] += took
                with self._lock:
                    self.seconds[part] += own

        return timed


def main() -> None:
    """Run the demo, print where its time went, and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="the demo in miniature")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv file to write")
    options = parser.parse_args()
    stopwatch = Stopwatch()
    for place, name, part in PARTS:
        module, _, inside = place.partition(":")
        owner = importlib.import_module(module)
        stopwatch.watch(getattr(owner, inside) if inside else owner, name, part)
    wall, processor = time.monotonic(), time.process_time()
    _run_demo(quick=options.quick)
    wall, processor = time.monotonic() - wall, time.process_time() - processor
    rows = sorted(stopwatch.seconds.items(), key=lambda row: -row[1])
    rows.append(("everything else", processor - sum(stopwatch.seconds.values())))
    _keep(options.results, [*rows, ("all", processor)])
    for part, seconds in rows:
        print(f"{part:32} {seconds:7.1f} s {100 * seconds / processor:5.1f} %")
    print(json.dumps({"processor_s": round(processor, 1), "wall_s": round(wall, 1)}))


def _run_demo(*, quick: bool) -> None:
    from privacy_mllm.cli import main as command

    with tempfile.TemporaryDirectory() as folder:
        code = command(["demo", "--runs", folder, *(["--quick"] if quick else [])])
    if code != 0:
        raise RuntimeError(f"The demo ended with exit code {code}.")


def _keep(path: Path, rows: list[tuple[str, float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("part", "processor_s"))
        writer.writerows((part, f"{seconds:.2f}") for part, seconds in rows)


if __name__ == "__main__":
    main()
