"""A paid multimodal service that fails on purpose: OpenAI-compatible chat over HTTP, with a log of every request.

    python -m benchmarks.durability.service --port 0 --log FILE [--latency S] [--fail-rate R] [--seed N] ...

An answer is a function of the request's bytes alone, so two runs that send the same get the same, bit for bit. Whether
a request fails, and how, is a function of the seed, its bytes and how often they came. The log has one JSON object a
line, flushed before the client hears anything. The first line on the standard output is the address.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import select
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.durability.answers import completion, fraction

FAULTS = (
    "rate_limit",
    "server_error",
    "hang",
    "closed",
    "broken_json",
    "empty_choices",
    "refusal",
    "nan_logprobs",
)
"""What may go wrong. The first four are free of charge; the rest are answers, and billed."""

PATH = "/v1/chat/completions"


class Service(ThreadingHTTPServer):
    """The server with what it knows: its settings, its log and how often each request came."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(("127.0.0.1", options.port), Handler)
        self.options = options
        self.key = os.environ.get(options.key_variable) if options.key_variable else None
        self._log = options.log.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._times_seen: Counter[str] = Counter()
        self._in_flight = 0

    @contextmanager
    def handling(self, digest: str) -> Iterator[tuple[int, int]]:
        """How often this request came, from 0, and how many are being handled, itself included."""
        with self._lock:
            times_seen = self._times_seen[digest]
            self._times_seen[digest] += 1
            self._in_flight += 1
            in_flight = self._in_flight
        try:
            yield times_seen, in_flight
        finally:
            with self._lock:
                self._in_flight -= 1

    def write_log(self, entry: dict[str, Any]) -> None:
        """Append one line, and see that it is in the file."""
        line = json.dumps(entry) + "\n"
        with self._lock:
            self._log.write(line)
            self._log.flush()

    def choose_fault(self, digest: str, times_seen: int, *, logprobs: bool) -> str | None:
        """The fault of this request, or None; without log-probabilities in the answer, none of them is NaN."""
        draw = f"{self.options.seed} {digest} {times_seen}"
        faults = [fault for fault in self.options.faults if logprobs or fault != "nan_logprobs"]
        if not faults or fraction(f"whether {draw}") >= self.options.fail_rate:
            return None
        return str(faults[int(fraction(f"which {draw}") * len(faults))])

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing of clients that went away: that is what their timeouts and deaths look like."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Service

    def do_GET(self) -> None:
        """Health, for whoever waits until the service is up."""
        known: dict[str, dict[str, Any]] = {
            "/health": {"status": "ok"},
            "/v1/models": {"object": "list", "data": [{"id": self.server.options.model, "object": "model"}]},
        }
        body = known.get(self.path)
        self._send(200 if body else 404, body or {"error": {"message": f"no such path: {self.path}"}})

    def do_POST(self) -> None:
        """A question."""
        arrived = time.time()
        content = self.rfile.read(length := int(self.headers["Content-Length"]))
        if len(content) < length:  # the client died while it spoke: nothing was asked
            self.close_connection = True
            return
        digest = hashlib.sha256(content).hexdigest()
        if self.server.options.keep:
            (self.server.options.keep / f"{digest}.json").write_bytes(content)
        with self.server.handling(digest) as (times_seen, in_flight):
            entry = {
                "time": arrived,
                "sha256": digest,
                "times_seen": times_seen,
                "retry": self.headers.get("x-stainless-retry-count"),
                "in_flight": in_flight,
                "status": None,
                "fault": None,
                "tokens_in": 0,
                "tokens_out": 0,
            }
            self._answer(content, digest, entry)

    def _answer(self, content: bytes, digest: str, entry: dict[str, Any]) -> None:
        request = json.loads(content)
        complaint = self._complaint(request)
        if complaint:
            return self._finish(entry, *complaint)
        logprobs = bool(self.server.options.logprobs and request.get("logprobs"))
        entry["fault"] = fault = self.server.choose_fault(digest, entry["times_seen"], logprobs=logprobs)
        if fault in ("hang", "closed"):
            return self._say_nothing(entry)
        self._work(digest)
        if fault == "rate_limit":
            return self._finish(entry, 429, "too many requests", {"Retry-After": str(self.server.options.retry_after)})
        if fault == "server_error":
            return self._finish(entry, 500, "something went wrong")
        reply = completion(request, digest, logprobs=logprobs, fault=fault)
        entry.update(tokens_in=reply["usage"]["prompt_tokens"], tokens_out=reply["usage"]["completion_tokens"])
        return self._finish(entry, 200, reply)

    def _complaint(self, request: dict[str, Any]) -> tuple[int, str] | None:
        """Status and message of a request that is refused for what it is."""
        sent = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.path != PATH:
            return 404, f"no such path: {self.path}"
        if self.server.key is not None and sent != self.server.key:
            return 401, f"Incorrect API key provided: {sent}."  # careless on purpose: clients must not pass it on
        if request["model"] != self.server.options.model:
            return 404, f"The model {request['model']!r} does not exist."
        return None

    def _work(self, digest: str) -> None:
        options = self.server.options
        slow = fraction(f"tail {digest}") < options.tail_share
        time.sleep(options.tail_latency if slow else options.latency)

    def _say_nothing(self, entry: dict[str, Any]) -> None:
        """Close the connection: at once, or when the client has lost patience."""
        self.server.write_log(entry)
        self.close_connection = True
        if entry["fault"] == "hang":
            select.select([self.connection], [], [], self.server.options.hang)

    def _finish(
        self, entry: dict[str, Any], status: int, body: dict[str, Any] | str, headers: dict[str, str] | None = None
    ) -> None:
        entry["status"] = status
        self.server.write_log(entry)
        if isinstance(body, str):
            body = {"error": {"message": body}}
        self._send(status, body, headers, cut=entry["fault"] == "broken_json")

    def _send(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        content = json.dumps(body).encode()
        content = content[: len(content) // 2] if cut else content
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet: the log file says it all."""


def main() -> None:
    """Serve until the process is ended."""
    service = Service(_parser().parse_args())
    print(f"http://127.0.0.1:{service.server_address[1]}/v1", flush=True)
    service.serve_forever()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--log", type=Path, required=True, help="file to which a line a request is appended")
    add("--latency", type=float, default=0.0, help="seconds that an answer takes")
    add("--tail-share", type=float, default=0.0, help="share of requests that take longer")
    add("--tail-latency", type=float, default=1.0, help="seconds that those take")
    add("--fail-rate", type=float, default=0.0, help="share of requests that fail")
    add("--faults", type=_faults, default=FAULTS, help=f"which faults, with commas between: {','.join(FAULTS)}")
    add("--seed", type=int, default=0, help="which requests fail, and how")
    add("--retry-after", type=float, default=0.05, help="seconds that a 429 asks for")
    add("--hang", type=float, default=600.0, help="seconds after which a hanging connection is closed")
    add("--logprobs", action="store_true", help="return log-probabilities to requests that ask for them")
    add("--model", default="stub-vision", help="name of the only model")
    add("--key-variable", help="environment variable with the key that is asked for; else any will do")
    add("--keep", type=Path, help="folder in which every request's body is kept")
    return parser


def _faults(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    unknown = [name for name in chosen if name not in FAULTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return chosen


if __name__ == "__main__":
    main()
