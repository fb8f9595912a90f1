"""Splits with something that training never saw: an attribute, a place (or any other answer), a question.

Each function takes the training and the test clips as they are and returns them without, and with only, the held-out
value. What an anonymizer does on the second that it did not on the first is its generalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from privacy_mllm.data.clips import Answers, Clips, all_questions
from privacy_mllm.metrics import same_words


@dataclass(frozen=True)
class HeldOut:
    """Training clips that lack something, and test clips that show it.

    Args:
        train: Clips for training, without the held-out value.
        test: Clips for testing, with it.
        value: What was held out, in words.
    """

    train: Clips
    test: Clips
    value: str


def hold_out_attribute(train: Clips, test: Clips, name: str, *, shown: bool = True) -> HeldOut:
    """An attribute that training knows no label of.

    The training clips lose its column, so that no reviewer learns it; the test clips keep it alone.

    Args:
        train: Training clips.
        test: Test clips.
        name: The attribute; training keeps at least one other.
        shown: Whether training clips may show it, unlabelled. False leaves out those that do: then nobody has seen it.

    Raises:
        ValueError: If there is no such attribute or no other, or no clip is left.
    """
    names = train.attribute_names
    if name not in names or name not in test.attribute_names:
        raise ValueError(f"`name` must be one of {', '.join(names)}, got {name!r}.")
    if len(names) == 1:
        raise ValueError(f"`train` must have another attribute beside {name!r}.")
    without = train if shown else _filter("train", train, lambda row: train.attributes[row, names.index(name)] == 0)
    rest = [column for column, other in enumerate(names) if other != name]
    return HeldOut(
        train=_with_attributes(without, rest),
        test=_with_attributes(test, [test.attribute_names.index(name)]),
        value=name,
    )


def hold_out_answer(train: Clips, test: Clips, question: str, answer: str) -> HeldOut:
    """A place, an action or a thing that no training clip shows, by the answers to a question.

    Args:
        train: Training clips; those with this answer are left out.
        test: Test clips; only those with this answer are kept.
        question: What tells it, such as "where is the person".
        answer: The value, such as "the beach", compared as the reported accuracy compares answers.

    Raises:
        ValueError: If nobody is asked the question, or no clip is left in training or test.
    """
    _check_question(train, test, question)
    return HeldOut(
        train=_filter("train", train, lambda row: not _accepts(train.answers[row], question, answer)),
        test=_filter("test", test, lambda row: _accepts(test.answers[row], question, answer)),
        value=f"{question}: {answer}",
    )


def hold_out_question(train: Clips, test: Clips, question: str) -> HeldOut:
    """A question that is never put in training, and alone is put in the test.

    Args:
        train: Training clips; those with no other question are left out.
        test: Test clips; those without this question are left out.
        question: The question.

    Raises:
        ValueError: If nobody is asked it, or no clip is left in training or test.
    """
    _check_question(train, test, question)
    others = [{asked: said for asked, said in answers.items() if asked != question} for answers in train.answers]
    only = [{asked: said for asked, said in answers.items() if asked == question} for answers in test.answers]
    kept, judged = replace(train, answers=tuple(others)), replace(test, answers=tuple(only))
    return HeldOut(
        train=_filter("train", kept, lambda row: bool(others[row])),
        test=_filter("test", judged, lambda row: bool(only[row])),
        value=question,
    )


def _filter(name: str, clips: Clips, keep: Callable[[int], object]) -> Clips:
    rows = [row for row in range(len(clips)) if keep(row)]
    if not rows:
        raise ValueError(f"`{name}` must keep at least one clip, but the held-out value leaves none.")
    return clips.select(rows)


def _with_attributes(clips: Clips, columns: list[int]) -> Clips:
    names = tuple(clips.attribute_names[column] for column in columns)
    return replace(clips, attributes=clips.attributes[:, columns], attribute_names=names)


def _accepts(answers: Answers, question: str, answer: str) -> bool:
    return any(same_words(answer, accepted) for accepted in answers.get(question, ()))


def _check_question(train: Clips, test: Clips, question: str) -> None:
    for name, clips in (("train", train), ("test", test)):
        if question not in all_questions(clips):
            raise ValueError(f"`question` must be asked in `{name}`, one of {all_questions(clips)}, got {question!r}.")
