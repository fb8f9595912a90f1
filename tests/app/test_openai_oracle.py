"""The oracle over HTTP, against a real server: what it sends, what it makes of replies and failures, and its bill."""

from __future__ import annotations

import base64
import io
import json
import logging
import math
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
import torch
from PIL import Image

import zoopt_mo as zo
from privacy_mllm.oracles._chat import _words
from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service, ServiceError
from privacy_mllm.oracles.protocol import Oracle
from tests.app.fault_server import RunningService, running_service

pytestmark = pytest.mark.slow  # real servers, timeouts and waiting; some fifteen seconds in all

QUESTION = "What is the person doing?"
ACTIONS = {QUESTION: ("run", "running fast", "walk", "jump", "wave", "sit")}
KEY = "sk-planted-0123456789abcdef"
MODEL = "stub-vision"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningService]:
    with running_service(tmp_path / "log.jsonl", *getattr(request, "param", ("--logprobs",))) as running:
        yield running


def _clips(count: int = 1, frames: int = 1, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, frames, 3, 24, 32), dtype=torch.uint8, generator=generator)


def _oracle(service: RunningService, *, timeout: float = 10.0, **options: Any) -> OpenAICompatibleOracle:
    names = {"max_retries", "concurrency", "requests_per_minute", "price_in", "price_out", "model", "key_variable"}
    where = {name: options.pop(name) for name in names & options.keys()}
    options.setdefault("candidates", ACTIONS)
    return OpenAICompatibleOracle(
        Service(**{"model": MODEL, "base_url": service.url, "timeout": timeout, **where}), **options
    )


def with_faults(name: str, *options: str) -> tuple[str, ...]:
    return ("--logprobs", "--fail-rate", "1", "--faults", name, *options)


@pytest.mark.parametrize("frames", [1, 4])
def test_the_server_sees_every_frame_pixel_for_pixel_and_in_order(tmp_path: Path, frames: int) -> None:
    clips = _clips(frames=frames)
    with running_service(tmp_path / "log.jsonl", "--keep", str(tmp_path)) as service:
        _oracle(service, detail="high").ask(clips, [QUESTION])
        (entry,) = service.log()
    request = json.loads((tmp_path / f"{entry['sha256']}.json").read_text())
    *pictures, text = request["messages"][0]["content"]
    assert text["type"] == "text"
    assert len(pictures) == frames
    for picture, frame in zip(pictures, clips[0], strict=True):
        url = picture["image_url"]["url"]
        assert picture["image_url"]["detail"] == "high"
        assert url.startswith("data:image/png;base64,")
        seen = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        assert (np.asarray(seen) == frame.permute(1, 2, 0).numpy()).all()
    assert request["temperature"] == 0


def test_an_answer_comes_with_ranking_log_probabilities_and_bill(service: RunningService) -> None:
    oracle: Oracle = _oracle(service, price_in=2.0, price_out=8.0)
    answers = oracle.ask(_clips(3), [QUESTION] * 3)
    assert len({answer.text for answer in answers}) > 1
    for answer in answers:
        assert answer.logprobs is not None
        assert tuple(answer.logprobs) == ACTIONS[QUESTION]
        assert answer.text == answer.ranked[0] == max(answer.logprobs, key=answer.logprobs.__getitem__)
        assert len(answer.ranked) == 5
        assert sum(map(math.exp, answer.logprobs.values())) == pytest.approx(1)
    assert oracle.num_calls == len(service.log()) == 3
    sent, received = service.tokens()
    assert (sum(a.usage.tokens_in for a in answers), sum(a.usage.tokens_out for a in answers)) == (sent, received)
    assert sum(a.usage.cost for a in answers) == pytest.approx((2 * sent + 8 * received) / 1e6)


def test_the_same_clip_gets_the_same_answer_from_any_number_of_threads(service: RunningService) -> None:
    clips = _clips(12)
    alone = _oracle(service).ask(clips, [QUESTION] * 12)
    oracle = _oracle(service, concurrency=4)
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION])[0], clips))
    assert together == alone
    assert oracle.num_calls == 12


def test_an_open_question_is_answered_in_words_without_log_probabilities(service: RunningService) -> None:
    oracle = _oracle(service, candidates=None)
    (answer,) = oracle.ask(_clips(), ["Where is it?"])
    assert answer.text
    assert answer.logprobs is None
    assert answer.ranked == ()
    assert oracle.can_answer("Where is it?", "anything at all")
    assert not oracle.can_answer("Where is it?", " ")


def test_with_a_closed_list_only_its_answers_can_be_given(service: RunningService) -> None:
    oracle = _oracle(service)
    assert oracle.can_answer(QUESTION, "Running fast.")
    assert not oracle.can_answer(QUESTION, "swim")
    assert oracle.num_calls == 0


def test_a_probe_says_that_log_probabilities_came(service: RunningService) -> None:
    report = _oracle(service).probe(_clips()[0], QUESTION)
    assert report.returned
    assert report.answer.logprobs is not None
    assert 0 < report.seconds < 10
    assert "returned, and read for 6 candidate answers" in str(report)


@pytest.mark.parametrize("service", [()], indirect=True)
def test_a_probe_says_that_none_came(service: RunningService) -> None:
    report = _oracle(service).probe(_clips()[0], QUESTION)
    assert not report.returned
    assert report.answer.logprobs is None
    assert report.answer.text in ACTIONS[QUESTION]
    assert "log-probabilities: not returned" in str(report)


BILLED = {
    "empty_choices": "`choices` is empty",
    "refusal": "the model refused",
    "nan_logprobs": "log-probability of nan",
}


@pytest.mark.parametrize(
    ("service", "words"), [(with_faults(name), words) for name, words in BILLED.items()], indirect=["service"]
)
def test_an_unusable_reply_is_an_error_with_its_bill_and_is_not_asked_again(
    service: RunningService, words: str
) -> None:
    oracle = _oracle(service, price_in=1.0)
    with pytest.raises(zo.QueryError, match=words) as caught:
        oracle.ask(_clips(), [QUESTION])
    usage, (sent, received) = caught.value.usage, service.tokens()
    assert sent > 0
    assert (usage.attempts, usage.tokens_in, usage.tokens_out, usage.cost) == (1, sent, received, sent / 1e6)
    assert oracle.num_calls == len(service.log()) == 1


@pytest.mark.parametrize("service", [with_faults("broken_json")], indirect=True)
def test_a_cut_reply_is_an_error_that_says_that_its_cost_is_unknown(service: RunningService) -> None:
    oracle = _oracle(service)
    with pytest.raises(zo.QueryError, match=r"not JSON; what it cost is not known \(1 attempt\)") as caught:
        oracle.ask(_clips(), [QUESTION])
    assert caught.value.usage == zo.Usage(attempts=1)
    assert oracle.num_calls == len(service.log()) == 1
    assert service.tokens()[0] > 0


UNANSWERED = {
    "rate_limit": (r"429.*too many requests \(3 attempts\)", [429] * 3),
    "server_error": (r"500.*something went wrong \(3 attempts\)", [500] * 3),
    "closed": (r"no connection to http://127.*RemoteProtocolError \(3 attempts\)", [None] * 3),
    "hang": (r"no answer within 0\.3 s \(3 attempts\)", [None] * 3),
}


@pytest.mark.parametrize(
    ("service", "words", "statuses"),
    [(with_faults(name), *expected) for name, expected in UNANSWERED.items()],
    indirect=["service"],
)
def test_a_failure_is_tried_three_times_and_every_attempt_is_counted(
    service: RunningService, words: str, statuses: list[int | None]
) -> None:
    oracle = _oracle(service, timeout=0.3)
    with pytest.raises(zo.QueryError, match=words) as caught:
        oracle.ask(_clips(), [QUESTION])
    assert not isinstance(caught.value, ServiceError)
    assert not caught.value.fatal
    assert caught.value.usage == zo.Usage(attempts=3)
    log = service.log()
    assert [entry["status"] for entry in log] == statuses
    assert [entry["retry"] for entry in log] == ["0", "1", "2"]
    assert oracle.num_calls == 3


@pytest.mark.parametrize("service", [with_faults("rate_limit", "--retry-after", "0.8")], indirect=True)
def test_a_retry_waits_as_long_as_the_service_asks(service: RunningService) -> None:
    with pytest.raises(zo.QueryError, match="429"):
        _oracle(service, max_retries=1).ask(_clips(), [QUESTION])
    first, second = (entry["time"] for entry in service.log())
    assert 0.8 <= second - first < 1.6


@pytest.mark.parametrize(
    "service", [("--logprobs", "--fail-rate", "0.5", "--faults", "rate_limit,closed")], indirect=True
)
def test_answers_after_retries_are_those_of_a_service_that_never_fails(service: RunningService, tmp_path: Path) -> None:
    clips = _clips(32)
    oracle = _oracle(service, max_retries=12)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION])[0], clips))
    log = service.log()
    assert {entry["fault"] for entry in log} == {None, "rate_limit", "closed"}
    assert oracle.num_calls == sum(answer.usage.attempts for answer in answers) == len(log)
    with running_service(tmp_path / "calm.jsonl", "--logprobs") as calm:
        expected = _oracle(calm).ask(clips, [QUESTION] * 32)
    assert [(a.text, a.logprobs, a.ranked) for a in answers] == [(a.text, a.logprobs, a.ranked) for a in expected]


@pytest.mark.parametrize("service", [("--fail-rate", "0.2", "--faults", "refusal", "--seed", "1")], indirect=True)
def test_a_batch_that_fails_bills_the_clips_before_it_too(service: RunningService) -> None:
    with pytest.raises(zo.QueryError, match="refused") as caught:
        _oracle(service, price_out=1e6).ask(_clips(32), [QUESTION] * 32)
    log, (sent, received) = service.log(), service.tokens()
    assert 1 < len(log) < 32
    assert caught.value.usage == zo.Usage(len(log), sent, received, received)


@pytest.mark.parametrize("service", [("--latency", "0.1")], indirect=True)
def test_no_more_calls_run_at_once_than_agreed(service: RunningService) -> None:
    oracle = _oracle(service, concurrency=3)
    assert oracle.concurrency == 3
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION]), _clips(12)))
    assert max(entry["in_flight"] for entry in service.log()) == 3


@pytest.mark.parametrize(
    "service", [("--fail-rate", "0.5", "--faults", "rate_limit", "--retry-after", "0.001")], indirect=True
)
def test_requests_a_minute_are_kept_to_with_retries_counted(service: RunningService) -> None:
    oracle = _oracle(service, requests_per_minute=1200, max_retries=10)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION]), _clips(12)))
    times = sorted(entry["time"] for entry in service.log())
    assert len(times) > 12
    # One request in 0.05 s; a request may arrive late, so single gaps may be shorter, but not their sum.
    assert times[-1] - times[0] >= 0.05 * (len(times) - 1) - 0.04


@pytest.mark.parametrize("service", [("--latency", "2")], indirect=True)
def test_a_slow_service_is_given_up_after_the_timeout(service: RunningService) -> None:
    with pytest.raises(zo.QueryError, match=r"no answer within 0\.2 s \(1 attempt\)"):
        _oracle(service, timeout=0.2, max_retries=0).ask(_clips(), [QUESTION])


def test_an_unknown_model_ends_the_probe_with_a_clear_error(service: RunningService) -> None:
    oracle = _oracle(service, model="gpt-nonesuch")
    with pytest.raises(ServiceError, match="does not know the model 'gpt-nonesuch'") as caught:
        oracle.probe(_clips()[0], QUESTION)
    assert caught.value.usage == zo.Usage(attempts=1)
    assert caught.value.fatal
    assert [entry["status"] for entry in service.log()] == [404]


def test_a_refused_key_is_not_tried_again_and_stays_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    log = tmp_path / "log.jsonl"
    monkeypatch.setenv("RIGHT_KEY", "sk-right-key")
    with running_service(log, "--key-variable", "RIGHT_KEY") as service:
        oracle = _oracle(service)
        with pytest.raises(ServiceError, match=r"refuses the key in OPENAI_API_KEY.*provided: \*\*\*") as caught:
            oracle.ask(_clips(), [QUESTION])
        assert len(service.log()) == 1
        right = _oracle(service, key_variable="RIGHT_KEY")
        right.ask(_clips(), [QUESTION])
    assert caught.value.__context__ is None
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), copy.fatal, copy.usage) == (ServiceError, True, zo.Usage(attempts=1))
    told = [oracle.name, repr(oracle), repr(oracle._chat), repr(oracle._service), repr(caught.value), caplog.text]
    assert caplog.text
    for text in [*told, right.name, log.read_text()]:
        assert KEY not in text
        assert "sk-right-key" not in text


def test_a_missing_key_is_named_and_a_server_of_ones_own_needs_none(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert _oracle(service).ask(_clips(), [QUESTION])[0].text in ACTIONS[QUESTION]
    with pytest.raises(ValueError, match="OPENAI_API_KEY is empty"):
        OpenAICompatibleOracle(Service("gpt-4o"))
    with pytest.raises(ValueError, match="OTHER_KEY is empty"):
        OpenAICompatibleOracle(Service("gpt-4o", key_variable="OTHER_KEY"))


def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    with pytest.raises(ValueError, match="OPENAI_API_KEY must be printable") as caught:
        OpenAICompatibleOracle(Service("gpt-4o"))
    assert KEY not in str(caught.value)


def test_a_server_that_is_not_there_is_an_error_after_all_attempts() -> None:
    oracle = OpenAICompatibleOracle(Service(MODEL, base_url="http://127.0.0.1:9/v1", max_retries=1))
    with pytest.raises(zo.QueryError, match=r"no connection to http://127\.0\.0\.1:9/v1: ConnectError \(2 attempts\)"):
        oracle.ask(_clips(), [QUESTION])
    assert oracle.num_calls == 2


def test_the_name_tells_apart_what_answers_depend_on(service: RunningService) -> None:
    others = [
        _oracle(service),
        _oracle(service, model="other"),
        _oracle(service, detail="high"),
        _oracle(service, temperature=0.5),
        _oracle(service, temperature=None),
        _oracle(service, max_tokens=8),
        _oracle(service, logprobs=False),
        _oracle(service, candidates={QUESTION: ("run", "walk")}),
        _oracle(service, candidates=None),
        _oracle(service, extra={"seed": 1}),
    ]
    assert len({oracle.name for oracle in others}) == len(others)
    assert _oracle(service, concurrency=2, timeout=1.0, price_in=3.0).name == others[0].name
    assert [oracle.deterministic for oracle in others[:5]] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base_url": "https://user:secret@host.org/v1"}, "must hold no user, password or query"),
        ({"base_url": "https://host.org/v1?key=secret"}, "must hold no user, password or query"),
        ({"base_url": "http://host.org/v1"}, "must be https for a host that is not your own"),
        ({"base_url": "host.org/v1"}, "must be an address"),
        ({"model": " "}, "`model` must not be empty"),
        ({"timeout": 0}, "`timeout` must be positive"),
        ({"timeout": math.inf}, "`timeout` must be positive"),
        ({"concurrency": 0}, "`concurrency` must be positive"),
        ({"requests_per_minute": -1}, "`requests_per_minute` must be positive"),
        ({"max_retries": -1}, "`max_retries` must not be negative"),
        ({"price_out": math.nan}, "`price_out` must not be negative"),
    ],
)
def test_a_service_checks_its_values_and_shows_no_password(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Service(**{"model": "gpt-4o", **options})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:80", "192.168.1.7", "vllm"])
def test_hosts_of_ones_own_may_be_asked_without_https(host: str) -> None:
    assert Service("m", base_url=f"http://{host}/v1").is_own


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detail": "huge"}, "`detail` must be one of low, high, auto, got 'huge'"),
        ({"temperature": -1.0}, "`temperature` must be in"),
        ({"max_tokens": 0}, "`max_tokens` must be at least 1"),
        ({"candidates": {QUESTION: ("run",)}}, "at least two answers"),
        ({"candidates": {QUESTION: ("run", "Run!")}}, "differ in more than case"),
        ({"candidates": {QUESTION: ("run", "?!")}}, "words of one line"),
    ],
)
def test_an_oracle_checks_its_settings(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OpenAICompatibleOracle(Service("gpt-4o"), **options)


def test_clips_that_are_not_bytes_or_have_another_shape_are_refused() -> None:
    oracle = OpenAICompatibleOracle(Service("gpt-4o"))
    with pytest.raises(TypeError, match="must be uint8"):
        oracle.ask(_clips().float(), [QUESTION])
    with pytest.raises(ValueError, match="must have shape"):
        oracle.ask(_clips()[0], [QUESTION])
    with pytest.raises(ValueError, match="one entry a clip"):
        oracle.ask(_clips(), [])
    assert oracle.num_calls == 0


def test_the_detail_that_other_servers_give_is_passed_on() -> None:
    request = httpx2.Request("POST", "http://localhost/v1")
    response = httpx2.Response(400, json={"detail": "no such model here"}, request=request)
    error = openai.BadRequestError("Error code: 400", response=response, body=response.json())
    assert _words(error) == "Error code: 400 - no such model here"
