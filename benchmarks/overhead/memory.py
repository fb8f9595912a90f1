"""Peak memory of this process by the kernel's count.

The kernel's high-water mark of resident memory counts whatever asked for it: torch, numpy and compiled code alike,
which a tracer of Python's allocations would miss. It is read from ``/proc/self/status``, since the ``ru_maxrss`` of a
fresh process starts at what its parent had. Where there is no ``/proc`` the peak is not measured.
"""

from __future__ import annotations

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
MACHINE = Path("/proc/meminfo")


def peak_bytes() -> int | None:
    """Highest resident memory since :func:`start_peak`."""
    return _entry(STATUS, "VmHWM") if STATUS.exists() else None


def start_peak() -> int | None:
    """Forget the peak so far; the resident memory now."""
    try:
        RESET.write_text("5", encoding="ascii")
    except OSError:
        return None
    return _entry(STATUS, "VmRSS")


def limit(num_bytes: int) -> None:
    """Let allocations beyond this fail with ``MemoryError`` in place of taking the machine down."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (num_bytes, hard))


def machine_bytes() -> int:
    """Memory that the machine has left."""
    if not MACHINE.exists():
        return 8 * 1024**3
    return _entry(MACHINE, "MemAvailable") or 8 * 1024**3


def _entry(file: Path, name: str) -> int | None:
    for line in file.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return 1024 * int(value.split()[0])
    return None
