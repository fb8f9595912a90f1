"""Clips before and after, made from a run's saved network; drawn at random with a fixed seed, never chosen.

No question is put to a service: what it said is taken from the run's ledger. A black box that runs on this machine is
asked. Raw pictures are shown of the rendered world alone, unless the user allows more.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.sources import candidates_of, load_clips
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.metrics import same_words
from privacy_mllm.oracles.protocol import Answer, Oracle
from privacy_mllm.oracles.settings import OracleConfig, open_oracle
from privacy_mllm.report.model import Asked, Entry, Example, Reply
from privacy_mllm.runs import CHECKPOINT, LEDGER, Run, load_anonymizer

NUM_EXAMPLES = 6
NUM_DRAWN_FROM = 100
MAX_EDGE = 320
SMALL = 128
NUM_QUESTIONS = 4

Ask: TypeAlias = "Callable[[Tensor, str], Answer | None]"
"""From a clip and a question to what the black box said; None where it is not known."""


def add_examples(entry: Entry, folder: Path, *, with_raw: bool = False, count: int = NUM_EXAMPLES) -> Entry:
    """The same run with its examples, or with a remark why there are none.

    Args:
        entry: What was gathered of the run.
        folder: Its folder.
        with_raw: Whether raw pictures that are not rendered may be shown.
        count: How many clips.
    """
    if entry.is_comparison or not (folder / CHECKPOINT).is_file():
        return entry
    run = Run(folder)
    config, settings = run.read_config()
    try:
        clips = load_clips(config.data, "test", NUM_DRAWN_FROM)
    except (ValueError, OSError):
        return replace(entry, remark="No pictures, because the data could not be read.")
    shows_raw = config.data == "world" or with_raw
    network = NetworkAnonymizer(load_anonymizer(folder).network, "trained")
    ask, remark = _way_to_answers(folder, config, settings)
    question = config.question or all_questions(clips)[0]
    examples = [
        replace(
            _example(_row(clips, row), network, question, ask, shows_raw=shows_raw),
            clip=f"{config.data} {number}",
        )
        for number, row in enumerate(_drawn(clips, question, count), start=1)
    ]
    if not shows_raw:
        remark = f"Raw pictures are left out; --with-raw shows them. {remark}".strip()
    return replace(entry, examples=tuple(examples), remark=remark)


def to_reply(answer: Answer, accepted: Sequence[str]) -> Reply:
    """An answer as the page tells it.

    Args:
        answer: What the black box said.
        accepted: The right answers.
    """
    right = any(same_words(answer.text, word) for word in accepted)
    scores = answer.logprobs or {}
    if answer.text not in scores:
        return Reply(answer.text, right, None)
    highest = max(scores.values())
    shares = {word: math.exp(score - highest) for word, score in scores.items()}
    return Reply(answer.text, right, shares[answer.text] / sum(shares.values()))


def to_data_uri(frames: Tensor, columns: int) -> str:
    """The frames of a clip in rows, as a WebP picture in an address of its own; small ones exactly as they are.

    Args:
        frames: ``uint8 [t, 3, h, w]``.
        columns: Frames in a row.
    """
    exact = max(frames.shape[-2:]) <= SMALL
    missing = -len(frames) % columns
    shown = F.pad(_shrunk(frames), (0, 0, 0, 0, 0, 0, 0, missing))
    rows = [torch.cat(list(row), dim=2) for row in shown.split(columns)]
    buffer = io.BytesIO()
    pixels = torch.cat(rows, dim=1).permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=exact, quality=90, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _drawn(clips: Clips, question: str, count: int) -> list[int]:
    """Rows of the clips that are shown."""
    asked = [row for row, answers in enumerate(clips.answers) if question in answers]
    order = torch.randperm(len(asked), generator=torch.Generator().manual_seed(0))[:count]
    return [asked[int(index)] for index in order]


def _row(clips: Clips, row: int) -> Clips:
    """One clip."""
    return replace(
        clips,
        frames=clips.frames[row : row + 1],
        attributes=clips.attributes[row : row + 1],
        answers=clips.answers[row : row + 1],
        names=clips.names[row : row + 1],
        people=None,
    )


def _example(clip: Clips, network: NetworkAnonymizer, main: str, ask: Ask, *, shows_raw: bool) -> Example:
    before, after = clip.frames[0], network.anonymize(clip)[0]
    columns = math.ceil(math.sqrt(len(before)))
    answers = clip.answers[0]
    questions = sorted(answers, key=lambda question: question != main)[:NUM_QUESTIONS]
    height, width = _shrunk(before).shape[-2:]
    return Example(
        clip="",
        frames=len(before),
        columns=columns,
        size=(height * math.ceil(len(before) / columns), width * columns),
        before=to_data_uri(before, columns) if shows_raw else None,
        after=to_data_uri(after, columns),
        asked=tuple(
            Asked(
                question,
                answers[question],
                before=_reply(ask(before, question), answers[question]),
                after=_reply(ask(after, question), answers[question]),
            )
            for question in questions
        ),
    )


def _reply(answer: Answer | None, accepted: Sequence[str]) -> Reply | None:
    return None if answer is None else to_reply(answer, accepted)


def _shrunk(frames: Tensor) -> Tensor:
    """Frames of at most ``MAX_EDGE`` pixels on a side."""
    height, width = frames.shape[-2:]
    ratio = MAX_EDGE / max(height, width)
    if ratio >= 1:
        return frames
    size = (max(1, round(height * ratio)), max(1, round(width * ratio)))
    small = F.interpolate(frames.float(), size=size, mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8)


def _way_to_answers(folder: Path, config: TrainConfig, settings: OracleConfig) -> tuple[Ask, str]:
    """How answers are had, and what the reader should know of it."""
    try:
        oracle = open_oracle(settings, candidates_of(config.data))
    except (ImportError, ValueError, OSError):
        return (lambda _clip, _question: None), "The black box could not be opened, so its answers are not shown."
    if settings.kind != "openai":
        return (lambda clip, question: oracle.ask(clip[None], [question])[0]), ""
    return _from_ledger(folder / LEDGER, oracle), "Answers are those that the run paid for; nothing was asked anew."


def _from_ledger(file: Path, oracle: Oracle) -> Ask:
    """Look answers up by what was asked."""
    known: dict[str, Answer] = {}
    if file.is_file():
        with zo.LedgerReader(file) as reader:
            answered = [row for row in reader.rows() if row["reply"] is not None]
        known = {row["key"]: Answer.from_json(json.loads(row["reply"])) for row in answered}
    return lambda clip, question: known.get(zo.payload_key((oracle.name, question, clip)))
