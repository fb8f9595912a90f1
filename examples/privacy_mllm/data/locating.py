"""Where the clips of published data sets lie: each may be a video, a folder of frames, or a ``.npy`` file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from privacy_mllm.data.reading import Item
from privacy_mllm.media import MediaError
from privacy_mllm.media.kinds import VIDEO_FORMATS

HMDB_FOLDERS = ("hmdb51_org", "videos", "frames", "")
UCF_FOLDERS = ("UCF-101", "videos", "frames", "")
IMAGE_FOLDERS = ("images", "")


def find_video(root: Path, folders: Sequence[str], action: str, name: str) -> Path:
    """Where a video lies; where it should lie if it is nowhere.

    Args:
        root: The data set.
        folders: Folders below the root that may have a folder for each action, the usual one first.
        action: Name of the action's folder.
        name: The video's name without its suffix.
    """
    # `.avi` first: that is how they are published; without a suffix it is a folder of frames.
    endings = (".avi", "", ".npy", *(suffix for suffix in VIDEO_FORMATS if suffix != ".avi"))
    # The name is joined, never matched: names hold brackets, `#`, `!` and `&`.
    places = [root / folder / action / (name + ending) for folder in folders for ending in endings]
    return next((place for place in places if place.exists()), places[0])


def find_image(root: Path, folders: Iterable[str], name: str) -> Path:
    """Where an image lies; where it should lie if it is nowhere.

    Args:
        root: The data set.
        folders: Folders below the root that may hold it, the usual one first.
        name: Its file name.
    """
    places = [root / folder / name for folder in folders]
    return next((place for place in places if place.is_file()), places[0])


def check_present(items: Sequence[Item], *, advice: str) -> None:
    """Refuse clips whose files are missing, before anything is read.

    Args:
        items: The clips.
        advice: What to do, for the message.

    Raises:
        MediaError: If a file is missing; names the first and says how many there are.
    """
    missing = [item.path for item in items if not item.path.exists()]
    if missing:
        raise MediaError(f"{missing[0]} is missing, as are {len(missing) - 1} more of {len(items)} clips: {advice}")
