"""A small client of the failing service: standard library alone, so that a killed child is back in no time.

It keeps one connection a thread, repeats after 429 and 5xx as told, and counts every attempt. What it asks for has log-
probabilities, of which that of answer A is the loss. The user field of a request is the digest of what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import zoopt_mo as zo

QUESTION = "What is shown?\nA. somebody\nB. nobody\nC. a dog"
PATH = "/v1/chat/completions"

_threads = threading.local()


def body_of(text: str) -> bytes:
    """The request that asks about ``text``."""
    request = {
        "model": "stub-vision",
        "messages": [{"role": "user", "content": f"{text}\n{QUESTION}"}],
        "logprobs": True,
        "top_logprobs": 3,
        "user": hashlib.sha256(text.encode()).hexdigest()[:16],
    }
    return json.dumps(request).encode()


def loss_of(content: bytes) -> float:
    """The surprise of answer A in a reply; a constant where the service returned no log-probabilities."""
    choice = json.loads(content)["choices"][0]
    if not choice.get("logprobs"):
        return 1.0
    tops = choice["logprobs"]["content"][0]["top_logprobs"]
    return -next(float(entry["logprob"]) for entry in tops if entry["token"] == "A")


def ask(url: str, text: str) -> dict[str, Any]:
    """One question: the loss, and the digest by which the service's log knows the request.

    Raises:
        zoopt_mo.QueryError: If there is no reply, or an unusable one.
    """
    body = body_of(text)
    status, _, content = _post(url, body)
    if status != 200:
        raise zo.QueryError(f"status {status}")
    return {"loss": loss_of(content), "sha256": hashlib.sha256(body).hexdigest()}


def ask_loss(url: str, text: str) -> float:
    """One question's loss alone; importable, so that it can be asked in any process."""
    return float(ask(url, text)["loss"])


class PlainClient:
    """Repeats what fails, at a pace, and keeps the bill.

    Args:
        url: Address of the service.
        max_retries: Attempts after the first one.
        interval: Least seconds between the starts of attempts.
    """

    def __init__(self, url: str, *, max_retries: int, interval: float) -> None:
        self.url, self.max_retries, self.interval = url, max_retries, interval
        self._lock = threading.Lock()
        self._next = 0.0

    def ask_all(self, texts: Sequence[str], concurrency: int) -> list[zo.Usage]:
        """The bills of all questions, so many at the same time."""
        with ThreadPoolExecutor(concurrency) as pool:
            return list(pool.map(self.ask, texts))

    def ask(self, text: str) -> zo.Usage:
        """The bill of one question."""
        body = body_of(text)
        for attempt in range(1, self.max_retries + 2):
            self._wait_for_turn()
            status, headers, content = _post(self.url, body)
            if status == 200:
                usage = json.loads(content)["usage"]
                return zo.Usage(attempt, usage["prompt_tokens"], usage["completion_tokens"])
            if attempt <= self.max_retries:
                time.sleep(float(headers.get("Retry-After") or 0.5))
        return zo.Usage(self.max_retries + 1)

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self.interval
        time.sleep(max(0.0, turn - now))


async def ask_loss_async(url: str, text: str) -> float:
    """The same from an event loop, over a connection of its own.

    Raises:
        zoopt_mo.QueryError: If the service does not answer well.
    """
    parts, body = urlsplit(url), body_of(text)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        length = f"Content-Length: {len(body)}"
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n{length}\r\n\r\n".encode())
        writer.write(body)
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise zo.QueryError(head.partition(b"\r\n")[0].decode())
    return loss_of(content)


class _Connection(http.client.HTTPConnection):
    """One that closes with the thread that it belongs to."""

    def __del__(self) -> None:
        self.close()


def _post(url: str, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of the reply."""
    connections: dict[str, _Connection] = _threads.__dict__.setdefault("connections", {})
    connection = connections.get(url)
    if connection is None:
        parts = urlsplit(url)
        connection = connections[url] = _Connection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    except BaseException:
        connection.close()
        del connections[url]
        raise
