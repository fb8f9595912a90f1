"""A service that fails on purpose, as a process of its own on the loopback address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class RunningService:
    """Its address, and what it wrote down."""

    url: str
    path: Path

    def log(self) -> list[dict[str, Any]]:
        """One entry a request, in the order in which they were answered."""
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def tokens(self) -> tuple[int, int]:
        """Tokens sent and received that it bills."""
        return sum(entry["tokens_in"] for entry in self.log()), sum(entry["tokens_out"] for entry in self.log())


@contextmanager
def running_service(log: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[RunningService]:
    """The service while it runs, with the options of its command line."""
    command = [sys.executable, "-m", "benchmarks.durability.service", "--log", str(log), *options]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield RunningService(process.stdout.readline().strip(), log)
    finally:
        process.kill()
        process.communicate()
