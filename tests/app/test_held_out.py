"""Splits in which training lacks something that the test shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.held_out import hold_out_answer, hold_out_attribute, hold_out_question
from privacy_mllm.data.world import ATTRIBUTES, PLACES, QUESTIONS, render_clips

WHERE = "where is the person"
TRAIN, TEST = render_clips("train", 40, size=8), render_clips("test", 40, size=8)


def _places(clips: Clips) -> set[str]:
    return {answer for answers in clips.answers for answer in answers[WHERE]}


def test_selected_clips_bring_all_their_parts() -> None:
    some = TRAIN.select([5, 2])
    assert some.names == (TRAIN.names[5], TRAIN.names[2])
    assert some.answers == (TRAIN.answers[5], TRAIN.answers[2])
    assert torch.equal(some.frames, TRAIN.frames[[5, 2]])
    assert torch.equal(some.attributes, TRAIN.attributes[[5, 2]])
    assert some.people is not None
    assert TRAIN.people is not None
    assert torch.equal(some.people, TRAIN.people[[5, 2]])


@pytest.mark.parametrize("place", PLACES)
def test_a_held_out_place_is_in_every_test_clip_and_in_no_training_clip(place: str) -> None:
    split = hold_out_answer(TRAIN, TEST, WHERE, place.upper())
    assert _places(split.train) == set(PLACES) - {place}
    assert _places(split.test) == {place}
    kept = sum(answers[WHERE] != (place,) for answers in TRAIN.answers)
    assert len(split.train) == kept
    assert split.value == f"{WHERE}: {place.upper()}"


def test_a_held_out_question_is_never_put_in_training_and_alone_in_the_test() -> None:
    split = hold_out_question(TRAIN, TEST, WHERE)
    assert all_questions(split.train) == [question for question in QUESTIONS if question != WHERE]
    assert all_questions(split.test) == [WHERE]
    assert (len(split.train), len(split.test)) == (40, 40)
    assert torch.equal(split.train.frames, TRAIN.frames)


def test_clips_with_no_other_question_leave_training() -> None:
    only = hold_out_question(TRAIN, TEST, WHERE).test
    mixed = Clips(
        only.frames, only.attributes, only.attribute_names, (*only.answers[:30], *TEST.answers[30:]), only.names, None
    )
    split = hold_out_question(mixed, TEST, WHERE)
    assert split.train.names == only.names[30:]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_held_out_attribute_has_no_label_in_training_and_the_only_one_in_the_test(name: str) -> None:
    split = hold_out_attribute(TRAIN, TEST, name)
    column = ATTRIBUTES.index(name)
    assert split.train.attribute_names == (*ATTRIBUTES[:column], *ATTRIBUTES[column + 1 :])
    assert split.test.attribute_names == (name,)
    assert torch.equal(split.test.attributes[:, 0], TEST.attributes[:, column])
    assert torch.equal(split.train.attributes, TRAIN.attributes[:, [k for k in range(6) if k != column]])
    assert len(split.train) == 40


def test_clips_that_show_a_held_out_attribute_leave_training_on_request() -> None:
    split = hold_out_attribute(TRAIN, TEST, "face", shown=False)
    hidden = [name for name, shown in zip(TRAIN.names, TRAIN.attributes[:, 1].tolist(), strict=True) if not shown]
    assert list(split.train.names) == hidden
    assert 0 < len(hidden) < 40
    assert len(split.test) == 40


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hold_out_attribute(TRAIN, TEST, "gait"), "`name` must be one of skin_color, .*, got 'gait'"),
        (
            lambda: hold_out_attribute(hold_out_attribute(TRAIN, TEST, "face").test, TEST, "face"),
            "`train` must have another attribute beside 'face'",
        ),
        (lambda: hold_out_answer(TRAIN, TEST, WHERE, "the moon"), "`test` must keep at least one clip"),
        (
            lambda: hold_out_answer(hold_out_answer(TRAIN, TRAIN, WHERE, PLACES[0]).test, TEST, WHERE, PLACES[0]),
            "`train` must keep at least one clip, but the held-out value leaves none",
        ),
        (lambda: hold_out_question(TRAIN, TEST, "why"), "`question` must be asked in `train`, one of .* got 'why'"),
    ],
)
def test_what_cannot_be_held_out_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
