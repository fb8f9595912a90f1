"""The oracle over HTTP against a server that is not ours: ``transformers serve`` with a LLaVA of random weights."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import zoopt_mo as zo
from privacy_mllm.oracles.hugging_face import HuggingFaceOracle
from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service
from tests.app.tiny_vlm import save_tiny_vlm

pytest.importorskip("uvicorn", reason='transformers serve needs: pip install "transformers[serving]"')
pytestmark = pytest.mark.slow  # the server takes ten seconds and more to start

START_TIMEOUT = 180.0
"""Seconds; a machine with other work is slow to import what the server needs."""

QUESTION = "What is the person doing?"


@contextmanager
def serving(model: Path, log: Path) -> Iterator[str]:
    """The address of the API while the server runs; it is stopped whatever happens."""
    port = _free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    options = ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(log.parent), "OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *options], env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the server did not start in {START_TIMEOUT:g} s:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vlm(tmp_path_factory.mktemp("serve") / "tiny")


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with serving(model, model.parent / "server.log") as address:
        yield address


def clips(count: int, frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, frames, 3, 40, 56), dtype=torch.uint8, generator=generator)


def over_http(url: str, model: Path, **options: Any) -> OpenAICompatibleOracle:
    service = Service(str(model), base_url=url, timeout=120.0, concurrency=4, key_variable="NO_KEY_IS_NEEDED")
    return OpenAICompatibleOracle(service, **{"max_tokens": 24, **options})


@pytest.mark.parametrize("frames", [1, 4])
def test_the_answer_over_http_is_the_answer_of_the_same_model_here(url: str, model: Path, frames: int) -> None:
    shown = clips(3, frames)
    remote = over_http(url, model)
    here = HuggingFaceOracle(model, device="cpu", max_new_tokens=24)
    said, expected = remote.ask(shown, [QUESTION] * 3), here.ask(shown, [QUESTION] * 3)
    assert [answer.text for answer in said] == [answer.text for answer in expected]
    assert len({answer.text for answer in said}) == 3  # the pictures matter
    assert [answer.usage.tokens_in for answer in said] == [answer.usage.tokens_in for answer in expected]
    assert remote.num_calls == here.num_calls == 3


def test_calls_at_the_same_time_get_the_answers_of_calls_one_by_one(url: str, model: Path) -> None:
    remote, shown = over_http(url, model), clips(6, 1)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda clip: remote.ask(clip[None], [QUESTION])[0].text, shown))
    assert together == [answer.text for answer in remote.ask(shown, [QUESTION] * 6)]
    assert remote.num_calls == 12


def test_what_a_service_does_not_return_is_said_and_never_made_up(url: str, model: Path) -> None:
    report = over_http(url, model).probe(clips(1, 1)[0], QUESTION)
    assert not report.returned
    assert report.answer.logprobs is None
    assert "not returned" in str(report)


def test_a_reply_without_a_known_answer_is_a_failed_query_with_its_bill(url: str, model: Path) -> None:
    remote = over_http(url, model, candidates={QUESTION: ("waving a hand", "sitting down")}, max_tokens=8)
    with pytest.raises(zo.QueryError, match="the reply names none of the 2 answers") as failed:
        remote.ask(clips(1, 1), [QUESTION])
    assert failed.value.usage.attempts == 1
    assert failed.value.usage.tokens_in > 16
    assert failed.value.usage.tokens_out > 0
