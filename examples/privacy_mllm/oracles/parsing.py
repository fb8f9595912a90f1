"""Reading what a model wrote: a ranked list of known answers, or a free answer. No reply is repaired in silence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

_REFUSAL = re.compile(
    r"^(?:unfortunately |however )*(?:(?:i m|i am) (?:(?:very |so |really )?sorry|unable|not able)|sorry|my apologies"
    r"|apologies|i apologi[sz]e|i (?:can t|cannot|can not|won t|will not|must decline|do not feel)|as an ai"
    r"|as a language model)(?: |$)"
)
_NEGATION = re.compile(r"(?:^| )(?:not|no|never|neither|nor|t|without|cannot)(?: |$)")
_FENCE = re.compile(r"```[\w-]*\s*(.*?)(?:```|$)", re.DOTALL)
_ARRAY = re.compile(r"\[[^\[\]]*\]")
_BULLET = re.compile(r"^\s*(?:[-*•·]+\s+|\(?#?\d{1,3}(?:[.):]\s*|\s*-\s+)(?!\d))")
_CODED = re.compile(r"^\(?([A-Za-z])[.):\]]+\s*(\S.*)$", re.DOTALL)
_JOINING = {"and", "or", "then"}


class AnswerError(ValueError):
    """A reply without a usable answer; the message says why."""


def normalise(text: str) -> str:
    """Text without case and punctuation, its words one space apart: what two spellings of an answer share."""
    return " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())


def is_refusal(text: str) -> bool:
    """Whether a reply begins as refusals do.

    Example:
        >>> is_refusal("I'm sorry, I can't help with that."), is_refusal("The person is sorry.")
        (True, False)
    """
    return _REFUSAL.search(normalise(text)) is not None


def parse_open(text: str) -> str:
    """A free answer: the reply without surrounding space and code fence.

    Raises:
        AnswerError: If it is empty or a refusal.
    """
    answer = _unfence(text).strip()
    if not normalise(answer):
        raise AnswerError("the reply is empty")
    if is_refusal(answer):
        raise AnswerError(f"the model refused: {_shorten(answer)}")
    return answer


def parse_ranking(text: str, candidates: Sequence[str], codes: Sequence[str] = ()) -> tuple[str, ...]:
    r"""The known answers that a reply names, in its order, each once.

    Read are JSON, lists with commas or lines, code fences, numbers, bullets and quotes; case and punctuation do not
    count. An answer is named by its letter, its words, or both; within a longer phrase it must stand as whole words,
    and the longest answer wins. A phrase that names several answers, denies one, or gives a letter with the words of
    another is unknown. Unknown entries are passed over, so the order is that of the known ones.

    Args:
        text: The reply.
        candidates: The known answers.
        codes: A letter for each of them, or nothing.

    Raises:
        AnswerError: If the reply is empty or a refusal, or names no known answer.

    Example:
        >>> parse_ranking("1. Running\n2. a sprint\n3. run", ["run", "running", "walk"])
        ('running', 'run')
        >>> parse_ranking("C, A", ["run", "running", "walk"], "ABC")
        ('walk', 'run')
    """
    if not normalise(text):
        raise AnswerError("the reply is empty")
    reader = _Reader(candidates, codes)
    if is_refusal(text) and reader.exact(re.split(r"[,;\n]", text)[0]) is None:
        raise AnswerError(f"the model refused: {_shorten(text)}")
    named = dict.fromkeys(label for item in _items(_unfence(text)) for label in reader.read(item))
    if not named:
        raise AnswerError(f"the reply names none of the {len(candidates)} answers: {_shorten(text)}")
    return tuple(named)


class _Reader:
    """Finds the answers that one entry of a list names."""

    def __init__(self, candidates: Sequence[str], codes: Sequence[str]) -> None:
        self._labels = {normalise(label): label for label in candidates}
        self._codes = dict(zip(codes, candidates, strict=False))
        if not any(code.islower() for code in codes):
            self._codes.update({code.lower(): label for code, label in self._codes.items()})
        longest_first = sorted(self._labels, key=len, reverse=True)
        self._anywhere = re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, longest_first))})(?!\S)")

    def read(self, item: str) -> list[str]:
        """The answers that an entry names; several only where it is a list itself."""
        for text in (item, _BULLET.sub("", item), item.partition(":")[2]):
            label = self.exact(text)
            if label is not None:
                return [label]
        parts = re.split(r"[,;|>\n]+", item)
        if len(parts) > 1:
            return [label for part in parts for label in self.read(part)]
        return self._within(_BULLET.sub("", item))

    def exact(self, item: str) -> str | None:
        """The answer that an entry is, by words, letter or both."""
        bare = item.strip().strip("\"'`*_.,;:()[]{} ")
        label = self._labels.get(normalise(bare)) or self._codes.get(bare)
        coded = _CODED.match(item.strip().strip("\"'`*_ "))
        if label is None and coded:
            by_code, words = self._codes.get(coded[1]), normalise(coded[2])
            label = by_code if by_code is not None and words == normalise(by_code) else None
        return label

    def _within(self, item: str) -> list[str]:
        coded = _CODED.match(item.strip())
        if coded and coded[1] in self._codes:
            return []  # a letter with other words than its own
        plain = normalise(item)
        found = self._anywhere.findall(plain)
        rest = self._anywhere.sub(" ", plain)
        if _NEGATION.search(rest) or (len(set(found)) > 1 and not set(rest.split()) <= _JOINING):
            return []
        return [self._labels[label] for label in found]


def _items(text: str) -> Iterator[str]:
    """The entries of a reply: those of its JSON, else its lines."""
    array = _ARRAY.search(text)
    for part, kinds in ((text, (list, dict, str)), (array[0] if array else "", (list,))):
        try:
            value = json.loads(part)
            strings = list(_strings(value))
        except (ValueError, RecursionError):
            continue
        if isinstance(value, kinds) and (part == text or any(isinstance(entry, str) for entry in value)):
            yield from strings
            return
    yield from text.splitlines()


def _strings(value: object) -> Iterator[str]:
    """All texts and numbers in a JSON value, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _strings(entry)
    elif value is not None:
        yield str(value)


def _unfence(text: str) -> str:
    """What stands in the first code fence; all of the text where there is none."""
    fenced = _FENCE.search(text)
    return fenced[1] if fenced and normalise(fenced[1]) else text


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
