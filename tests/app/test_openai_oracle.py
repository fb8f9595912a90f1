"""The oracle over HTTP, against a real server: what it sends, what it makes of replies, and its bill."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service
from privacy_mllm.oracles.protocol import Oracle
from tests.app.fault_server import (
    ACTIONS,
    KEY,
    QUESTION,
    RunningService,
    make_oracle,
    noise_clips,
    running_service,
)

pytestmark = pytest.mark.slow  # real servers, timeouts and waiting; some fifteen seconds in all


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningService]:
    with running_service(tmp_path / "log.jsonl", *getattr(request, "param", ("--logprobs",))) as running:
        yield running


@pytest.mark.parametrize("frames", [1, 4])
def test_the_server_sees_every_frame_pixel_for_pixel_and_in_order(tmp_path: Path, frames: int) -> None:
    clips = noise_clips(frames=frames)
    with running_service(tmp_path / "log.jsonl", "--keep", str(tmp_path)) as service:
        make_oracle(service, detail="high").ask(clips, [QUESTION])
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
    oracle: Oracle = make_oracle(service, price_in=2.0, price_out=8.0)
    answers = oracle.ask(noise_clips(3), [QUESTION] * 3)
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
    clips = noise_clips(12)
    alone = make_oracle(service).ask(clips, [QUESTION] * 12)
    oracle = make_oracle(service, concurrency=4)
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION])[0], clips))
    assert together == alone
    assert oracle.num_calls == 12


def test_an_open_question_is_answered_in_words_without_log_probabilities(service: RunningService) -> None:
    oracle = make_oracle(service, candidates=None)
    (answer,) = oracle.ask(noise_clips(), ["Where is it?"])
    assert answer.text
    assert answer.logprobs is None
    assert answer.ranked == ()
    assert oracle.can_answer("Where is it?", "anything at all")
    assert not oracle.can_answer("Where is it?", " ")


def test_with_a_closed_list_only_its_answers_can_be_given(service: RunningService) -> None:
    oracle = make_oracle(service)
    assert oracle.can_answer(QUESTION, "Running fast.")
    assert not oracle.can_answer(QUESTION, "swim")
    assert oracle.num_calls == 0


def test_a_probe_says_that_log_probabilities_came(service: RunningService) -> None:
    report = make_oracle(service).probe(noise_clips()[0], QUESTION)
    assert report.returned
    assert report.answer.logprobs is not None
    assert 0 < report.seconds < 10
    assert "returned, and read for 6 candidate answers" in str(report)


@pytest.mark.parametrize("service", [()], indirect=True)
def test_a_probe_says_that_none_came(service: RunningService) -> None:
    report = make_oracle(service).probe(noise_clips()[0], QUESTION)
    assert not report.returned
    assert report.answer.logprobs is None
    assert report.answer.text in ACTIONS[QUESTION]
    assert "log-probabilities: not returned" in str(report)


@pytest.mark.parametrize("service", [("--latency", "0.1")], indirect=True)
def test_no_more_calls_run_at_once_than_agreed(service: RunningService) -> None:
    oracle = make_oracle(service, concurrency=3)
    assert oracle.concurrency == 3
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION]), noise_clips(12)))
    assert max(entry["in_flight"] for entry in service.log()) == 3


@pytest.mark.parametrize(
    "service", [("--fail-rate", "0.5", "--faults", "rate_limit", "--retry-after", "0.001")], indirect=True
)
def test_requests_a_minute_are_kept_to_with_retries_counted(service: RunningService) -> None:
    oracle = make_oracle(service, requests_per_minute=1200, max_retries=10)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda clip: oracle.ask(clip[None], [QUESTION]), noise_clips(12)))
    times = sorted(entry["time"] for entry in service.log())
    assert len(times) > 12
    # One request in 0.05 s; a request may arrive late, so single gaps may be shorter, but not their sum.
    assert times[-1] - times[0] >= 0.05 * (len(times) - 1) - 0.04


def test_the_name_tells_apart_what_answers_depend_on(service: RunningService) -> None:
    others = [
        make_oracle(service),
        make_oracle(service, model="other"),
        make_oracle(service, detail="high"),
        make_oracle(service, temperature=0.5),
        make_oracle(service, temperature=None),
        make_oracle(service, max_tokens=8),
        make_oracle(service, logprobs=False),
        make_oracle(service, candidates={QUESTION: ("run", "walk")}),
        make_oracle(service, candidates=None),
        make_oracle(service, extra={"seed": 1}),
    ]
    assert len({oracle.name for oracle in others}) == len(others)
    assert make_oracle(service, concurrency=2, timeout=1.0, price_in=3.0).name == others[0].name
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
        oracle.ask(noise_clips().float(), [QUESTION])
    with pytest.raises(ValueError, match="must have shape"):
        oracle.ask(noise_clips()[0], [QUESTION])
    with pytest.raises(ValueError, match="one entry a clip"):
        oracle.ask(noise_clips(), [])
    assert oracle.num_calls == 0
