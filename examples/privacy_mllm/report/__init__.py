"""A run, several, or a comparison as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from privacy_mllm.report.examples import add_examples
from privacy_mllm.report.gather import distinct, gather
from privacy_mllm.report.page import to_html, to_page

__all__ = ["FILE", "to_page", "write_report"]

FILE = "report.html"


def write_report(folders: Sequence[Path], file: Path, *, with_raw: bool = False, command: str = "") -> None:
    """Write the page of some runs and comparisons.

    Nothing is sent anywhere, and no paid question is put. Raw pictures that are not rendered are left out.

    Args:
        folders: Runs, or outputs of ``compare``; at least one.
        file: Where the page goes; written over if it exists.
        with_raw: Whether raw pictures stand in it whatever they show.
        command: The command that the page names as its own.

    Raises:
        FileNotFoundError: If a folder is neither a run nor a comparison.
    """
    found = [add_examples(gather(folder), folder, with_raw=with_raw) for folder in folders]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(to_html(distinct(found), command=command), encoding="utf-8")
