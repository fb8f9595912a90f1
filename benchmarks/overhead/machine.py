"""What was measured, and on what; no name of a host."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import torch

CPU = Path("/proc/cpuinfo")
ROOT = Path(__file__).parents[2]


def commit() -> str:
    """The commit measured, or "unknown" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        git = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except FileNotFoundError:
        return "unknown"
    return git.stdout.strip() or "unknown"


def load() -> str:
    """How busy the machine was in the last minute, in cores; figures of a busy one are worth less."""
    return f"{os.getloadavg()[0]:.1f} cores busy before" if hasattr(os, "getloadavg") else "load unknown"


def words() -> str:
    """Processor, cores, and versions that decide the figures."""
    python, system = platform.python_version(), platform.system()
    return f"{_processor()}, {os.cpu_count()} cores, {system}, Python {python}, torch {torch.__version__}"


def _processor() -> str:
    lines = CPU.read_text(encoding="utf-8").splitlines() if CPU.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
