"""The oracle over HTTP, against a real server that fails: what comes out, the bill, and a key that stays secret."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import openai
import pytest

import zoopt_mo as zo
from privacy_mllm.oracles._chat import _words
from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service, ServiceError
from tests.app.fault_server import (
    ACTIONS,
    KEY,
    MODEL,
    QUESTION,
    RunningService,
    make_oracle,
    noise_clips,
    running_service,
    with_faults,
)

pytestmark = pytest.mark.slow  # real servers, timeouts and waiting; some fifteen seconds in all


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningService]:
    with running_service(tmp_path / "log.jsonl", *getattr(request, "param", ("--logprobs",))) as running:
        yield running


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
    oracle = make_oracle(service, price_in=1.0)
    with pytest.raises(zo.QueryError, match=words) as caught:
        oracle.ask(noise_clips(), [QUESTION])
    usage, (sent, received) = caught.value.usage, service.tokens()
    assert sent > 0
    assert (usage.attempts, usage.tokens_in, usage.tokens_out, usage.cost) == (1, sent, received, sent / 1e6)
    assert oracle.num_calls == len(service.log()) == 1


@pytest.mark.parametrize("service", [with_faults("broken_json")], indirect=True)
def test_a_cut_reply_is_an_error_that_says_that_its_cost_is_unknown(service: RunningService) -> None:
    oracle = make_oracle(service)
    with pytest.raises(zo.QueryError, match=r"not JSON; what it cost is not known \(1 attempt\)") as caught:
        oracle.ask(noise_clips(), [QUESTION])
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
    oracle = make_oracle(service, timeout=0.3)
    with pytest.raises(zo.QueryError, match=words) as caught:
        oracle.ask(noise_clips(), [QUESTION])
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
        make_oracle(service, max_retries=1).ask(noise_clips(), [QUESTION])
    first, second = (entry["time"] for entry in service.log())
    assert 0.8 <= second - first < 1.6


@pytest.mark.parametrize(
    "service", [("--logprobs", "--fail-rate", "0.5", "--faults", "rate_limit,closed")], indirect=True
)
def test_answers_after_retries_are_those_of_a_service_that_never_fails(service: RunningService, tmp_path: Path) -> None:
    clips = noise_clips(32)
    oracle = make_oracle(service, max_retries=12)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION])[0], clips))
    log = service.log()
    assert {entry["fault"] for entry in log} == {None, "rate_limit", "closed"}
    assert oracle.num_calls == sum(answer.usage.attempts for answer in answers) == len(log)
    with running_service(tmp_path / "calm.jsonl", "--logprobs") as calm:
        expected = make_oracle(calm).ask(clips, [QUESTION] * 32)
    assert [(a.text, a.logprobs, a.ranked) for a in answers] == [(a.text, a.logprobs, a.ranked) for a in expected]


@pytest.mark.parametrize("service", [("--fail-rate", "0.2", "--faults", "refusal", "--seed", "1")], indirect=True)
def test_a_batch_that_fails_bills_the_clips_before_it_too(service: RunningService) -> None:
    with pytest.raises(zo.QueryError, match="refused") as caught:
        make_oracle(service, price_out=1e6).ask(noise_clips(32), [QUESTION] * 32)
    log, (sent, received) = service.log(), service.tokens()
    assert 1 < len(log) < 32
    assert caught.value.usage == zo.Usage(len(log), sent, received, received)


@pytest.mark.parametrize("service", [("--latency", "2")], indirect=True)
def test_a_slow_service_is_given_up_after_the_timeout(service: RunningService) -> None:
    with pytest.raises(zo.QueryError, match=r"no answer within 0\.2 s \(1 attempt\)"):
        make_oracle(service, timeout=0.2, max_retries=0).ask(noise_clips(), [QUESTION])


def test_an_unknown_model_ends_the_probe_with_a_clear_error(service: RunningService) -> None:
    oracle = make_oracle(service, model="gpt-nonesuch")
    with pytest.raises(ServiceError, match="does not know the model 'gpt-nonesuch'") as caught:
        oracle.probe(noise_clips()[0], QUESTION)
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
        oracle = make_oracle(service)
        with pytest.raises(ServiceError, match=r"refuses the key in OPENAI_API_KEY.*provided: \*\*\*") as caught:
            oracle.ask(noise_clips(), [QUESTION])
        assert len(service.log()) == 1
        right = make_oracle(service, key_variable="RIGHT_KEY")
        right.ask(noise_clips(), [QUESTION])
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
    assert make_oracle(service).ask(noise_clips(), [QUESTION])[0].text in ACTIONS[QUESTION]
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
        oracle.ask(noise_clips(), [QUESTION])
    assert oracle.num_calls == 2


def test_the_detail_that_other_servers_give_is_passed_on() -> None:
    request = httpx2.Request("POST", "http://localhost/v1")
    response = httpx2.Response(400, json={"detail": "no such model here"}, request=request)
    error = openai.BadRequestError("Error code: 400", response=response, body=response.json())
    assert _words(error) == "Error code: 400 - no such model here"
