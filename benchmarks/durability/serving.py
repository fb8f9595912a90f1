"""The failing service as a process of its own, and its log."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Running:
    """A service that runs: its address, and the file it writes down every request in."""

    url: str
    path: Path

    def log(self) -> list[dict[str, Any]]:
        """One entry a request, in the order in which they were answered."""
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


@contextmanager
def running_service(log: Path, *options: str) -> Iterator[Running]:
    """The service while it runs, with the options of its command line."""
    command = [sys.executable, "-m", "benchmarks.durability.service", "--log", str(log), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url:
            raise RuntimeError("The service did not start.")
        yield Running(url, log)
    finally:
        process.kill()
        process.communicate()
