"""How a setting is written: a dataclass field that knows its help text and choices."""

from __future__ import annotations

from dataclasses import field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def setting(default: Any, help_text: str, *, choices: tuple[str, ...] | None = None) -> Any:  # noqa: ANN401
    """A field of a class of settings.

    Args:
        default: Its default.
        help_text: What the command line says of it.
        choices: The values that it may have; None for any.
    """
    return field(default=default, metadata={"help": help_text, "choices": choices})


def check_choices(config: DataclassInstance) -> None:
    """See that every setting with choices has one of them.

    Raises:
        ValueError: If one has not.
    """
    for entry in fields(config):
        choices, value = entry.metadata["choices"], getattr(config, entry.name)
        if choices is not None and value not in choices:
            raise ValueError(f"`{entry.name}` must be one of {', '.join(choices)}, got {value!r}.")
