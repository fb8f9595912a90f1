"""Where clips come from, as the command line names it: ``world`` or ``folder:DIR``."""

from __future__ import annotations

from pathlib import Path

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.folder import check_answers, read_folder
from privacy_mllm.data.world import ATTRIBUTES, render_clips
from privacy_mllm.oracles.protocol import Oracle


def load_clips(source: str, split: str, count: int, oracle: Oracle) -> Clips:
    """The clips of a split, checked: everything that would fail later fails here, before any query.

    Args:
        source: "world", or "folder:DIR" for the user's own pictures.
        split: "train", "validation" or "test".
        count: How many clips of the world are rendered; a folder gives at most these.
        oracle: The black box that will be asked.

    Raises:
        ValueError: If the source is unknown, or a file of the folder is wrong; with file and line.
    """
    if source == "world":
        return render_clips(split, count)
    kind, _, place = source.partition(":")
    if kind != "folder" or not place:
        raise ValueError(f"`data` must be 'world' or 'folder:DIR', got {source!r}.")
    clips = read_folder(Path(place), attribute_names=ATTRIBUTES, split=split)
    check_answers(clips, oracle, Path(place))
    return clips.head(count)
