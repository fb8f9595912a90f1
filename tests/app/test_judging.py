"""What stands in a row beyond one number: bits, worst attribute, severity, every attacker, the same person."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from privacy_mllm import tables
from privacy_mllm.asking import Desk
from privacy_mllm.cli import main
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.people import render_people
from privacy_mllm.data.world import ATTRIBUTES, QUESTIONS, render_clips
from privacy_mllm.evaluate import OWN_START, RAW_START, Evaluator
from privacy_mllm.leakage import Attackers, reidentified
from privacy_mllm.methods import Raw
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.factory import build_reviewer
from privacy_mllm.models.new_head import NewHead
from privacy_mllm.models.reviewer import load_reviewer
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.results import Results, Row
from privacy_mllm.severities import check_severities, read_severities

ROW = Row(
    method="x",
    action=50.0,
    answers={"a": 50.0},
    frozen_cmap=60.0,
    attacker_cmap=70.0,
    attacker={"face": 80.0, "card": 60.0, "scar": math.nan},
    chance={"face": 60.0, "card": 40.0, "scar": 0.0},
)
OLD: dict[str, Any] = {
    "method": "old",
    "action": 1.0,
    "answers": {"a": 1.0},
    "frozen_cmap": 2.0,
    "attacker_cmap": 3.0,
    "attacker": {},
}


@dataclass(frozen=True)
class Blank:
    """Pictures with nothing on them."""

    name: str = "blank"

    def anonymize(self, clips: Clips) -> torch.Tensor:
        return torch.full_like(clips.frames, 127)


def weak() -> AttributeNetwork:
    """A network that knows nothing."""
    return build_reviewer("small", 6, seed=5)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    known, judged = render_clips("train", 32), render_clips("validation", 64)
    one_question = tuple({QUESTIONS[0]: answers[QUESTIONS[0]]} for answers in judged.answers)
    judged = replace(judged, answers=one_question)
    return Evaluator(known, judged, Desk(EmbeddedOracle()), load_reviewer("reviewer"), attackers=Attackers(steps=2))


@pytest.fixture(scope="module")
def raw(evaluator: Evaluator) -> Row:
    return evaluator.judge(Raw())


def test_severities_change_the_worst_attribute_and_the_weighted_leakage() -> None:
    # Above chance, of what there is: face (80 - 60) / 40, card (60 - 40) / 60; the scar was not to be seen.
    alike = ROW.weigh(None)
    assert (alike.worst, alike.worst_above) == ("face", 50.0)
    assert math.isnan(alike.weighted)
    weighed = ROW.weigh({"card": 3.0})
    assert weighed.worst == "card"
    assert weighed.weighted == pytest.approx((50 + 3 * 100 / 3) / 4)
    assert weighed.absent == ("scar",)
    unseen = ROW.weigh({"face": 0.0, "card": 0.0})  # only the scar counts, and no clip shows it
    assert unseen.worst == ""
    assert math.isnan(unseen.weighted)


def test_a_row_of_an_earlier_version_is_read_and_shown() -> None:
    row = Row(**OLD).weigh({"face": 2.0})
    assert row == Row(**OLD)
    shown = tables.leakage_columns([row, replace(ROW, bits={"face": 0.5})])
    assert shown == {"bits": "total_bits"}
    assert tables.worst_of(row.worst, row.worst_above) == "-"
    assert Results(50.0, (row,)).to_json()["rows"][0]["weighted"] is None


def test_an_attribute_that_no_clip_shows_is_named_under_the_table_and_null_in_the_file(evaluator: Evaluator) -> None:
    column = ATTRIBUTES.index("face")
    test = evaluator.test
    without = replace(test, attributes=test.attributes.index_fill(1, torch.tensor([column]), 0.0))
    row = replace(evaluator, test=without).judge(Raw())
    assert row.absent == ("face",)
    assert "face" not in row.bits
    assert "No judged clip shows face: not counted in any leakage." in tables.notes_on_leakage([row])
    written = Results(50.0, (row,)).to_json()["rows"][0]
    assert written["attacker"]["face"] is None
    assert "NaN" not in json.dumps(written)


def test_an_attacker_learns_bits_of_raw_pictures_and_none_of_blank_ones(evaluator: Evaluator, raw: Row) -> None:
    blank = evaluator.judge(Blank())
    assert raw.total_bits > 0.5 * sum(raw.prior_bits.values())
    assert blank.total_bits < 0.05
    assert set(raw.bits) == set(ATTRIBUTES)
    assert raw.worst_above > 90
    assert blank.worst_above < 1e-6


def test_of_all_attackers_the_strongest_counts_and_is_named(evaluator: Evaluator, raw: Row) -> None:
    more = replace(evaluator, attackers=Attackers(steps=2, num_scratch=2, scratch_steps=2)).judge(Raw(), weak())
    assert list(more.attacks) == [RAW_START, OWN_START, "scratch-1", "scratch-2"]
    assert len(set(more.attacks.values())) == 4
    assert more.strongest == raw.strongest == RAW_START
    assert more.attacker_cmap == max(more.attacks.values()) == raw.attacker_cmap


def test_a_fresh_attacker_counts_where_it_reads_most(evaluator: Evaluator) -> None:
    knowing = Attackers(steps=1, num_scratch=1, scratch_steps=1, build=lambda _count: load_reviewer("reviewer"))
    row = replace(evaluator, reviewer=weak(), attackers=knowing).judge(Raw())
    assert row.strongest == "scratch-1"
    assert row.attacker_cmap == row.attacks["scratch-1"] > row.attacks[RAW_START]


def test_a_network_that_names_other_attributes_attacks_under_a_new_last_layer(evaluator: Evaluator) -> None:
    insider = build_reviewer("small", 5, seed=3)
    row = evaluator.judge(Raw(), insider)
    assert set(row.attacks) == {RAW_START, OWN_START}
    headed = NewHead(insider, 6, seed=1)
    pictures = evaluator.test.frames[0].float() / 255
    assert torch.equal(headed.features(pictures), insider.features(pictures))
    assert headed(pictures).shape == (4, 6)
    assert torch.equal(headed.head.weight, NewHead(insider, 6, seed=1).head.weight)
    assert not torch.equal(headed.head.weight, NewHead(insider, 6, seed=2).head.weight)


def test_people_are_found_again_in_raw_pictures_and_by_chance_alone_in_blank_ones(evaluator: Evaluator) -> None:
    people = render_people("test", 40, clips_each=3)
    reviewer = load_reviewer("reviewer")
    found, chance = reidentified(Raw(), people, [reviewer])
    assert chance == pytest.approx(100 / 40)
    assert found > 2 * chance
    assert reidentified(Raw(), people, [weak(), reviewer])[0] >= found
    assert reidentified(Blank(), people, [reviewer])[0] == pytest.approx(chance)
    row = replace(evaluator, people=people).judge(Blank())
    assert row.reidentified == pytest.approx(chance)
    assert row.reidentified_chance == pytest.approx(chance)
    assert any("by guessing 2.5" in line for line in tables.notes_on_leakage([row]))


def test_severities_are_read_from_the_command_line_and_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "harm.toml"
    file.write_text("face = 3\ncredit_card = 0.5\n")
    assert read_severities(str(file)) == read_severities("face=3, credit_card=0.5") == {"face": 3, "credit_card": 0.5}


@pytest.mark.parametrize("text", ["face", "face=", "face=-1", "face=much", "face=inf", "=2", "face=1,,"])
def test_severities_that_are_no_weights_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="`severity` must be of the form NAME=WEIGHT with a weight of 0 or more"):
        read_severities(text)


def test_a_file_of_severities_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "harm.toml"
    file.write_text("face is worse")
    with pytest.raises(ValueError, match=r"harm\.toml: "):
        read_severities(str(file))


def test_severities_of_unknown_attributes_are_refused_before_anything_is_judged() -> None:
    with pytest.raises(ValueError, match="`severity` must be of face, card, got the unknown 'gait'"):
        check_severities({"gait": 1.0}, ["face", "card"])
    with pytest.raises(ValueError, match="`severity` must be positive for an attribute, got 0 for all"):
        check_severities({"face": 0.0}, ["face"])


def test_the_command_refuses_a_severity_before_it_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--quick", "-o", str(tmp_path), "--severity", "gait=2"]) == 2
    assert "got the unknown 'gait'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.0.json"))  # no row was made
