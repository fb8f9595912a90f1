"""UCF101: 101 actions, three published splits.

``ROOT/ucfTrainTestlist/classInd.txt`` numbers the actions from 1; ``trainlist0<1, 2 or 3>.txt`` and
``testlist0<...>.txt`` list ``<Action>/<video>.avi``, with the number behind it or not. The videos are in
``ROOT/UCF-101/<Action>/<video>.avi``, or their frames in ``ROOT/frames/<Action>/<video>/``.

Reference:
    Soomro, Zamir, Shah, *UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild*, 2012.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from privacy_mllm.data._files import file_name, read_lines
from privacy_mllm.media import TableError

FOLDER = "ucfTrainTestlist"
NUM_SPLITS = 3


@dataclass(frozen=True)
class UcfVideo:
    """One line of a list.

    Args:
        name: The video's name without ``.avi``.
        action: Name of its folder, which alone decides the action: the videos of ``HandstandPushups`` are called
            ``v_HandStandPushups_...``.
        label: Number of the action, from 0.
        part: "train" or "test".
        where: File and line.
    """

    name: str
    action: str
    label: int
    part: str
    where: str

    @property
    def recording(self) -> str:
        """Name of what the video was cut from: its name without the number of the cut."""
        return self.name.rpartition("_c")[0] or self.name


def read_ucf101(root: Path, *, split: int = 1) -> tuple[UcfVideo, ...]:
    """The videos of one split, those for training first, in the order of the lists; opens no video.

    Args:
        root: Folder with ``ucfTrainTestlist``, or that folder itself.
        split: 1, 2 or 3.

    Raises:
        TableError: If a list is missing or a line is wrong; with file and line.
        ValueError: If `split` is out of range.
    """
    if split not in range(1, NUM_SPLITS + 1):
        raise ValueError(f"`split` must be 1, 2 or 3, got {split}.")
    folder = find_lists(root)
    labels = read_actions(folder)
    found: dict[str, UcfVideo] = {}
    for part in ("train", "test"):
        for where, text in read_lines(folder / f"{part}list{split:02d}.txt"):
            video = _read_line(text, where, part, labels)
            if video.name in found:
                raise TableError(f"{where}: {video.name} is listed already in {found[video.name].where}.")
            found[video.name] = video
    return tuple(found.values())


def find_lists(root: Path) -> Path:
    """The folder of the lists: ``ROOT/ucfTrainTestlist``, or ROOT itself."""
    return root / FOLDER if (root / FOLDER).is_dir() else root


def read_actions(folder: Path) -> dict[str, int]:
    """The actions of ``classInd.txt`` with their labels, counted from 0.

    Raises:
        TableError: If it is missing, or a line is wrong; with file and line.
    """
    labels: dict[str, int] = {}
    for where, text in read_lines(folder / "classInd.txt"):
        words = text.split()
        if len(words) != 2 or words[0] != str(len(labels) + 1):
            raise TableError(f"{where} must be '{len(labels) + 1} <Action>', got {text[:80]!a}.")
        action = file_name(words[1], where)
        if action in labels:
            raise TableError(f"{where}: {action} has number {labels[action] + 1} already.")
        labels[action] = len(labels)
    if not labels:
        raise TableError(f"{folder / 'classInd.txt'} lists no action.")
    return labels


def display_name(action: str) -> str:
    """An action as a person would say it.

    Example:
        >>> display_name("ApplyEyeMakeup")
        'apply eye makeup'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", action).lower()


def _read_line(text: str, where: str, part: str, labels: Mapping[str, int]) -> UcfVideo:
    file, *numbers = text.split()
    action, _, video = file.partition("/")
    if action not in labels:
        raise TableError(f"{where} must begin with '<Action>/' of classInd.txt, got {text[:80]!a}.")
    if not video.endswith(".avi") or len(numbers) > 1:
        raise TableError(f"{where} must be '<Action>/<video>.avi', with a number or not, got {text[:80]!a}.")
    if numbers and numbers[0] != str(labels[action] + 1):
        raise TableError(f"{where}: {action} has number {labels[action] + 1} in classInd.txt, got {numbers[0][:20]!a}.")
    return UcfVideo(file_name(video[: -len(".avi")], where), action, labels[action], part, where)
