"""Reading the body of a reply: what is malformed is refused, and probabilities stay probabilities; and pacing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy_mllm.oracles._completion import LOWEST, Token, label_logprobs, read_completion, read_usage
from privacy_mllm.oracles._pacing import Pacing
from privacy_mllm.oracles.parsing import AnswerError
from privacy_mllm.oracles.prompts import Prompt, build_prompt

probabilities = st.lists(st.floats(1e-12, 1), min_size=4, max_size=4)


@given(weights=probabilities, listed=st.integers(1, 4), other=st.floats(0, 1))
def test_label_log_probabilities_are_finite_and_never_more_than_one_in_all(
    weights: list[float], listed: int, other: float
) -> None:
    prompt = build_prompt("Q?", ["one", "two", "three", "four"])
    total = sum(weights) + other
    top = {code: math.log(weight / total) for code, weight in zip("ABCD", weights, strict=True)}
    top = dict(sorted(top.items(), key=lambda pair: -pair[1])[:listed])
    best = max(top, key=top.__getitem__)
    found = label_logprobs([Token(best, top[best], top)], prompt, prompt.candidates["ABCD".index(best)])
    assert found is not None
    assert tuple(found) == prompt.candidates
    assert all(LOWEST <= value <= 0 for value in found.values())
    assert sum(map(math.exp, found.values())) <= 1 + 4e-9 + 1e-12
    for code, value in top.items():
        assert found[prompt.candidates["ABCD".index(code)]] == pytest.approx(max(value, LOWEST), abs=1e-9)


def test_spellings_of_a_letter_are_summed_and_the_rest_is_shared() -> None:
    prompt = build_prompt("Q?", ["run", "walk", "sit", "wave"])
    half, fifth, tenth = math.log(0.5), math.log(0.2), math.log(0.1)
    tokens = [
        Token("Answer", 0.0, {}),
        Token(":", 0.0, {}),
        Token(" B", half, {" B": half, "B": fifth, "a": tenth, "The": tenth}),
    ]
    found = label_logprobs(tokens, prompt, "walk")
    assert found is not None
    expected = {"run": 0.1, "walk": 0.7, "sit": 0.05, "wave": 0.05}
    assert {label: math.exp(value) for label, value in found.items()} == pytest.approx(expected)


def test_log_probabilities_that_do_not_belong_to_the_answer_are_not_used() -> None:
    prompt = build_prompt("Q?", ["run", "walk"])
    token = Token("A", -0.1, {"A": -0.1, "B": -3.0})
    assert label_logprobs([token], prompt, "walk") is None
    assert label_logprobs([Token("walk", -0.1, {})], prompt, "walk") is None
    assert label_logprobs([], prompt, "walk") is None
    assert label_logprobs([token], Prompt("Q?", ("run", "walk")), "run") is None


def _body(**choice: object) -> dict[str, object]:
    return {"choices": [{"message": {"content": "A"}, "finish_reason": "stop", **choice}]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "`choices` is empty"),
        ({}, "`choices` is empty"),
        ({"choices": ["A"]}, "`choices` is empty"),
        (_body(message=None), "is empty .finish_reason: stop"),
        (_body(message={"content": None}, finish_reason="length"), "is empty .finish_reason: length"),
        (_body(message={"content": None, "refusal": "No."}), "refused: 'No.'"),
        (_body(finish_reason="content_filter"), "withheld"),
        (_body(logprobs={"content": [{"token": "A", "logprob": math.nan}]}), "log-probability of nan"),
        (_body(logprobs={"content": [{"token": "A", "logprob": math.inf}]}), "log-probability of inf"),
        (_body(logprobs={"content": [{"token": "A", "logprob": 0.5}]}), "log-probability of 0.5"),
        (_body(logprobs={"content": [{"token": "A", "logprob": None}]}), "malformed"),
        (_body(logprobs={"content": ["A"]}), "malformed"),
    ],
)
def test_a_body_without_a_usable_answer_is_an_error(body: object, words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        read_completion(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "message", "content", "logprobs", "token", "usage"]), inner)
    ),
    max_leaves=20,
)


@given(body=json_values)
def test_any_json_is_read_or_refused_and_its_counts_are_counts(body: object) -> None:
    assert all(type(count) is int and count >= 0 for count in read_usage(body))
    try:
        completion = read_completion(body)
    except AnswerError:
        return
    assert completion.text.strip()


def test_log_probabilities_are_absent_or_read_with_minus_infinity_and_rounding() -> None:
    assert read_completion(_body()).tokens is None
    assert read_completion(_body(logprobs=None)).tokens is None
    pair = {"token": "A", "logprob": 1e-7, "top_logprobs": [{"token": "B", "logprob": -math.inf}]}
    assert read_completion(_body(logprobs={"content": [pair]})).tokens == (Token("A", 0.0, {"B": -math.inf}),)


@given(
    per_minute=st.floats(1, 6000),
    arrivals=st.lists(st.floats(0, 3), min_size=1, max_size=30),
)
def test_pacing_keeps_even_steps_whatever_the_arrivals(per_minute: float, arrivals: list[float]) -> None:
    now = 0.0
    passed: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pacing = Pacing(per_minute, clock=lambda: now, sleep=sleep)
    for gap in arrivals:
        now += gap
        arrived = now
        pacing.wait()
        earliest = passed[-1] + 60 / per_minute if passed else 0.0
        assert now == pytest.approx(max(arrived, earliest))
        passed.append(now)


def test_without_a_limit_nobody_waits() -> None:
    waits: list[float] = []
    pacing = Pacing(None, sleep=waits.append)
    for _ in range(100):
        pacing.wait()
    assert waits == []
