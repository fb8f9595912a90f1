"""What a training is not to be shown, as the command line names it, and what its test then looks like."""

from __future__ import annotations

from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.held_out import HeldOut, hold_out_answer, hold_out_attribute, hold_out_question
from privacy_mllm.metrics import same_words

KINDS = ("attribute", "answer", "question")


def parse_hold_out(text: str) -> tuple[str, str]:
    """Kind and value of what is held out.

    Args:
        text: As typed; empty for nothing.

    Raises:
        ValueError: If it is of no known form.

    Example:
        >>> parse_hold_out("answer=the beach")
        ('answer', 'the beach')
    """
    kind, _, value = text.partition("=")
    if text and (kind not in KINDS or not value):
        forms = ", ".join(f"{kind}=..." for kind in KINDS)
        raise ValueError(f"`hold_out` must be one of {forms}, got {text!r}.")
    return kind, value


def hold_out(text: str, train: Clips, test: Clips) -> HeldOut:
    """The training clips without it, and the test clips with it.

    An ``answer`` may name its question before a colon: "where is the person: the beach". Without one it is that of the
    only question that has such an answer.

    Args:
        text: As typed, not empty.
        train: Training clips.
        test: Test clips.

    Raises:
        ValueError: If the text is of no known form, or the clips have no such thing or nothing else.
    """
    kind, value = parse_hold_out(text)
    if kind == "attribute":
        return hold_out_attribute(train, test, value)
    if kind == "question":
        return hold_out_question(train, test, value)
    return hold_out_answer(train, test, *_question_of(value, train))


def withhold(text: str, clips: Clips) -> Clips:
    """The clips without what is held out, for training.

    Args:
        text: As typed; empty for nothing.
        clips: Training clips.

    Raises:
        ValueError: As :func:`hold_out`.
    """
    return hold_out(text, clips, clips).train if text else clips


def _question_of(value: str, clips: Clips) -> tuple[str, str]:
    """The question that an answer belongs to, and the answer."""
    question, colon, answer = value.partition(": ")
    if colon and question in all_questions(clips):
        return question, answer
    found = dict.fromkeys(
        question
        for answers in clips.answers
        for question, accepted in answers.items()
        if any(same_words(value, one) for one in accepted)
    )
    if len(found) == 1:
        return next(iter(found)), value
    if not found:
        raise ValueError(f"`hold_out` must name an answer of a training clip, got {value!r}.")
    named = ", ".join(f"'answer={question}: {value}'" for question in found)
    raise ValueError(f"`hold_out` must say which question's answer {value!r} is: one of {named}.")
