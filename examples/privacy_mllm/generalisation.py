"""What a method is worth on what its training saw, beside what was withheld from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.held_out import HeldOut
from privacy_mllm.metrics import class_mean_average_precision
from privacy_mllm.results import Generalisation, Side

Mask = npt.NDArray[np.bool_]
Losses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Verdicts:
    """All that was found about one method's pictures.

    Args:
        method: Its name.
        losses: By question, 0 for a right and 1 for a wrong answer, NaN where it was not asked of a clip or the call
            failed, ``[n]``.
        logits: The strongest attacker's verdicts on the labelled clips, ``[m, k]``.
    """

    method: str
    losses: Mapping[str, Losses]
    logits: Tensor


_ASKED_BY = {"answer": "clips", "question": "columns"}
_READ_BY = {"answer": "clips", "attribute": "columns"}


def generalisation(kind: str, held_out: HeldOut, test: Clips, labelled: Clips, verdicts: Verdicts) -> Generalisation:
    """One method's figures on both parts of the test.

    What is no part of the difference stands on the side of training alone: the answers, where an attribute was held
    out; the leakage, where a question was.

    Args:
        kind: "attribute", "answer" or "question".
        held_out: What was held out; of its ``test`` the names, questions and attributes count.
        test: The judged clips with questions.
        labelled: The judged clips with attributes, which may be others.
        verdicts: What was found about them.
    """
    unseen = held_out.test
    clips, shown = _mask(test.names, unseen.names), _mask(labelled.names, unseen.names)
    questions = _mask(tuple(verdicts.losses), tuple(all_questions(unseen)))
    attributes = _mask(labelled.attribute_names, unseen.attribute_names)
    asked = _parts(clips, questions, _ASKED_BY.get(kind))
    read = _parts(shown, attributes, _READ_BY.get(kind) if shown.any() else None)
    sides = [
        Side(_answers(verdicts, *about), *_leakage(verdicts, labelled, *of))
        for about, of in zip(asked, read, strict=True)
    ]
    return Generalisation(verdicts.method, *sides)


def _mask(all_names: tuple[str, ...], names: tuple[str, ...]) -> Mask:
    chosen = set(names)
    return np.array([name in chosen for name in all_names], dtype=np.bool_)


def _parts(clips: Mask, columns: Mask, by: str | None) -> tuple[tuple[Mask, Mask], tuple[Mask, Mask]]:
    """Clips and columns of the seen and of the unseen part; all are seen where they do not differ."""
    all_clips, all_columns = np.ones_like(clips), np.ones_like(columns)
    if by == "clips":
        return (~clips, all_columns), (clips, all_columns)
    if by == "columns":
        return (all_clips, ~columns), (all_clips, columns)
    return (all_clips, all_columns), (~all_clips, all_columns)


def _answers(verdicts: Verdicts, clips: Mask, questions: Mask) -> float:
    """Right answers in percent, each question counting the same; NaN where nothing was asked."""
    asked = [losses[clips] for losses, taken in zip(verdicts.losses.values(), questions, strict=True) if taken]
    known = [losses[~np.isnan(losses)] for losses in asked]
    right = [100 * (1 - float(losses.mean())) for losses in known if len(losses)]
    return float(np.mean(right)) if right else math.nan


def _leakage(verdicts: Verdicts, labelled: Clips, clips: Mask, columns: Mask) -> tuple[float, float]:
    """What the attacker reads, and what one reads who sees nothing; NaN where there is nothing to be read."""
    labels = labelled.attributes.numpy()[clips][:, columns]
    if not labels.any():
        return math.nan, math.nan
    found = class_mean_average_precision(verdicts.logits.numpy()[clips][:, columns], labels)
    return found.value, found.chance
