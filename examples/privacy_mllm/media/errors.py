"""The errors of files that users give: each message names the file, and the line where it has one."""

from __future__ import annotations


class MediaError(ValueError):
    """A file cannot be read as a picture or video, or cannot be written as one."""


class TableError(ValueError):
    """A table of boxes, attributes or questions says something that it must not say."""
