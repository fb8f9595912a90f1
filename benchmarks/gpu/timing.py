"""Seconds, memory and bandwidth of a device."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """How long something takes.

    Args:
        seconds: Median of a run.
        runs: Runs that were timed.
        peak_bytes: Most memory of the device that was held at once meanwhile; None where that is not known.
    """

    seconds: float
    runs: int
    peak_bytes: int | None


def measure(
    run: Callable[[], object], device: torch.device, *, seconds: float, warmup: int = 2, most: int = 200
) -> Timing:
    """Time runs one by one, each to the end of what it started on the device.

    Args:
        run: What is timed.
        device: Where it runs.
        seconds: Time to spend on runs that count; a slow one is taken once.
        warmup: Runs before; fewer where they take more than four times that time.
        most: Most runs that count.
    """
    started = time.perf_counter()
    for _ in range(warmup):
        _seconds(run, device)
        if time.perf_counter() - started > 4 * seconds:
            break
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    taken: list[float] = []
    while not taken or (sum(taken) < seconds and len(taken) < most):
        taken.append(_seconds(run, device))
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Timing(statistics.median(taken), len(taken), peak)


def peak_bandwidth(device: torch.device) -> float | None:
    """Bytes a second that the device's memory could move at best, by its clock and width; None if not known."""
    if device.type != "cuda":
        return None
    clock, width = (_attribute(device, number) for number in (_MEMORY_CLOCK, _MEMORY_WIDTH))
    return 2e3 * clock * width / 8 or None  # two transfers a cycle


_MEMORY_CLOCK, _MEMORY_WIDTH = 36, 37  # CU_DEVICE_ATTRIBUTE_..., in kHz and in bits


def _attribute(device: torch.device, number: int) -> int:
    """What the driver says of a device; 0 where it does not."""
    value = ctypes.c_int()
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    refused = driver.cuInit(0) or driver.cuDeviceGetAttribute(ctypes.byref(value), number, device.index or 0)
    return 0 if refused else value.value


def free_memory(device: torch.device) -> None:
    """Give memory that nobody uses back, so that the next measurement has all of it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    started = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
