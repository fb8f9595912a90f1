"""Reading replies: every way of writing a list is read alike, and nothing else passes for an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy_mllm.oracles.parsing import AnswerError, is_refusal, normalise, parse_open, parse_ranking
from privacy_mllm.oracles.prompts import CODES, build_prompt, check_candidates

LABELS = ("run", "running", "run fast", "walk", "ride bike", "wave", "two")

STYLES: dict[str, Callable[[Sequence[str]], str]] = {
    "json": json.dumps,
    "json object": lambda items: json.dumps({"answers": list(items)}),
    "json ranks": lambda items: json.dumps({str(rank): item for rank, item in enumerate(items, 1)}),
    "json of objects": lambda items: json.dumps([{"rank": None, "label": item} for item in items]),
    "fenced json": lambda items: f"```json\n{json.dumps(list(items), indent=1)}\n```",
    "array in a sentence": lambda items: f"Here you are: {json.dumps(list(items))} as you asked.",
    "python list": lambda items: str(list(items)),
    "lines": "\n".join,
    "numbered": lambda items: "\n".join(f"{rank}. {item}" for rank, item in enumerate(items, 1)),
    "numbered in brackets": lambda items: "\n".join(f"({rank}) {item}" for rank, item in enumerate(items, 1)),
    "bullets": lambda items: "\n".join(f"- **{item}**" for item in items),
    "commas": ", ".join,
    "one line numbered": lambda items: ", ".join(f"{rank}) {item}" for rank, item in enumerate(items, 1)),
    "semicolons": "; ".join,
    "arrows": " > ".join,
    "with a heading": lambda items: "Most likely:\n" + "\n".join(items),
    "after a colon": lambda items: "Answer: " + ", ".join(items),
    "shouted": lambda items: ", ".join(item.upper() + "." for item in items),
    "open fence": lambda items: "```\n" + "\n".join(items),
}

rankings = st.lists(st.sampled_from(LABELS), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize("style", STYLES)
@given(ranking=rankings)
def test_every_style_is_read_to_the_same_ranking(style: str, ranking: list[str]) -> None:
    assert parse_ranking(STYLES[style](ranking), LABELS) == tuple(ranking)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("form", ["{code}", "{code}.", "{code}. {label}", "({code}) {label}", "{code}: {label}"])
@given(ranking=rankings)
def test_letters_are_read_alone_and_with_their_words(style: str, form: str, ranking: list[str]) -> None:
    codes = CODES[: len(LABELS)]
    items = [form.format(code=codes[LABELS.index(label)], label=label) for label in ranking]
    assert parse_ranking(STYLES[style](items), LABELS, codes) == tuple(ranking)


@given(text=st.text(), lettered=st.booleans())
def test_any_text_gives_distinct_known_answers_or_an_error(text: str, lettered: bool) -> None:
    codes = CODES[: len(LABELS)] if lettered else ""
    try:
        ranked = parse_ranking(text, LABELS, codes)
    except AnswerError:
        return
    assert ranked
    assert len(set(ranked)) == len(ranked)
    assert set(ranked) <= set(LABELS)


words = st.sampled_from(
    ["run", "running", "walk", "not", "I'm", "sorry", ",", "\n", "1.", "[", '"', "A", "B.", "{", "```"]
)


@given(parts=st.lists(words, max_size=12))
def test_scraps_of_replies_give_distinct_known_answers_or_an_error(parts: list[str]) -> None:
    try:
        ranked = parse_ranking(" ".join(parts), LABELS, CODES[: len(LABELS)])
    except AnswerError:
        return
    assert len(set(ranked)) == len(ranked) > 0
    assert set(ranked) <= set(LABELS)


@given(ranking=rankings, noise=st.lists(st.sampled_from(["swim", "fly a kite", "???", "banana"]), max_size=4))
def test_unknown_and_repeated_entries_are_passed_over(ranking: list[str], noise: list[str]) -> None:
    assert parse_ranking("\n".join([*noise, *ranking, *noise, *ranking]), LABELS) == tuple(ranking)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("running", ("running",)),
        ("The person is running.", ("running",)),
        ("They run fast here", ("run fast",)),
        ("run fast", ("run fast",)),
        ("RIDE-BIKE!", ("ride bike",)),
        ("run and walk", ("run", "walk")),
        ("1. runner\n2. walk", ("walk",)),
        ("2) two", ("two",)),
    ],
)
def test_whole_words_count_and_the_longest_answer_wins(text: str, expected: tuple[str, ...]) -> None:
    assert parse_ranking(text, LABELS) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("...", "is empty"),
        ("``` ```", "is empty"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ("I\N{RIGHT SINGLE QUOTATION MARK}m sorry, I can\N{RIGHT SINGLE QUOTATION MARK}t say. Maybe run.", "refused"),
        ("Unfortunately, I cannot identify people; walk.", "refused"),
        ("As an AI, I do not see.", "refused"),
        ("swim", "names none of the 7 answers: 'swim'"),
        ("runner", "names none"),
        ("not running", "names none"),
        ("he isn't running", "names none"),
        ("walk while waving and run", "names none"),
        ("[]", "is empty"),
        ("null", "names none"),
        ("[" * 100_000, "is empty"),
        ("x" * 1000, r"'x{77}\.\.\.'"),
    ],
)
def test_what_is_no_answer_is_an_error(text: str, words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        parse_ranking(text, LABELS)


def test_a_letter_with_the_words_of_another_answer_is_unknown() -> None:
    assert parse_ranking("B. run\nC", ["run", "walk", "sit"], "ABC") == ("sit",)
    with pytest.raises(AnswerError, match="names none"):
        parse_ranking("B. run", ["run", "walk", "sit"], "ABC")


def test_an_article_or_a_pronoun_is_not_a_letter() -> None:
    labels = [f"answer {index}" for index in range(26)]
    with pytest.raises(AnswerError, match="names none"):
        parse_ranking("A person. I think.", labels, CODES[:26])
    assert parse_ranking("A man doing answer 7", labels, CODES[:26]) == ("answer 7",)


def test_an_answer_that_begins_like_a_refusal_is_still_an_answer() -> None:
    labels = ["sorry", "I can't tell", "angry"]
    assert parse_ranking("Sorry, angry", labels) == ("sorry", "angry")
    assert parse_ranking("I can't tell", labels) == ("I can't tell",)


def test_numbers_may_be_answers() -> None:
    assert parse_ranking("[2, 1]", ["0", "1", "2"]) == ("2", "1")
    assert parse_ranking("1. 2\n2. 0", ["0", "1", "2"]) == ("2", "0")
    assert parse_ranking("2", ["0", "1", "2"]) == ("2",)


@given(text=st.text())
def test_a_free_answer_is_words_of_the_reply_or_an_error(text: str) -> None:
    try:
        answer = parse_open(text)
    except AnswerError:
        assert not normalise(text) or is_refusal(text) or "```" in text
        return
    assert answer == answer.strip()
    assert normalise(answer)
    assert answer in text


def test_a_free_answer_loses_its_fence_and_a_refusal_is_none() -> None:
    assert parse_open("```\na red ball\n```") == "a red ball"
    assert parse_open(" Two people. ") == "Two people."
    with pytest.raises(AnswerError, match="refused"):
        parse_open("I cannot help with that.")
    with pytest.raises(AnswerError, match="empty"):
        parse_open("\n")


def test_a_prompt_numbers_up_to_52_answers_with_letters() -> None:
    labels = [f"label {index}" for index in range(53)]
    assert build_prompt("Q?", labels[:52]).codes == tuple(CODES)
    assert build_prompt("Q?", labels).codes == ()
    assert "label 52" in build_prompt("Q?", labels).text
    assert build_prompt("Q?", ["a", "b"]).codes == ()
    assert build_prompt("Q?").candidates == ()


@pytest.mark.parametrize("labels", [("run",), "run", ("run", "RUN"), ("run", "--"), ("run", "a\nb")])
def test_lists_that_cannot_be_told_apart_are_refused(labels: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="`candidates` must"):
        check_candidates({"Q?": labels})
