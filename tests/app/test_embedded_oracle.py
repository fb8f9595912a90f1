"""The embedded black box keeps the oracle's promises."""

from __future__ import annotations

import pytest
import torch

from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import CANDIDATES, QUESTIONS, render_clips
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Answer, Oracle


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("test", 100)


def _texts(answers: list[Answer]) -> list[str]:
    return [answer.text for answer in answers]


@pytest.mark.parametrize(("question", "least"), list(zip(QUESTIONS, (85, 90, 80, 95), strict=True)))
def test_the_shipped_model_answers_raw_clips(clips: Clips, question: str, least: int) -> None:
    said = _texts(EmbeddedOracle().ask(clips.frames, [question] * 100))
    right = [text in answers[question] for text, answers in zip(said, clips.answers, strict=True)]
    assert sum(right) >= least


def test_every_clip_with_a_question_is_one_call(clips: Clips) -> None:
    oracle: Oracle = EmbeddedOracle()
    oracle.ask(clips.frames[:3], [QUESTIONS[0]] * 3)
    oracle.ask(clips.frames[:2], [QUESTIONS[1], QUESTIONS[3]])
    oracle.ask(clips.frames[:0], [])
    assert oracle.num_calls == 5
    assert oracle.can_answer(QUESTIONS[0], "Waving")
    assert oracle.num_calls == 5


def test_answers_come_in_the_order_of_the_questions(clips: Clips) -> None:
    mixed = [QUESTIONS[index % 4] for index in range(12)]
    together = EmbeddedOracle().ask(clips.frames[:12], mixed)
    alone = [EmbeddedOracle().ask(clips.frames[i : i + 1], [mixed[i]])[0] for i in range(12)]
    assert _texts(together) == _texts(alone)
    for one, other in zip(together, alone, strict=True):
        assert one.logprobs is not None
        assert other.logprobs is not None
        assert list(one.logprobs) == list(other.logprobs)
        assert list(one.logprobs.values()) == pytest.approx(list(other.logprobs.values()), abs=1e-4)


def test_the_text_is_the_likeliest_candidate_and_probabilities_add_up(clips: Clips) -> None:
    for question, candidates in CANDIDATES.items():
        for answer in EmbeddedOracle().ask(clips.frames[:4], [question] * 4):
            assert answer.logprobs is not None
            assert tuple(answer.logprobs) == candidates
            assert answer.text == max(answer.logprobs, key=answer.logprobs.__getitem__)
            total = torch.tensor(list(answer.logprobs.values())).exp().sum().item()
            # The rest lies on other words: label smoothing leaves 5 % of the mass of each word there.
            assert 0.75 < total <= 1 + 1e-4


def test_the_same_clips_get_the_same_answers(clips: Clips) -> None:
    first, second = (EmbeddedOracle().ask(clips.frames[:8], [QUESTIONS[0]] * 8) for _ in range(2))
    assert first == second


def test_a_picture_is_a_clip_that_stands_still(clips: Clips) -> None:
    picture = clips.frames[:4, :1]
    once = EmbeddedOracle().ask(picture, [QUESTIONS[3]] * 4)
    assert once == EmbeddedOracle().ask(picture.expand(-1, 4, -1, -1, -1), [QUESTIONS[3]] * 4)


def test_longer_clips_are_seen_at_even_steps(clips: Clips) -> None:
    longer = clips.frames[:4].repeat_interleave(3, dim=1)
    assert EmbeddedOracle().ask(longer, [QUESTIONS[0]] * 4) == EmbeddedOracle().ask(
        clips.frames[:4], [QUESTIONS[0]] * 4
    )


def test_larger_pictures_are_shrunk() -> None:
    large = render_clips("test", 40, size=128)
    said = _texts(EmbeddedOracle().ask(large.frames, [QUESTIONS[0]] * 40))
    right = [text in answers[QUESTIONS[0]] for text, answers in zip(said, large.answers, strict=True)]
    assert sum(right) >= 28


def test_it_says_what_it_can_answer() -> None:
    oracle = EmbeddedOracle()
    assert oracle.can_answer(QUESTIONS[2], "a ball")
    assert not oracle.can_answer(QUESTIONS[2], "waving")
    assert not oracle.can_answer("why", "waving")


def test_bad_arguments_are_named_and_cost_nothing(clips: Clips) -> None:
    oracle = EmbeddedOracle()
    with pytest.raises(TypeError, match="`clips` must be uint8"):
        oracle.ask(clips.frames[:1].float(), [QUESTIONS[0]])
    with pytest.raises(ValueError, match=r"`clips` must have shape \[b, t, 3, h, w\]"):
        oracle.ask(clips.frames[0], [QUESTIONS[0]])
    with pytest.raises(ValueError, match="`questions` must have one entry a clip, got 1 for 2 clips"):
        oracle.ask(clips.frames[:2], [QUESTIONS[0]])
    with pytest.raises(ValueError, match=r"what is the person doing.*got 'why'"):
        oracle.ask(clips.frames[:1], ["why"])
    assert oracle.num_calls == 0
