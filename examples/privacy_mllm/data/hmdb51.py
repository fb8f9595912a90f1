"""HMDB51: 51 actions, three published splits of 70 training and 30 test videos an action.

``ROOT/testTrainMulti_7030_splits/<action>_test_split<1, 2 or 3>.txt`` has a line ``<video>.avi <code>`` for each video
of an action: 1 for training, 2 for test, 0 for neither in this split. The videos are in
``ROOT/hmdb51_org/<action>/<video>.avi``, or their frames in ``ROOT/frames/<action>/<video>/``.

Reference:
    Kuehne et al., *HMDB: A Large Video Database for Human Motion Recognition*, ICCV 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from privacy_mllm.data._files import file_name, read_lines
from privacy_mllm.media import TableError

ACTIONS = tuple(
    """
    brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword dribble drink eat fall_floor fencing
    flic_flac golf handstand hit hug jump kick kick_ball kiss laugh pick pour pullup punch push pushup ride_bike
    ride_horse run shake_hands shoot_ball shoot_bow shoot_gun sit situp smile smoke somersault stand
    swing_baseball sword sword_exercise talk throw turn walk wave
    """.split()  # noqa: SIM905 - a table
)
"""The actions in the order of their labels, 0 to 50."""

FOLDER = "testTrainMulti_7030_splits"
NUM_SPLITS = 3

_PARTS = {"1": "train", "2": "test", "0": "unused"}


@dataclass(frozen=True)
class HmdbVideo:
    """One line of a split.

    Args:
        name: The video's name without ``.avi``.
        action: One of ``ACTIONS``.
        part: "train", "test", or "unused" in this split.
        where: File and line.
    """

    name: str
    action: str
    part: str
    where: str

    @property
    def label(self) -> int:
        """Number of the action, from 0."""
        return ACTIONS.index(self.action)

    @property
    def recording(self) -> str:
        """Name of what the video was cut from: all before the action in its name."""
        return self.name.rpartition(f"_{self.action}_")[0] or self.name


def read_hmdb51(root: Path, *, split: int = 1) -> tuple[HmdbVideo, ...]:
    """The videos of one split, in the order of the actions and of each file's lines; opens no video.

    Args:
        root: Folder with ``testTrainMulti_7030_splits``, or that folder itself.
        split: 1, 2 or 3.

    Raises:
        TableError: If there is no list, a list is of no known action, or a line is wrong; with file and line.
        ValueError: If `split` is out of range.
    """
    if split not in range(1, NUM_SPLITS + 1):
        raise ValueError(f"`split` must be 1, 2 or 3, got {split}.")
    lists = find_lists(root, split)
    found: dict[str, HmdbVideo] = {}
    for action in ACTIONS:
        for video in _read_list(lists[action], action) if action in lists else ():
            if video.name in found:
                raise TableError(f"{video.where}: {video.name} is listed already in {found[video.name].where}.")
            found[video.name] = video
    return tuple(found.values())


def find_lists(root: Path, split: int) -> dict[str, Path]:
    """The lists of a split, by action.

    Raises:
        TableError: If there is none, or one is named after no known action.
    """
    folder = root / FOLDER if (root / FOLDER).is_dir() else root
    ending = f"_test_split{split}.txt"
    # The whole name but its ending: `climb` must not find the list of `climb_stairs`.
    files = [] if not folder.is_dir() else [path for path in folder.iterdir() if path.name.endswith(ending)]
    if not files:
        raise TableError(f"{root / FOLDER} has no lists <action>{ending}: unpack test_train_splits.rar there.")
    lists = {path.name[: -len(ending)]: path for path in files}
    unknown = sorted(set(lists) - set(ACTIONS))
    if unknown:
        raise TableError(f"{lists[unknown[0]]} is named after {unknown[0]!r}, which is no action of HMDB51.")
    return lists


def display_name(action: str) -> str:
    """An action as a person would say it.

    Example:
        >>> display_name("climb_stairs")
        'climb stairs'
    """
    return action.replace("_", " ")


def _read_list(path: Path, action: str) -> tuple[HmdbVideo, ...]:
    return tuple(_read_line(text, where, action) for where, text in read_lines(path))


def _read_line(text: str, where: str, action: str) -> HmdbVideo:
    words = text.rsplit(maxsplit=1)
    if len(words) != 2 or words[1] not in _PARTS or not words[0].endswith(".avi"):
        raise TableError(f"{where} must be '<video>.avi <0, 1 or 2>', got {text[:80]!a}.")
    name = file_name(words[0][: -len(".avi")], where)
    return HmdbVideo(name, action, _PARTS[words[1]], where)
