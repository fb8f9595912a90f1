"""Settings of the paper's experiments by name; ``--preset NAME --data ROOT`` uses them.

The paper names data sets, networks and models; its constants are in a supplement that is not available, so the numbers
are ours. What is typed on the command line counts more than a preset.
"""

from __future__ import annotations

import sys
from importlib import resources
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


EMBEDDED = "embedded"
"""What the rendered world and its own black box are called beside the presets; it is the default, not one of them."""


def preset_names() -> list[str]:
    """The names, sorted."""
    files = (file.name for file in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


def load_preset(name: str, root: str) -> dict[str, Any]:
    """The settings of a preset, of method and black box together.

    Args:
        name: Its name.
        root: The folder with the data sets.

    Raises:
        ValueError: If there is no such preset.
    """
    if name not in preset_names():
        raise ValueError(f"`preset` must be one of {', '.join(preset_names())}, got {name!r}.")
    content = tomllib.loads(resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    settings = {**content["method"], **content["oracle"]}
    return {key: value.replace("{root}", root) if isinstance(value, str) else value for key, value in settings.items()}
