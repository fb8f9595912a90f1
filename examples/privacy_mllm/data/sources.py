"""Where clips come from, as the command line names it: ``world`` or ``folder:DIR``."""

from __future__ import annotations

from pathlib import Path

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.folder import check_answers, read_folder
from privacy_mllm.data.world import ATTRIBUTES, CANDIDATES, render_clips
from privacy_mllm.oracles.protocol import Oracle


def load_clips(source: str, split: str, count: int) -> Clips:
    """The clips of a split.

    Args:
        source: "world", or "folder:DIR" for the user's own pictures.
        split: "train", "validation" or "test".
        count: How many clips of the world are rendered; a folder gives at most these.

    Raises:
        ValueError: If the source is unknown, or a file of the folder is wrong; with file and line.
    """
    if source == "world":
        return render_clips(split, count)
    return read_folder(_folder_of(source), attribute_names=ATTRIBUTES, split=split).head(count)


def candidates_of(source: str, clips: Clips) -> dict[str, tuple[str, ...]]:
    """The answers among which the black box is to choose, by question: for the world those that it knows.

    For a folder they are the accepted answers of the clips themselves.

    Args:
        source: Where the clips come from.
        clips: The training clips.
    """
    if source == "world":
        return dict(CANDIDATES)
    found: dict[str, dict[str, None]] = {}
    for answers in clips.answers:
        for question, accepted in answers.items():
            found.setdefault(question, {}).update(dict.fromkeys(accepted))
    return {question: tuple(sorted(accepted)) for question, accepted in found.items()}


def check_source(source: str, clips: Clips, oracle: Oracle) -> None:
    """See that the oracle can give every answer that counts as right, before any call is paid.

    Args:
        source: Where the clips come from.
        clips: The clips.
        oracle: The black box; it is not asked.

    Raises:
        ValueError: If there is an answer that it can never give.
    """
    check_answers(clips, oracle, None if source == "world" else _folder_of(source))


def _folder_of(source: str) -> Path:
    kind, _, place = source.partition(":")
    if kind != "folder" or not place:
        raise ValueError(f"`data` must be 'world' or 'folder:DIR', got {source!r}.")
    return Path(place)
