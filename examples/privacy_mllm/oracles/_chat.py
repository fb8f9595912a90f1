"""One chat call over HTTP: what comes back, and how often the service was really asked for it."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import zoopt_mo as zo
from privacy_mllm.oracles._pacing import Pacing
from privacy_mllm.oracles._service import NO_KEY, Service

SHOWN = 300
"""Characters of a service's own error message that are passed on; some send the whole request back."""


class ServiceError(zo.QueryError):
    """A fatal failure, which the next query would meet as well: a wrong key or model, or an account without money."""


class Chat:
    """A connection to a service; safe to use from several threads.

    Args:
        service: Whom to ask.

    Raises:
        ImportError: If the openai package is missing.
        ValueError: If there is no key.
    """

    def __init__(self, service: Service) -> None:
        openai = _import_openai()
        self._service = service
        self._key = service.read_key()
        self._slots = threading.BoundedSemaphore(service.concurrency)
        self._attempts = _Attempts(Pacing(service.requests_per_minute))
        # Redirects are not followed: pictures go to the address that the user gave and nowhere else.
        http = openai.DefaultHttpxClient(event_hooks={"request": [self._attempts.begin]}, follow_redirects=False)
        self._client = openai.OpenAI(
            api_key=self._key,
            base_url=service.base_url,
            timeout=service.timeout,
            max_retries=service.max_retries,
            http_client=http,
        )
        self.close = weakref.finalize(self, http.close)

    def __repr__(self) -> str:
        """Without the key."""
        return f"Chat({self._service!r})"

    @property
    def attempts(self) -> int:
        """HTTP requests that the present thread's last call made, whatever came of it."""
        return self._attempts.count

    def complete(self, arguments: Mapping[str, Any]) -> object:
        """The body of the reply.

        Raises:
            ServiceError: If no other query would fare better.
            zoopt_mo.QueryError: If no reply came, or one that is not JSON.
        """
        openai = _import_openai()
        failure: zo.QueryError
        self._attempts.reset()
        with self._slots:
            try:
                reply = self._client.chat.completions.with_raw_response.create(**arguments)
                return json.loads(reply.http_response.content)
            except openai.OpenAIError as error:
                failure = self._explain(error)
            except (ValueError, RecursionError):
                failure = self._failure("the reply is not JSON; what it cost is not known")
        # Outside of the `except`, so that the SDK's error, which holds the request, does not travel along.
        raise failure

    def _explain(self, error: Exception) -> zo.QueryError:
        openai, service = _import_openai(), self._service
        if isinstance(error, openai.APIStatusError):
            return self._explain_status(error.status_code, str(error.code), _words(error))
        if isinstance(error, openai.APITimeoutError):
            return self._failure(f"no answer within {service.timeout:g} s")
        reason = type(error.__cause__ or error).__name__
        return self._failure(f"no connection to {service.base_url}: {reason}")

    def _explain_status(self, status: int, code: str, message: str) -> zo.QueryError:
        service = self._service
        if status in (401, 403):
            what = f"the service refuses the key in {service.key_variable}"
        elif status == 404:
            what = f"the service at {service.base_url} does not know the model {service.model!r}, or the address"
        elif code == "insufficient_quota":
            what = "the account has no money left"
        else:
            return self._failure(f"the service answered: {message}")
        return self._failure(f"{what}: {message}", fatal=True)

    def _failure(self, message: str, *, fatal: bool = False) -> zo.QueryError:
        attempts = self._attempts.count
        if self._key != NO_KEY:
            message = message.replace(self._key, "***")
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        kind = ServiceError if fatal else zo.QueryError
        return kind(f"{message[:SHOWN]} ({tries})", zo.Usage(attempts), fatal)


class _Attempts(threading.local):
    """Counts the HTTP requests of the call that the present thread is making, and paces them.

    A hook of the HTTP client rather than the SDK's own number, which a call that fails does not tell.
    """

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self.count = 0

    def reset(self) -> None:
        """A new call begins."""
        self.count = 0

    def begin(self, _request: object) -> None:
        """An HTTP request is about to be sent, the first one or a retry."""
        self._pacing.wait()
        self.count += 1


def _words(error: Any) -> str:  # noqa: ANN401
    """The SDK's message, with the detail that servers on FastAPI put elsewhere than OpenAI does."""
    detail = error.body.get("detail") if isinstance(error.body, dict) else None
    return f"{error.message} - {detail}" if detail else str(error.message)


def _import_openai() -> Any:  # noqa: ANN401
    try:
        import openai
    except ImportError:
        raise ImportError(
            'The OpenAI-compatible oracle needs the openai package: pip install "zoopt-mo[api]".'
        ) from None
    return openai
