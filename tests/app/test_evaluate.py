"""Judging an anonymizer: what is counted, and that nothing flatters."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from privacy_mllm.asking import Desk
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import QUESTIONS, render_clips
from privacy_mllm.evaluate import Evaluator
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Anonymizer, Downsample, Raw
from privacy_mllm.models.reviewer import Reviewer, load_reviewer
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.results import Row, mean_answers, with_calls


@dataclass(frozen=True)
class Blank:
    """Pictures with nothing on them."""

    name: str = "blank"

    def anonymize(self, clips: Clips) -> torch.Tensor:
        return torch.full_like(clips.frames, 127)


@pytest.fixture(scope="module")
def attack() -> Clips:
    return render_clips("train", 48)


@pytest.fixture(scope="module")
def shown() -> Clips:
    return render_clips("validation", 64)


@pytest.fixture(scope="module")
def evaluator(attack: Clips, shown: Clips) -> Evaluator:
    return Evaluator(attack, shown, Desk(EmbeddedOracle()), load_reviewer("reviewer"), attackers=Attackers(steps=3))


def test_raw_pictures_are_answered_and_read_and_blank_ones_are_not(evaluator: Evaluator) -> None:
    raw, blank = evaluator.judge(Raw()), evaluator.judge(Blank())
    assert raw.action > 80
    assert raw.frozen_cmap > 85
    assert blank.action < 35
    assert blank.frozen_cmap == pytest.approx(evaluator.evaluate([]).blind_cmap, abs=1e-6)


def test_the_stronger_of_two_attackers_counts(evaluator: Evaluator) -> None:
    weak, strong = Reviewer(), load_reviewer("reviewer")
    alone = evaluator.judge(Raw())
    with_weak = evaluator.judge(Raw(), weak)
    assert with_weak.attacker_cmap == alone.attacker_cmap
    turned = Evaluator(evaluator.attack, evaluator.test, evaluator.desk, weak, attackers=Attackers(steps=3))
    assert turned.judge(Raw(), strong).attacker_cmap == alone.attacker_cmap > turned.judge(Raw()).attacker_cmap


def test_the_rows_do_not_depend_on_the_number_of_workers(evaluator: Evaluator) -> None:
    methods: list[Anonymizer] = [Raw(), Downsample(2), Downsample(4), Blank()]
    one, four = (evaluator.evaluate(methods, workers=workers) for workers in (1, 4))
    assert one == four
    assert [row.method for row in one.rows] == ["raw", "downsample 2x", "downsample 4x", "blank"]


def test_each_question_of_each_clip_costs_one_call(attack: Clips, shown: Clips) -> None:
    oracle = EmbeddedOracle()
    reviewer = load_reviewer("reviewer")
    Evaluator(attack, shown, Desk(oracle), reviewer, attackers=Attackers(steps=1)).evaluate([Raw(), Blank()])
    assert oracle.num_calls == 2 * 4 * len(shown)


def test_the_main_question_is_the_one_named_or_the_first(attack: Clips, shown: Clips) -> None:
    reviewer = load_reviewer("reviewer")
    short = Attackers(steps=1)
    first = Evaluator(attack, shown, Desk(EmbeddedOracle()), reviewer, attackers=short).judge(Raw())
    place = Evaluator(attack, shown, Desk(EmbeddedOracle()), reviewer, QUESTIONS[3], attackers=short).judge(Raw())
    assert first.action == first.answers[QUESTIONS[0]]
    assert place.action == place.answers[QUESTIONS[3]]


def test_clips_that_the_attacker_learned_from_cannot_be_judged(attack: Clips) -> None:
    with pytest.raises(ValueError, match="`test` must not hold clips of `attack`, got 'train-00000' in both"):
        Evaluator(attack, attack.head(4), Desk(EmbeddedOracle()), load_reviewer("reviewer"))


def test_progress_names_every_method_once(evaluator: Evaluator) -> None:
    judged: list[str] = []
    evaluator.evaluate([Raw(), Blank()], progress=judged.append)
    assert sorted(judged) == ["blank", "raw"]


def test_calls_are_written_into_the_row_of_their_method(evaluator: Evaluator) -> None:
    results = with_calls(evaluator.evaluate([Raw(), Blank()]), "blank", 15.0)
    assert [row.calls_per_sample for row in results.rows] == [0.0, 15.0]
    assert set(results.to_json()) == {"blind_cmap", "rows", "held_out", "generalisation"}


def test_all_questions_count_the_same_in_their_mean() -> None:
    row = Row("x", 10.0, {"a": 10.0, "b": 40.0}, 0.0, 0.0, {})
    assert mean_answers(row) == 25.0
