"""Judging anonymizers: answers still right, and private attributes still readable.

Leakage is read three ways. The frozen reviewer is the paper's measure, and it flatters: it never saw anonymized
pictures. The attacker is trained on anonymized pictures with true labels; its number is the one to believe. A trained
anonymizer is attacked from the raw reviewer and from the one that learned along with it, and, where asked for, by fresh
networks; the strongest attack counts. The blind base rate is what an attacker reads who sees nothing at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import torch
from torch import Tensor

import zoopt_mo as zo
from privacy_mllm.asking import Desk, Question
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.held_out import HeldOut
from privacy_mllm.data.lazy import CACHE_BYTES, prefetch
from privacy_mllm.data.people import PeopleClips
from privacy_mllm.generalisation import Losses, Verdicts, generalisation
from privacy_mllm.leakage import Attackers, measures, reidentified
from privacy_mllm.methods.anonymized import anonymized, clips_at_once
from privacy_mllm.methods.protocol import Anonymizer
from privacy_mllm.metrics import class_mean_average_precision
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.results import Generalisation, Results, Row
from privacy_mllm.reviewers import worst_attack
from privacy_mllm.reviewing import review

RAW_START, OWN_START = "raw reviewer", "own reviewer"
"""Where the fine-tuned attackers begin: the reviewer of raw pictures, and the one trained along with the method."""

Progress = Callable[[str], None]
"""Called with the name of the method whose row is done."""


@dataclass(frozen=True)
class Evaluator:
    """Judges methods on test clips that no training has seen.

    Args:
        attack: Labelled clips on which each method's attackers are trained, after anonymization.
        test: Clips that are judged.
        desk: The way to the black box; every test clip is asked all its questions, one call each.
        reviewer: The reviewer trained on raw pictures, from which attackers start.
        question: The main question; the first of the test clips where it is empty.
        attackers: Who attacks, and for how long.
        withheld: Methods whose pictures are not shown to the black box; their answers are not known.
        private_test: Labelled clips on which leakage is read; None for those with questions.
        people: Clips of the same people, on which re-identification is measured; None to leave it out.
        held_out: Kind and split of what training was not shown: "attribute", "answer" or "question"; None for nothing.
        cache_bytes: Bytes of anonymized clips that are kept of each of these, for each method that is judged at once.
    """

    attack: Clips
    test: Clips
    desk: Desk
    reviewer: AttributeNetwork
    question: str = ""
    attackers: Attackers = field(default_factory=Attackers)
    withheld: frozenset[str] = frozenset()
    private_test: Clips | None = None
    people: PeopleClips | None = None
    held_out: tuple[str, HeldOut] | None = None
    cache_bytes: int = CACHE_BYTES
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

        def judge(method: Anonymizer) -> tuple[Row, Verdicts]:
            judged = self._judge(method, (insiders or {}).get(method.name))
            if progress is not None:
                progress(method.name)
            return judged

        # Those with two attackers first: what is left for one core alone at the end is then short.
        order = sorted(range(len(methods)), key=lambda place: methods[place].name not in (insiders or {}))
        with ThreadPoolExecutor(workers) as pool:
            by_place = dict(zip(order, pool.map(judge, [methods[place] for place in order]), strict=True))
        judged = [by_place[place] for place in range(len(methods))]
        blind = class_mean_average_precision(self.labelled.attributes, self.labelled.attributes).chance
        return Results(
            blind,
            tuple(row for row, _ in judged),
            held_out="" if self.held_out is None else f"{self.held_out[0]} {self.held_out[1].value}",
            generalisation=tuple(self._generalisation([verdicts for _, verdicts in judged])),
        )

    def judge(self, method: Anonymizer, insider: AttributeNetwork | None = None) -> Row:
        """One method's row.

        Args:
            method: What to judge.
            insider: A second reviewer from which it is attacked.
        """
        return self._judge(method, insider)[0]

    def _judge(self, method: Anonymizer, insider: AttributeNetwork | None) -> tuple[Row, Verdicts]:
        shown = anonymized(method, self.test, cache_bytes=self.cache_bytes)
        losses, unanswered = self._answers(method.name, shown)
        if self.private_test is not None:
            shown = anonymized(method, self.private_test, cache_bytes=self.cache_bytes)
        frozen = class_mean_average_precision(review(self.reviewer, shown.frames), shown.attributes)
        starts = {RAW_START: self.reviewer} | ({} if insider is None else {OWN_START: insider})
        attacks = self.attackers.attack(anonymized(method, self.attack, cache_bytes=self.cache_bytes), shown, starts)
        best = worst_attack(attacks)
        answers = {question: _share_of_right(found) for question, found in losses.items()}
        again = math.nan, math.nan
        if self.people is not None:
            again = reidentified(method, self.people, [self.reviewer, best.attacker])
        row = Row(
            method=method.name,
            action=answers[self.question or next(iter(answers))],
            answers=answers,
            frozen_cmap=frozen.value,
            unanswered=unanswered,
            reidentified=again[0],
            reidentified_chance=again[1],
            **measures(best, attacks, shown),
        )
        return row.weigh(None), Verdicts(method.name, losses, best.logits)

    def _generalisation(self, verdicts: Sequence[Verdicts]) -> list[Generalisation]:
        if self.held_out is None:
            return []
        return [generalisation(*self.held_out, self.test, self.labelled, of_method) for of_method in verdicts]

    def _answers(self, method: str, shown: Clips) -> tuple[dict[str, Losses], int]:
        """By question 1 for each wrong answer, NaN where none was asked, and how many calls failed."""
        found, failed = {question: np.full(len(shown), math.nan) for question in all_questions(shown)}, 0
        if method in self.withheld:
            return found, 0
        parts = torch.arange(len(shown)).split(clips_at_once(shown.frames))
        for number, (rows, clips) in enumerate(zip(parts, prefetch(shown.frames, parts), strict=True)):
            pairs = list(zip(rows.tolist(), clips, strict=True))
            for place, (question, losses) in enumerate(found.items()):
                asked = {row: clip for row, clip in pairs if question in shown.answers[row]}
                if asked:  # a step of a part is the same however many parts follow, for the ledger knows it by that
                    said = self._ask(method, number * len(found) + place, shown, question, asked)
                    losses[list(asked)] = said.losses
                    failed += len(said.failures)
        return found, failed

    def _ask(self, method: str, step: int, shown: Clips, question: str, asked: Mapping[int, Tensor]) -> zo.Asked:
        questions = [Question(clip, question, shown.answers[row][question]) for row, clip in asked.items()]
        with self._asking:  # an oracle's counter need not bear two threads
            return self.desk.losses(questions, "text", name=f"judging {method}", step=step)


def _share_of_right(losses: Losses) -> float:
    """In percent; NaN where no answer is known."""
    known = losses[~np.isnan(losses)]
    return 100 * (1 - float(known.mean())) if len(known) else math.nan
