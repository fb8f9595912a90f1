"""What an anonymizer is worth: answers still right, and private attributes still readable.

Leakage is read three ways. The frozen reviewer is the paper's measure, and it flatters: it never saw anonymized
pictures. The attacker is the same network fine-tuned on anonymized pictures with true labels; its number is the one to
believe. A trained anonymizer is attacked twice, from the raw reviewer and from the one that learned along with it, and
the stronger attack counts. The blind base rate is what an attacker reads who sees nothing at all.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np

import zoopt_mo as zo
from privacy_mllm.asking import Desk, Question
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.methods.protocol import Anonymizer
from privacy_mllm.metrics import CMAP, class_mean_average_precision
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.reviewing import review, train_reviewer

ATTACKER_STEPS = 200

Progress = Callable[[str], None]
"""Called with the name of the method whose row is done."""


@dataclass(frozen=True)
class Row:
    """One method's row of the table; all figures in percent.

    Args:
        method: Its name.
        action: Right answers to the main question (Top-1).
        answers: Right answers to each question.
        frozen_cmap: Leakage read by the reviewer that saw only raw pictures (the paper's measure).
        attacker_cmap: Leakage read by the strongest attacker fine-tuned on this method's pictures.
        attacker: The same by attribute.
        calls_per_sample: Black-box calls that training took, for each clip asked about.
        unanswered: Test questions whose call failed; they count neither as right nor as wrong.
    """

    method: str
    action: float
    answers: dict[str, float]
    frozen_cmap: float
    attacker_cmap: float
    attacker: dict[str, float]
    calls_per_sample: float = 0.0
    unanswered: int = 0


@dataclass(frozen=True)
class Results:
    """A table of methods with the blind base rate that belongs to its test clips."""

    blind_cmap: float
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and texts, as in ``results.json``; what was not asked is null."""
        return asdict(self, dict_factory=lambda pairs: {name: _known(value) for name, value in pairs})


@dataclass(frozen=True)
class Evaluator:
    """Judges methods on test clips that no training has seen.

    Args:
        attack: Labelled clips on which each method's attacker is fine-tuned, after anonymization.
        test: Clips that are judged.
        desk: The way to the black box; every test clip is asked all its questions, one call each.
        reviewer: The reviewer trained on raw pictures, from which attackers start.
        question: The main question; the first of the test clips where it is empty.
        attacker_steps: Steps of fine-tuning.
        seed: Seed of the attackers.
        withheld: Methods whose pictures are not shown to the black box; their answers are not known.
        private_test: Labelled clips on which leakage is read; None for those with questions.
    """

    attack: Clips
    test: Clips
    desk: Desk
    reviewer: AttributeNetwork
    question: str = ""
    attacker_steps: int = ATTACKER_STEPS
    seed: int = 0
    withheld: frozenset[str] = frozenset()
    private_test: Clips | None = None
    _asking: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse clips that were trained on."""
        shared = set(self.attack.names) & set(self.labelled.names)
        if shared:
            raise ValueError(f"`test` must not hold clips of `attack`, got {min(shared)!r} in both.")

    @property
    def labelled(self) -> Clips:
        """The clips on which leakage is read."""
        return self.test if self.private_test is None else self.private_test

    def evaluate(
        self,
        methods: Sequence[Anonymizer],
        *,
        insiders: Mapping[str, AttributeNetwork] | None = None,
        workers: int = 2,
        progress: Progress | None = None,
    ) -> Results:
        """A row for each method, in the order given; the same rows for any number of workers.

        Args:
            methods: What to judge.
            insiders: By a method's name, the reviewer that was trained along with it: a second start for its attacker.
            workers: Methods judged at once, each on one core.
            progress: Called as rows are done.
        """

        def judge(method: Anonymizer) -> Row:
            row = self.judge(method, (insiders or {}).get(method.name))
            if progress is not None:
                progress(method.name)
            return row

        with ThreadPoolExecutor(workers) as pool:
            rows = tuple(pool.map(judge, methods))
        blind = class_mean_average_precision(self.labelled.attributes, self.labelled.attributes).chance
        return Results(blind, rows)

    def judge(self, method: Anonymizer, insider: AttributeNetwork | None = None) -> Row:
        """One method's row.

        Args:
            method: What to judge.
            insider: A second reviewer from which it is attacked.
        """
        shown = self.test.with_frames(method.anonymize(self.test))
        answers, unanswered = self._answers(method.name, shown)
        if self.private_test is not None:
            shown = self.private_test.with_frames(method.anonymize(self.private_test))
        frozen = class_mean_average_precision(review(self.reviewer, shown.frames), shown.attributes)
        leak = self._leakage(method, shown, [self.reviewer] if insider is None else [self.reviewer, insider])
        return Row(
            method=method.name,
            action=answers[self.question or next(iter(answers))],
            answers=answers,
            frozen_cmap=frozen.value,
            attacker_cmap=leak.value,
            attacker=dict(zip(shown.attribute_names, leak.per_class, strict=True)),
            unanswered=unanswered,
        )

    def _answers(self, method: str, shown: Clips) -> tuple[dict[str, float], int]:
        """Right answers to each question in percent, NaN where none was asked, and how many calls failed."""
        questions = all_questions(shown)
        if method in self.withheld:
            return dict.fromkeys(questions, math.nan), 0
        asked = [self._ask(method, step, shown, question) for step, question in enumerate(questions)]
        right = [100 * (1 - float(np.nanmean(found.losses))) for found in asked]
        return dict(zip(questions, right, strict=True)), sum(len(found.failures) for found in asked)

    def _ask(self, method: str, step: int, shown: Clips, question: str) -> zo.Asked:
        questions = [
            Question(clip, question, answers[question])
            for clip, answers in zip(shown.frames, shown.answers, strict=True)
            if question in answers
        ]
        with self._asking:  # an oracle's counter need not bear two threads
            return self.desk.losses(questions, "text", name=f"judging {method}", step=step)

    def _leakage(self, method: Anonymizer, shown: Clips, starts: Sequence[AttributeNetwork]) -> CMAP:
        """What the strongest attacker reads, of those fine-tuned from each start."""
        seen, labels = method.anonymize(self.attack), self.attack.attributes
        attackers = [
            train_reviewer(seen, labels, steps=self.attacker_steps, seed=self.seed, init=start) for start in starts
        ]
        read = [
            class_mean_average_precision(review(attacker, shown.frames), shown.attributes) for attacker in attackers
        ]
        return max(read, key=lambda leak: leak.value)


def with_calls(results: Results, method: str, calls_per_sample: float) -> Results:
    """The same table with what a method's training cost."""
    rows = [replace(row, calls_per_sample=calls_per_sample) if row.method == method else row for row in results.rows]
    return replace(results, rows=tuple(rows))


def mean_answers(row: Row) -> float:
    """Right answers over all questions, each question counting the same."""
    return statistics.fmean(row.answers.values())


def _known(value: Any) -> Any:  # noqa: ANN401 - any part of the table
    return None if isinstance(value, float) and math.isnan(value) else value
