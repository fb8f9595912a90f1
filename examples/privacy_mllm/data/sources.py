"""Where clips come from, as the command line names it: ``world``, ``folder:DIR``, or a published data set.

``hmdb51:DIR``, ``ucf101:DIR``, ``vispr:DIR``, ``pa-hmdb51:DIR``, ``okvqa:DIR``, ``okvqa-privacy:DIR``; options follow a
question mark, as in ``hmdb51:DIR?split=2&frames=16&size=112``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from privacy_mllm.data._tables import SPLITS, read_tables
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.datasets import DATA_SETS, DataSet, shuffled, to_clips
from privacy_mllm.data.folder import check_answers, read_folder
from privacy_mllm.data.lazy import CACHE_BYTES
from privacy_mllm.data.locating import check_present
from privacy_mllm.data.reading import Reading
from privacy_mllm.data.splits import check_disjoint
from privacy_mllm.data.world import ATTRIBUTES, CANDIDATES, render_clips
from privacy_mllm.oracles.protocol import Oracle

_MIB = 1 << 20
_READING = {"frames": "4", "size": "64", "sampling": "even", "crop": "centre", "seed": "0"}
_CACHE = {"cache": str(CACHE_BYTES // _MIB)}


@dataclass(frozen=True)
class Source:
    """What the name of a source says.

    Args:
        kind: "world", "folder", or one of ``DATA_SETS``.
        root: Its folder.
        options: Its options, with the defaults of those that are not named; none for the world.
    """

    kind: str
    root: Path
    options: Mapping[str, str]

    @property
    def data_set(self) -> DataSet:
        """What can be done with it, if it is a published data set."""
        return DATA_SETS[self.kind]

    @property
    def reading(self) -> Reading:
        """How its clips are read."""
        whole = {name: _number(self.options, name) for name in ("frames", "size", "seed")}
        return Reading(**whole, sampling=self.options["sampling"], crop=self.options["crop"])


def parse_source(text: str) -> Source:
    """Read the name of a source.

    Args:
        text: As typed.

    Raises:
        ValueError: If the kind or an option is unknown, or an option has no value.

    Example:
        >>> source = parse_source("ucf101:/data/ucf?split=2&size=112")
        >>> source.root.name, source.options["split"], source.reading.size
        ('ucf', '2', 112)
    """
    if text == "world":
        return Source("world", Path(), {})
    kind, _, rest = text.partition(":")
    place, options = _options_of(rest)
    if kind not in ("folder", *DATA_SETS) or not place:
        kinds = ", ".join(f"'{name}:DIR'" for name in ("folder", *DATA_SETS))
        raise ValueError(f"`data` must be 'world' or one of {kinds}, got {text!r}.")
    known = {"frames": "4", "size": "64", **_CACHE}
    if kind != "folder":
        data_set = DATA_SETS[kind]
        known = {**_READING, "frames": str(data_set.frames), **_CACHE, **data_set.options}
    for name in options:
        if name not in known:
            raise ValueError(f"`data` may have the options {', '.join(known)} for {kind}, got {name!r}.")
    return Source(kind, Path(place), known | options)


def load_clips(source: str, split: str, count: int) -> Clips:
    """The clips of a split.

    Those of a published data set come in a fixed random order, for its lists are sorted by class. Their pictures are
    read when they are needed.

    Args:
        source: Name of the source.
        split: "train", "validation" or "test".
        count: How many clips of the world are rendered; other sources give at most these.

    Raises:
        ValueError: If the source is unknown, a file says something wrong (with file and line) or is missing, or a clip
            is in training and in test.
    """
    parsed = parse_source(source)
    if parsed.kind != "world" and split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    if parsed.kind == "world":
        return _rendered(split, count)
    if parsed.kind == "folder":
        return _read_folder(parsed, split).head(count)
    return _read_data_set(parsed, split, count)


@lru_cache(maxsize=2)
def _rendered(split: str, count: int) -> Clips:
    """Clips of the world; the last two splits are kept, since a command that trains wants the same ones to judge."""
    return render_clips(split, count)


def candidates_of(source: str) -> dict[str, tuple[str, ...]]:
    """The answers among which the black box is to choose, by question; a question without an entry is open.

    For the world those that it knows, for a data set of actions all actions. For a folder they are the accepted answers
    of all of its clips, those that are tested among them. The questions of OK-VQA are open.

    Args:
        source: Name of the source.
    """
    parsed = parse_source(source)
    if parsed.kind == "world":
        return dict(CANDIDATES)
    if parsed.kind != "folder":
        return parsed.data_set.candidates(parsed.root, parsed.options)
    found: dict[str, dict[str, None]] = {}
    for record in read_tables(parsed.root)[1]:
        for one in record.questions:
            found.setdefault(one.question, {}).update(dict.fromkeys(one.answers))
    return {question: tuple(sorted(accepted)) for question, accepted in found.items()}


def check_source(source: str, clips: Clips, oracle: Oracle) -> None:
    """See that the oracle can give every answer that counts as right, before any call is paid.

    Args:
        source: Name of the source.
        clips: The clips.
        oracle: The black box; it is not asked.

    Raises:
        ValueError: If there is an answer that it can never give.
    """
    parsed = parse_source(source)
    check_answers(clips, oracle, parsed.root if parsed.kind == "folder" else None)


def check_sources(asked: str, labelled: str) -> None:
    """Refuse two sources of which one trains on what the other tests on; reads lists, no pixels.

    Args:
        asked: The source of clips with questions.
        labelled: The source of clips with private attributes; empty for the same.

    Raises:
        ValueError: If a clip is in the training of one and in the test of the other.
    """
    if labelled in ("", asked):
        return
    names = {(source, split): _names(source, split) for source in (asked, labelled) for split in ("train", "test")}
    hint = "With hmdb51:DIR?pa=DIR the videos of PA-HMDB51 are left out of the training."
    check_disjoint(names[asked, "train"], names[labelled, "test"], hint=hint)
    check_disjoint(names[labelled, "train"], names[asked, "test"], hint=hint)


def _names(source: str, split: str) -> tuple[str, ...]:
    """What a split is made of; nothing for the world, whose clips are in no other source."""
    parsed = parse_source(source)
    if parsed.kind == "world":
        return ()
    if parsed.kind == "folder":
        return tuple(record.file for record in read_tables(parsed.root)[1] if record.split == split)
    entries = parsed.data_set.entries(parsed.root, parsed.options, split, parsed.reading)
    return tuple(entry.item.name for entry in entries)


def _read_folder(source: Source, split: str) -> Clips:
    """A folder's clips; the attributes of the world in its order, for the shipped reviewer reads them so."""
    names = read_tables(source.root)[0]
    wanted = ATTRIBUTES if set(names) == set(ATTRIBUTES) else names
    frames, size, cache = (_number(source.options, name) for name in ("frames", "size", "cache"))
    return read_folder(
        source.root, attribute_names=wanted, frames=frames, size=size, split=split, cache_bytes=cache * _MIB
    )


def _read_data_set(source: Source, split: str, count: int) -> Clips:
    data_set, options, reading = source.data_set, source.options, source.reading
    if data_set.trains_on_pictures and split != "test":
        reading = replace(reading, frames=1)
    entries = shuffled(data_set.entries(source.root, options, split, reading))[:count]
    if not entries:
        raise ValueError(f"{source.root} has no clip of {source.kind} in the split {split!r}.")
    advice = f"`privacy-mllm data check {source.kind} {source.root}` lists them all."
    check_present([entry.item for entry in entries], advice=advice)
    cache = _number(options, "cache") * _MIB
    return to_clips(entries, data_set.columns(options), reading, cache_bytes=cache)


def _options_of(rest: str) -> tuple[str, dict[str, str]]:
    """Folder and options; a question mark in the name of a folder that is there begins no options."""
    place, mark, text = rest.rpartition("?")
    if not mark or Path(rest).exists():
        return rest, {}
    options = {}
    for part in text.split("&"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(f"`data` must have options of the form name=value, got {part!r}.")
        options[name] = value
    return place, options


def _number(options: Mapping[str, str], name: str) -> int:
    try:
        return int(options[name])
    except ValueError:
        raise ValueError(f"`{name}` must be a whole number, got {options[name]!r}.") from None
