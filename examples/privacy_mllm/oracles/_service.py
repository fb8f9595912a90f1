"""Where questions go, what that may take, and the key, which stays in the environment."""

from __future__ import annotations

import ipaddress
import math
import os
from dataclasses import KW_ONLY, dataclass
from urllib.parse import urlsplit

import zoopt_mo as zo

NO_KEY = "none"
"""What is sent as a key to a server of one's own that asks for none; the header may not be empty."""


@dataclass(frozen=True)
class Service:
    """An OpenAI-compatible service: OpenAI, vLLM, llama.cpp, ``transformers serve`` and others.

    The key is in none of the fields. Pictures and key go out over https alone, unless the host is one's own: this
    machine, a private network address, or a name without a dot.

    Args:
        model: The model's name, as the service calls it.
        base_url: Address of the API, up to ``/v1``.
        key_variable: Environment variable that holds the key; it may be missing for a host of one's own.
        timeout: Seconds of silence after which an attempt is given up, positive.
        max_retries: Attempts after the first one, where the SDK finds that another may help: after a timeout, a lost
            connection, and status 408, 409, 429 and 5xx. It waits as long as the service asks, up to two minutes.
        concurrency: Calls that may run at the same time, positive.
        requests_per_minute: HTTP requests a minute, retries included, let through at even steps; None for no limit.
        price_in: Price of a million tokens sent, in the user's currency.
        price_out: Price of a million tokens received.

    Raises:
        ValueError: If a value is out of range, or the address is no address, holds credentials, or is not https.
    """

    model: str
    _: KW_ONLY
    base_url: str = "https://api.openai.com/v1"
    key_variable: str = "OPENAI_API_KEY"
    timeout: float = 60.0
    max_retries: int = 2
    concurrency: int = 8
    requests_per_minute: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0

    def __post_init__(self) -> None:
        """Check all values."""
        for name in ("model", "key_variable"):
            if not getattr(self, name).strip():
                raise ValueError(f"`{name}` must not be empty.")
        for name in ("timeout", "concurrency", "requests_per_minute"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"`{name}` must be positive, got {value}.")
        for name in ("max_retries", "price_in", "price_out"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        self._check_address()

    @property
    def is_own(self) -> bool:
        """Whether the host is this machine or one of the same network, by its name alone."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return "." not in host
        return address.is_loopback or address.is_private

    def read_key(self) -> str:
        """The key, from the environment.

        Raises:
            ValueError: If the variable is not set and the host is not one's own, or the key cannot stand in a header.
        """
        key = os.environ.get(self.key_variable, "")
        if not key and self.is_own:
            return NO_KEY
        if not key:
            raise ValueError(
                f"`key_variable` must name an environment variable with a key; {self.key_variable} is empty."
            )
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError(f"The key in {self.key_variable} must be printable ASCII without spaces or line breaks.")
        return key

    def bill(self, attempts: int, tokens_in: int, tokens_out: int) -> zo.Usage:
        """What a call took."""
        cost = (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6
        return zo.Usage(attempts, tokens_in, tokens_out, cost)

    def _check_address(self) -> None:
        # An address that holds a password is not shown: messages end up in logs.
        parts = urlsplit(self.base_url)
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("`base_url` must hold no user, password or query; the key belongs into the environment.")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"`base_url` must be an address such as https://host/v1, got {self.base_url!r}.")
        if parts.scheme == "http" and not self.is_own:
            raise ValueError(f"`base_url` must be https for a host that is not your own, got {self.base_url!r}.")
