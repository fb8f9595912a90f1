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

import torch

from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service

ROOT = Path(__file__).parents[2]
QUESTION = "What is the person doing?"
ACTIONS = {QUESTION: ("run", "running fast", "walk", "jump", "wave", "sit")}
KEY = "sk-planted-0123456789abcdef"
MODEL = "stub-vision"


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


def noise_clips(count: int = 1, frames: int = 1, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, frames, 3, 24, 32), dtype=torch.uint8, generator=generator)


def make_oracle(service: RunningService, *, timeout: float = 10.0, **options: Any) -> OpenAICompatibleOracle:
    names = {"max_retries", "concurrency", "requests_per_minute", "price_in", "price_out", "model", "key_variable"}
    where = {name: options.pop(name) for name in names & options.keys()}
    options.setdefault("candidates", ACTIONS)
    return OpenAICompatibleOracle(
        Service(**{"model": MODEL, "base_url": service.url, "timeout": timeout, **where}), **options
    )


def with_faults(name: str, *options: str) -> tuple[str, ...]:
    return ("--logprobs", "--fail-rate", "1", "--faults", name, *options)
