"""Which black box is asked, and within what limits: settings, a line each. The command line is made from them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from privacy_mllm.settings import check_choices, setting

if TYPE_CHECKING:
    from privacy_mllm.oracles.prompts import Candidates
    from privacy_mllm.oracles.protocol import Oracle

KINDS = ("embedded", "openai", "hf")


@dataclass(frozen=True)
class OracleConfig:
    """The black box of a run. The key of a service is no setting: it is read from the environment alone."""

    oracle: str = setting("embedded", "the black box: 'embedded', 'openai:MODEL' (any compatible API), or 'hf:PATH'")
    base_url: str = setting("https://api.openai.com/v1", "openai: address of the API")
    key_variable: str = setting("OPENAI_API_KEY", "openai: environment variable that holds the key")
    detail: str = setting("low", "openai: how closely pictures are looked at", choices=("low", "high", "auto"))
    temperature: float = setting(0.0, "openai: 0 for the likeliest answer")
    timeout: float = setting(60.0, "openai: seconds until an attempt is given up")
    max_retries: int = setting(2, "openai: further attempts of the SDK after a failed one")
    concurrency: int = setting(8, "openai: calls at the same time")
    requests_per_minute: float = setting(0.0, "openai: most requests a minute; 0 for no limit")
    price_in: float = setting(0.0, "openai: price of a million tokens sent, in your currency")
    price_out: float = setting(0.0, "openai: price of a million tokens received")
    device: str = setting("", "hf: device; empty takes the GPU if there is one")
    dtype: str = setting("auto", "hf: type of the model's numbers, such as float32")
    frames: int = setting(0, "hf: frames of a clip that are shown; 0 shows all")
    max_failures: int = setting(20, "failed calls in a row that are borne; one more stops the run, to be resumed")
    max_cost: float = setting(0.0, "training stops before it costs more, in your currency; 0 for no limit")
    max_hours: float = setting(0.0, "training stops after so many hours; 0 for no limit")
    send_raw: bool = setting(default=False, help_text="let pictures that hide nothing leave this machine")

    def __post_init__(self) -> None:
        """Check what the parts that use a value do not check themselves."""
        check_choices(self)
        kind, _, model = self.oracle.partition(":")
        if kind not in KINDS or (kind == "embedded") == bool(model):
            raise ValueError(f"`oracle` must be 'embedded', 'openai:MODEL' or 'hf:PATH', got {self.oracle!r}.")
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"`{entry.name}` must not be negative, got {value}.")

    @property
    def kind(self) -> str:
        """Kind of the oracle, the word before the colon."""
        return self.oracle.partition(":")[0]

    @property
    def model(self) -> str:
        """Name or path of the model; empty for the embedded one."""
        return self.oracle.partition(":")[2]

    @property
    def is_remote(self) -> bool:
        """Whether pictures leave this machine."""
        from privacy_mllm.oracles.openai_compatible import Service

        return self.kind == "openai" and not Service(self.model, base_url=self.base_url).is_own


def open_oracle(config: OracleConfig, candidates: Candidates) -> Oracle:
    """The black box that the settings name.

    Args:
        config: The settings.
        candidates: Closed lists of answers; the embedded model has its own.

    Raises:
        ImportError: If an extra is missing; the message names it.
        ValueError: If a setting is out of range, or the key is missing.
    """
    if config.kind == "openai":
        return _open_service(config, candidates)
    if config.kind == "hf":
        return _open_local(config, candidates)
    from privacy_mllm.oracles.embedded import EmbeddedOracle

    return EmbeddedOracle()


def _open_service(config: OracleConfig, candidates: Candidates) -> Oracle:
    from privacy_mllm.oracles.openai_compatible import OpenAICompatibleOracle, Service

    service = Service(
        config.model,
        base_url=config.base_url,
        key_variable=config.key_variable,
        timeout=config.timeout,
        max_retries=config.max_retries,
        concurrency=config.concurrency,
        requests_per_minute=config.requests_per_minute or None,
        price_in=config.price_in,
        price_out=config.price_out,
    )
    return OpenAICompatibleOracle(service, candidates=candidates, detail=config.detail, temperature=config.temperature)


def _open_local(config: OracleConfig, candidates: Candidates) -> Oracle:
    from privacy_mllm.oracles.hugging_face import HuggingFaceOracle

    return HuggingFaceOracle(
        config.model,
        candidates=candidates,
        device=config.device or None,
        dtype=config.dtype,
        num_frames=config.frames or None,
    )
