"""Which clips are trained on and which are tested on, and that these are never the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SHARE_OF_VALIDATION = 0.1
"""Of the training lists of data sets that publish no validation list."""


def is_validation(group: str) -> bool:
    """Whether the clips of a group are for validation: a tenth of all groups, by a hash of the name.

    Clips cut from one recording are one group, so that none of them is in training while another is in validation.
    The other splits of a data set are as published.

    Args:
        group: Name of the recording.

    Example:
        >>> sum(is_validation(f"recording {number}") for number in range(1000))
        99
    """
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return share < SHARE_OF_VALIDATION


def check_disjoint(train: Iterable[str], test: Iterable[str], *, hint: str = "") -> None:
    """Refuse training clips that are tested on, by their names.

    Args:
        train: Names of the clips that are trained on.
        test: Names of those that are not to be seen before the end.
        hint: A sentence on what to do, for the message.

    Raises:
        ValueError: If a name is in both.

    Example:
        >>> check_disjoint(["a", "b"], ["c", "b"])
        Traceback (most recent call last):
            ...
        ValueError: Training and test must have no clip in common, got 1, the first 'b'.
    """
    shared = sorted(set(train) & set(test))
    if shared:
        more = f" {hint}" if hint else ""
        raise ValueError(
            f"Training and test must have no clip in common, got {len(shared)}, the first {shared[0]!r}.{more}"
        )
