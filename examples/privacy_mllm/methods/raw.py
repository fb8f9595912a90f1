"""No anonymization: the upper end of utility and of leakage."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from privacy_mllm.data.clips import Clips


@dataclass(frozen=True)
class Raw:
    """Shows the clips as they are."""

    name: str = "raw"

    def anonymize(self, clips: Clips) -> Tensor:
        """The pictures that came in, ``uint8 [n, t, 3, h, w]``."""
        return clips.frames
