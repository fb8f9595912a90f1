"""The command ``privacy-mllm report``: runs and comparisons as one page."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from privacy_mllm import display
from privacy_mllm.report import FILE, write_report


def run(options: Namespace) -> int:
    """Write the page and say where it is.

    Args:
        options: ``folders``, ``output``, ``with_raw`` of the command line.

    Returns:
        Exit code 0.
    """
    write(options.folders, options.output, with_raw=options.with_raw)
    return 0


def add_report(folder: Path) -> None:
    """Write the page of a run or a comparison into its own folder, and say where it is.

    Args:
        folder: The folder.
    """
    write([folder], folder / FILE)


def write(folders: Sequence[Path], file: Path, *, with_raw: bool = False) -> None:
    """Write a page and say where it is.

    Args:
        folders: Runs and comparisons.
        file: Where it goes.
        with_raw: Whether raw pictures stand in it whatever they show.
    """
    words = ["report", *map(str, folders), "-o", str(file), *(["--with-raw"] if with_raw else [])]
    write_report(folders, file, with_raw=with_raw, command=f"privacy-mllm {shlex.join(words)}")
    display.say(f"report   {file} ({file.stat().st_size / 1e6:.1f} MB; open it in a browser)")
