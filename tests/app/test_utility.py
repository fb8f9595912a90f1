"""The losses of utility by hand, and the pairs of probes that they cannot tell apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from privacy_mllm.config import UTILITY_LOSSES
from privacy_mllm.differences import ZeroDifferences
from privacy_mllm.metrics import vqa_accuracy
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.similarity import character_ngrams
from privacy_mllm.utility import UTILITY_BOUND, check_targets, utility_loss


def _answer(text: str = "waving", **probabilities: float) -> Answer:
    return Answer(text, {word: math.log(value) for word, value in probabilities.items()})


def test_logprob_loss_is_the_surprise_of_the_right_answer() -> None:
    losses = utility_loss([_answer(waving=0.5, sitting=0.5), _answer(waving=0.9, sitting=0.1)], [("sitting",)] * 2)
    assert losses.tolist() == pytest.approx([math.log(2), math.log(10)])


def test_logprobs_are_normalised_over_the_candidates() -> None:
    loss = utility_loss([_answer(waving=0.3, sitting=0.1)], [("waving",)])
    assert loss.item() == pytest.approx(-math.log(0.75))


def test_the_best_accepted_answer_counts() -> None:
    loss = utility_loss([_answer(sofa=0.2, couch=0.8)], [("sofa", "couch")])
    assert loss.item() == pytest.approx(-math.log(0.8))


@pytest.mark.parametrize("answer", [_answer(waving=1.0, sitting=1e-30), _answer(waving=1.0)])
def test_logprob_loss_is_bounded(answer: Answer) -> None:
    assert utility_loss([answer], [("sitting",)]).item() == UTILITY_BOUND


def test_text_loss_ignores_case_and_space() -> None:
    answers = [Answer("  A  Ball "), Answer("a cup")]
    assert utility_loss(answers, [("a ball",), ("a ball",)], kind="text").tolist() == [0.0, 1.0]


def test_rank_loss_is_the_place_of_the_best_accepted_answer() -> None:
    ranked = ("waving", "sitting", "running", "The Couch")
    said = [Answer("waving", ranked=ranked)] * 5
    targets = [("waving",), ("sitting",), ("couch", "sofa"), ("running", "sitting"), ("dancing",)]
    assert utility_loss(said, targets, "rank").tolist() == [0.0, 0.25, 0.75, 0.25, 1.0]


def test_rank_loss_ranks_candidates_by_logprob_where_nothing_is_ranked() -> None:
    answer = _answer(waving=0.2, sitting=0.5, running=0.3)
    targets = [("sitting",), ("running",), ("waving",)]
    assert utility_loss([answer] * 3, targets, "rank").tolist() == pytest.approx([0, 1 / 3, 2 / 3])


def test_similarity_loss_counts_shared_runs_of_three_characters() -> None:
    # " wave " has " wa wav ave ve_", " waving " has " wa wav avi vin ing ng_": two shared of 4 and 6.
    losses = utility_loss([Answer("waving")] * 3, [("wave",), ("Waving!", "sit"), ("cup",)], "similarity")
    assert losses.tolist() == pytest.approx([1 - 2 / math.sqrt(24), 0.0, 1.0], abs=1e-6)


def test_similarity_loss_with_another_embedder_sees_each_text_once_and_never_exceeds_one() -> None:
    asked: list[Sequence[str]] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        asked.append(texts)
        angle = {"sofa": 0.0, "couch": 0.3, "cat": math.pi, "": math.nan}
        return np.array([[math.cos(angle[text]), math.sin(angle[text])] for text in texts], dtype=np.float32)

    losses = utility_loss([Answer("sofa"), Answer("cat")], [("couch", "cat"), ("sofa",)], "similarity", embed=embed)
    assert losses.tolist() == pytest.approx([1 - math.cos(0.3), 1.0], abs=1e-6)
    assert asked == [["sofa", "cat", "couch"]]
    with pytest.raises(ValueError, match=r"`embed` must return one finite vector a text, \[2, d\], got \[2, 2\]"):
        utility_loss([Answer("")], [("sofa",)], "similarity", embed=embed)
    with pytest.raises(ValueError, match="`embed` must return one finite vector"):
        utility_loss([Answer("a cup")], [("sofa",)], "similarity", embed=lambda _texts: [[1.0]])


def test_an_empty_answer_is_like_nothing() -> None:
    assert utility_loss([Answer("")], [("sofa",)], "similarity").item() == 1.0
    assert character_ngrams(["", "a"]).shape == (2, 1)


PEOPLE = ("two",) * 2 + ("3",) * 3 + ("four",) * 5


@pytest.mark.parametrize(
    ("text", "official", "plain"),
    [
        ("2", (8 * 2 / 3 + 2 * 1 / 3) / 10, 2 / 3),  # two of ten say so; of nine, one or two
        ("Three", (7 * 1 + 3 * 2 / 3) / 10, 1.0),
        ("four.", 1.0, 1.0),
        ("five", 0.0, 0.0),
    ],
)
def test_vqa_loss_follows_the_official_rule_and_the_plain_one(text: str, official: float, plain: float) -> None:
    assert vqa_accuracy(text, PEOPLE) == pytest.approx(official)
    assert utility_loss([Answer(text)], [PEOPLE], "vqa").item() == pytest.approx(1 - official)
    assert utility_loss([Answer(text)], [PEOPLE], "vqa_plain").item() == pytest.approx(1 - plain)


@pytest.mark.parametrize(("people", "official"), [(("yes",), 0.0), (("yes", "yes", "yes", "no"), (3 * 2 / 3 + 1) / 4)])
def test_vqa_accuracy_of_few_people(people: tuple[str, ...], official: float) -> None:
    assert vqa_accuracy("yes", people) == pytest.approx(official)


def test_vqa_accuracy_needs_a_list_of_people() -> None:
    with pytest.raises(ValueError, match="`people` must be a non-empty sequence of answers"):
        vqa_accuracy("yes", [])
    with pytest.raises(ValueError, match="`people` must be a non-empty sequence of answers, got 'yes'"):
        vqa_accuracy("yes", "yes")


@pytest.mark.parametrize("kind", UTILITY_LOSSES)
def test_every_setting_is_a_loss_that_is_zero_when_right_and_higher_when_wrong(kind: str) -> None:
    people = ("waving",) * 10
    right = Answer("waving", {"waving": 0.0, "sitting": -9.0})
    wrong = Answer("sitting", {"waving": -9.0, "sitting": 0.0})
    losses = utility_loss([right, wrong], [people] * 2, kind)
    assert losses.dtype == torch.float32
    assert losses[0] == pytest.approx(0.0, abs=1e-3)
    assert losses[1] > 0.4
    assert utility_loss([], [], kind).tolist() == []


@pytest.mark.parametrize("kind", ["logprob", "rank"])
def test_what_the_service_does_not_tell_is_missed_and_the_way_out_is_named(kind: str) -> None:
    with pytest.raises(ValueError, match='use kind="similarity" or "text"'):
        utility_loss([Answer("waving")], [("waving",)], kind)


def test_utility_loss_rejects_unknown_kinds_and_unequal_lengths() -> None:
    with pytest.raises(ValueError, match=r'`kind` must be one of "logprob", .* got "bleu"'):
        utility_loss([], [], kind="bleu")
    with pytest.raises(ValueError, match="`targets` must have one entry an answer, got 0 for 1 answers"):
        utility_loss([Answer("waving")], [])


@pytest.mark.parametrize(("kind", "least"), [("text", 1), ("vqa", 4), ("vqa_plain", 3)])
def test_targets_that_put_a_loss_of_zero_out_of_reach_are_refused(kind: str, least: int) -> None:
    enough, few = ("yes",) * least, ("yes",) * (least - 1)
    check_targets([enough], kind)
    assert utility_loss([Answer("yes")], [enough], kind).item() == pytest.approx(0.0)
    message = rf"`targets\[1\]` must hold {least} accepted answers or more for kind=\"{kind}\", got {least - 1}"
    with pytest.raises(ValueError, match=message):
        check_targets([enough, few], kind)


def test_pairs_without_a_difference_are_counted_and_failed_ones_are_not() -> None:
    differences = ZeroDifferences(warn_above=0.5)
    assert differences.rate == 0.0
    differences.add(torch.tensor([0.5, 0.5, 0.25, 0.5]))
    differences.add([math.nan, 1.0, math.nan, math.nan])
    assert (differences.num_pairs, differences.num_zero, differences.rate) == (2, 1, 0.5)
    assert differences.advice() is None
    differences.add([1.0, 1.0])
    assert str(differences.advice()).startswith("2 of 3 pairs of probes (67%) had exactly equal losses")
    assert "larger `radius`, a larger `batch`, or a smoother `utility_loss`" in str(differences.advice())


def test_zero_differences_reject_half_a_pair_and_shares_above_one() -> None:
    with pytest.raises(ValueError, match="`losses` must hold two losses a pair, got 3"):
        ZeroDifferences().add([0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"`warn_above` must be in \[0, 1\], got 1.5"):
        ZeroDifferences(warn_above=1.5)
