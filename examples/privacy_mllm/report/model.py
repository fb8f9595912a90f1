"""What a page says, as plain data: made by ``gather`` and ``examples``, written by ``page``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privacy_mllm.records import StepRecord
from privacy_mllm.summaries import Spread

OURS = ("trained", "ours")


@dataclass(frozen=True)
class Method:
    """One method's row; figures in percent where no other unit is named, None for what is not known.

    Args:
        name: Its name.
        values: By column, its figures; see :data:`privacy_mllm.report.gather.COLUMNS`.
        answers: Right answers by question.
        attributes: Leakage to the strongest attacker by attribute.
    """

    name: str
    values: Mapping[str, Spread]
    answers: Mapping[str, Spread]
    attributes: Mapping[str, Spread]

    @property
    def is_ours(self) -> bool:
        """Whether it is the anonymizer that a run trained, or ours of a comparison."""
        return self.name in OURS


@dataclass(frozen=True)
class BillRow:
    """What one purpose took of the black box.

    Args:
        purpose: What was asked for.
        calls: Questions put.
        reused: Of these, answered from earlier answers, unpaid.
        failed: Of these, without a usable answer.
        tokens: Tokens sent and received.
        price: In the user's currency.
        seconds: Mean waiting time of a question that was really put.
    """

    purpose: str
    calls: int
    reused: int
    failed: int
    tokens: int
    price: float
    seconds: float


@dataclass(frozen=True)
class Setting:
    """One setting of a run.

    Args:
        name: Its name.
        value: Its value in words.
        changed: Whether it is not the default.
        help: What it means.
    """

    name: str
    value: str
    changed: bool
    help: str


@dataclass(frozen=True)
class Reply:
    """What the black box said to one question about one picture.

    Args:
        text: The answer; empty where it is not known.
        right: Whether it counts as right.
        probability: Its share among the candidate answers, in [0, 1]; None where no log-probabilities came.
    """

    text: str
    right: bool
    probability: float | None


@dataclass(frozen=True)
class Asked:
    """One question about a clip, with the answers before and after.

    Args:
        question: The question.
        accepted: The right answers.
        before: The answer about the raw clip; None where it was not asked.
        after: The answer about the anonymized clip; None where it was not asked.
    """

    question: str
    accepted: tuple[str, ...]
    before: Reply | None
    after: Reply | None


@dataclass(frozen=True)
class Example:
    """One clip before and after.

    Args:
        clip: Which clip it is; the same in all runs on the same data.
        frames: Frames that its picture holds.
        columns: Frames side by side; further ones stand below.
        size: Height and width of a picture in pixels.
        before: The raw clip as a data URI; None where raw pictures must not be shown.
        after: The anonymized clip as a data URI.
        asked: The questions, the main one first.
    """

    clip: str
    frames: int
    columns: int
    size: tuple[int, int]
    before: str | None
    after: str
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class Entry:
    """One folder of the page.

    Args:
        name: Its name on the page.
        is_comparison: Whether it comes from ``compare``, else it is a run.
        command: The command that made it.
        settings: The settings.
        versions: Versions of what it depends on.
        methods: The table.
        blind: Leakage to an attacker who sees nothing; None where it is not known.
        steps: What was recorded at each step.
        bill: What was asked, by purpose.
        examples: Clips before and after.
        remark: What the reader should know of the examples; empty for nothing.
    """

    name: str
    is_comparison: bool
    command: str
    settings: tuple[Setting, ...]
    versions: Mapping[str, str]
    methods: tuple[Method, ...] = ()
    blind: float | None = None
    steps: tuple[StepRecord, ...] = ()
    bill: tuple[BillRow, ...] = ()
    examples: tuple[Example, ...] = ()
    remark: str = ""
