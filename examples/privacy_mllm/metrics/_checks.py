"""What the metrics demand of scores and labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

ABSENT = ("exclude", "zero")
"""What becomes of a class without positives."""


def check_scored(scores: npt.ArrayLike, labels: npt.ArrayLike, *, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Scores and labels of the same shape, as floats.

    Args:
        scores: How sure the attacker is.
        labels: 0 or 1.
        dimensions: 1 for ``[n]``, 2 for ``[n, k]``.

    Raises:
        ValueError: If the shapes differ, a score is not finite or a label is neither 0 nor 1.
    """
    ranked, targets = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if ranked.ndim != dimensions or ranked.shape != targets.shape or ranked.size == 0:
        form = "[n]" if dimensions == 1 else "[n, k]"
        raise ValueError(
            f"`scores` and `labels` must both have the same non-empty shape {form}, "
            f"got {list(ranked.shape)} and {list(targets.shape)}."
        )
    if not np.isfinite(ranked).all():
        raise ValueError(f"`scores` must be finite, got {ranked[~np.isfinite(ranked)][0]}.")
    if not np.isin(targets, (0.0, 1.0)).all():
        raise ValueError(f"`labels` must be 0 or 1, got {targets[~np.isin(targets, (0.0, 1.0))][0]}.")
    return ranked, targets


def check_present(labels: FloatArray, absent: str) -> npt.NDArray[np.bool_]:
    """Which classes count, ``[k]``.

    Args:
        labels: 0 or 1, ``[n, k]``.
        absent: One of ``ABSENT``.

    Raises:
        ValueError: If `absent` is unknown or no class has a positive.
    """
    if absent not in ABSENT:
        raise ValueError(f"`absent` must be one of {', '.join(ABSENT)}, got {absent!r}.")
    present: npt.NDArray[np.bool_] = np.asarray(labels.any(axis=0), dtype=np.bool_)
    if not present.any():
        raise ValueError("`labels` must have a positive in at least one class, got none.")
    return present if absent == "exclude" else np.ones_like(present)


def check_names(names: tuple[str, ...], count: int) -> None:
    """See that there is one name a class, each once.

    Raises:
        ValueError: If not.
    """
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"`names` must be {count} different names, one a class, got {list(names)}.")
