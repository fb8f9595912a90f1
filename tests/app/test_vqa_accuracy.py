"""VQA accuracy against the numbers and the quirks of the official program."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy_mllm.metrics import normalise_vqa, vqa_accuracy
from privacy_mllm.metrics._contractions import CONTRACTIONS


@pytest.mark.parametrize(("matches", "value"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (7, 1.0), (10, 1.0)])
@pytest.mark.parametrize("strict_official", [False, True])
def test_accuracy_by_the_number_of_ten_people_who_agree(matches: int, value: float, *, strict_official: bool) -> None:
    people = ["tennis"] * matches + ["golf"] * (10 - matches)
    assert vqa_accuracy("tennis", people, strict_official=strict_official) == pytest.approx(value, abs=1e-12)


def test_accuracy_of_the_published_fixture() -> None:
    people = ["tennis"] * 4 + ["racket"] * 3 + ["sport"] * 2 + ["game"]
    values = [vqa_accuracy(answer, people) for answer in ("tennis", "racket", "sport", "game", "chess")]
    assert values == pytest.approx([1.0, 0.9, 0.6, 0.3, 0.0])


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1,000 people", "1000 people"),
        ("ice-cream", "ice cream"),
        ("two dogs.", "2 dogs"),
        ("dont know", "don't know"),
        ("U.S.A.", "usa"),
        ("a, b", "b"),
        ("none", "0"),
        ("3.5", "3.5"),
        ("Ten", "10"),
        ("lets go", "lets go"),
        ("shes", "shes"),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("well", "well"),
        ("red/blue", "red blue"),
        ("red /blue", "red blue"),
        ("  the\ttwo\nmen ", "2 men"),
        ("12:30", "12:30"),
    ],
)
def test_answers_are_normalised_as_by_the_official_program(text: str, normal: str) -> None:
    assert normalise_vqa(text) == normal


def test_a_number_with_a_comma_deletes_all_punctuation_of_its_answer() -> None:
    assert normalise_vqa("ice-cream 1,000") == "icecream 1000"


def test_the_table_of_contractions_has_the_official_size_and_each_key_lacks_one_apostrophe() -> None:
    assert len(CONTRACTIONS) == 110
    for spelling, word in CONTRACTIONS.items():
        assert spelling.replace("'", "") == word.replace("'", "")
        assert spelling.count("'") == word.count("'") - 1


def test_unanimous_people_switch_normalisation_off_in_the_official_program_alone() -> None:
    assert vqa_accuracy("Tennis", ["tennis"] * 10) == 1.0
    assert vqa_accuracy("Tennis", ["tennis"] * 10, strict_official=True) == 0.0
    assert vqa_accuracy(" tennis\n", ["tennis"] * 10, strict_official=True) == 1.0
    assert vqa_accuracy("Tennis", ["tennis"] * 9 + ["golf"], strict_official=True) == 1.0


@given(st.text(alphabet="ab ,.'"), st.lists(st.text(alphabet="ab ,.'"), min_size=1, max_size=10), st.booleans())
def test_accuracy_is_a_share_whatever_is_said(answer: str, people: list[str], strict_official: bool) -> None:
    assert 0 <= vqa_accuracy(answer, people, strict_official=strict_official) <= 1
    if strict_official and len(set(people)) > 1:
        assert vqa_accuracy(answer, people, strict_official=True) == vqa_accuracy(answer, people)
