"""Pictures and videos in files."""

from __future__ import annotations

from privacy_mllm.media.errors import MediaError, TableError

__all__ = ["MediaError", "TableError"]
