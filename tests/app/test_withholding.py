"""What training is not shown: named by the user, gone from training, reported apart by the evaluation."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from privacy_mllm import session
from privacy_mllm.cli import main
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.withholding import hold_out, parse_hold_out, withhold
from privacy_mllm.data.world import ATTRIBUTES, render_clips
from privacy_mllm.generalisation import Verdicts, generalisation
from privacy_mllm.opening import open_clips, without_held_out
from privacy_mllm.oracles.protocol import Oracle
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.results import Side
from privacy_mllm.starting import is_shipped, make_raw_reviewer
from privacy_mllm.train import Training

WHERE = "where is the person"
TINY = ["--clips", "24", "--pool", "8", "--batch", "4", "--privacy-batch", "4", "--calls-per-sample", "2"]
TINY += ["--start-steps", "2", "--test-clips", "24", "--attacker-steps", "2"]
FRAMES = torch.zeros(4, 1, 3, 8, 8, dtype=torch.uint8)
# Four clips: two at the beach; a face in the first of each kind.
TEST = Clips(
    frames=FRAMES,
    attributes=torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]),
    attribute_names=("face", "card"),
    answers=tuple({"where": (place,), "what": ("run",)} for place in ("beach", "beach", "park", "park")),
    names=("a", "b", "c", "d"),
)
VERDICTS = Verdicts(
    method="x",
    losses={"where": np.array([0.0, 1.0, 0.0, 0.0]), "what": np.array([1.0, 1.0, 0.0, math.nan])},
    logits=torch.tensor([[2.0, 0.0], [1.0, 0.0], [-1.0, 1.0], [0.0, 0.0]]),
)


def _sides(text: str) -> tuple[Side, Side]:
    kind, _ = parse_hold_out(text)
    found = generalisation(kind, hold_out(text, TEST, TEST), TEST, TEST, VERDICTS)
    return found.seen, found.unseen


def test_a_held_out_place_divides_the_clips() -> None:
    seen, unseen = _sides("answer=beach")
    # Seen (park): both questions right. The face's scores are the wrong way round, the card's are right.
    assert seen == Side(answers=100.0, leakage=75.0, chance=50.0)
    # Beach: one of two right, none of two; the face is read, the card's two scores are equal.
    assert unseen == Side(answers=25.0, leakage=75.0, chance=50.0)


def test_a_held_out_question_divides_the_answers_alone() -> None:
    seen, unseen = _sides("question=where")
    assert seen.answers == pytest.approx(100 / 3)  # "what": one of three known answers is right
    assert unseen.answers == 75.0
    assert seen.leakage > seen.chance == 50.0
    assert math.isnan(unseen.leakage)


def test_a_held_out_attribute_divides_the_leakage_alone() -> None:
    seen, unseen = _sides("attribute=face")
    assert seen.answers == pytest.approx((75 + 100 / 3) / 2)
    assert math.isnan(unseen.answers)
    # Order of the faces by score: a (shown), b, d, c (shown): (1 + 2/4) / 2.
    assert (unseen.leakage, unseen.chance) == (75.0, 50.0)
    assert seen.leakage == pytest.approx(100 * (1 / 2 + 1 / 2 * 2 / 4))  # card: c first, then three alike with b


def test_other_labelled_clips_do_not_divide_by_a_place() -> None:
    other = replace(TEST, names=("p", "q", "r", "s"))
    found = generalisation("answer", hold_out("answer=beach", TEST, TEST), TEST, other, VERDICTS)
    assert found.seen.chance == 50.0
    assert math.isnan(found.unseen.leakage)
    assert (found.seen.answers, found.unseen.answers) == (100.0, 25.0)


def test_the_question_of_an_answer_is_found_or_asked_for() -> None:
    assert {answers["where"] for answers in withhold("answer=beach", TEST).answers} == {("park",)}
    assert len(withhold("answer=where: park", TEST)) == 2
    both = replace(TEST, answers=({"where": ("park",), "held": ("park",)}, *TEST.answers[1:]))
    with pytest.raises(ValueError, match="one of 'answer=where: park', 'answer=held: park'"):
        withhold("answer=park", both)
    with pytest.raises(ValueError, match="`hold_out` must name an answer of a training clip, got 'moon'"):
        withhold("answer=moon", TEST)


@pytest.mark.parametrize("text", ["face", "attribute", "attribute=", "place=beach"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"`hold_out` must be one of attribute=\.\.\., answer=\.\.\., question=\.\.\., got"
    ):
        withhold(text, TEST)


def test_training_gets_clips_without_it_and_the_black_box_still_knows_all_answers() -> None:
    config = TrainConfig(clips=24, hold_out="answer=the beach")
    clips, oracle = open_clips(config, OracleConfig(), "train", 24)
    kept, private = without_held_out(config, clips, clips)
    assert kept is private
    assert 0 < len(kept) < len(clips)
    assert ("the beach",) not in {answers[WHERE] for answers in kept.answers}
    assert oracle.can_answer(WHERE, "the beach")
    labelled = replace(clips, answers=tuple({} for _ in clips.answers))
    assert without_held_out(config, clips, labelled)[1] is labelled
    faceless = without_held_out(replace(config, hold_out="attribute=face"), clips, labelled)
    assert faceless[0] is clips
    assert "face" not in faceless[1].attribute_names
    assert all_questions(withhold(f"question={WHERE}", clips)) == all_questions(clips)[:3]


def test_a_start_that_saw_the_place_is_not_taken_from_the_package() -> None:
    clips = render_clips("train", 8)
    assert is_shipped(TrainConfig(), clips)
    assert is_shipped(TrainConfig(hold_out=f"question={WHERE}"), clips)
    assert not is_shipped(TrainConfig(hold_out="answer=the beach"), clips)
    assert not is_shipped(TrainConfig(hold_out="attribute=face"), withhold("attribute=face", clips))
    few = TrainConfig(start_steps=1, hold_out="attribute=face")
    assert make_raw_reviewer(few, clips)(clips.frames[0].float() / 255).shape == (4, 6)


def test_neither_a_new_training_nor_a_resumed_one_is_given_what_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Clips] = []

    class Recorded(Training):
        def __init__(self, config: TrainConfig, clips: Clips, oracle: Oracle, *, private: Clips, **rest: Any) -> None:
            given.extend([clips, private])
            super().__init__(config, clips, oracle, private=private, **rest)

    monkeypatch.setattr(session, "Training", Recorded)
    config = TrainConfig(
        clips=16, pool=8, batch=4, privacy_batch=4, calls_per_sample=1, start_steps=1, hold_out="answer=the beach"
    )
    run, stopped = session.train_run(config, tmp_path, "run", session.Watch())
    assert stopped is None
    session.resume_run(run, session.Watch())
    assert len(given) >= 4
    assert all(("the beach",) not in {answers[WHERE] for answers in clips.answers} for clips in given)


def _results(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "results.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attribute=credit_card", "attribute credit_card"),
        ("answer=the beach", f"answer {WHERE}: the beach"),
        (f"question={WHERE}", f"question {WHERE}"),
    ],
)
def test_a_run_reports_what_it_saw_beside_what_it_did_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert main(["train", "--runs", str(tmp_path), *TINY, "--hold-out", text]) == 0
    assert f"training was not shown: {said}" in capsys.readouterr().out
    results = _results(tmp_path / "train")
    assert results["held_out"] == said
    assert [one["method"] for one in results["generalisation"]] == ["raw", "start", "no query", "trained"]
    raw, row = results["generalisation"][0], results["rows"][0]
    assert set(row["attacker"]) == set(ATTRIBUTES)
    assert set(results["rows"][-1]["attacks"]) == {"raw reviewer", "own reviewer"}
    if text.startswith("attribute"):
        assert raw["unseen"]["leakage"] == pytest.approx(row["attacker"]["credit_card"])
        assert raw["unseen"]["answers"] is None
    elif text.startswith("question"):
        assert raw["unseen"]["answers"] == pytest.approx(row["answers"][WHERE])
        assert raw["unseen"]["leakage"] is None
    else:
        assert raw["seen"]["answers"] > 80
        assert raw["unseen"]["answers"] > 80
        assert raw["seen"]["chance"] != raw["unseen"]["chance"]


def test_what_is_not_there_cannot_be_held_out_and_leaves_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--runs", str(tmp_path), *TINY, "--hold-out", "attribute=gait"]) == 2
    assert "`name` must be one of skin_color" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
