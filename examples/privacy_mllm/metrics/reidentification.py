"""Re-identification: whether two clips can be linked to the same person, whatever is known about that person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy_mllm.metrics._checks import FloatArray

Identities = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReIdentification:
    """How well persons are found again, in percent.

    Args:
        rank1: Queries whose nearest clip in the gallery shows the same person.
        mean_average_precision: Mean over the queries of the average precision of the gallery's order.
        chance_rank1: What a random order of the gallery reaches on average.
        chance_mean_average_precision: The same for the mean average precision.
    """

    rank1: float
    mean_average_precision: float
    chance_rank1: float
    chance_mean_average_precision: float


def reidentify(
    queries: npt.ArrayLike,
    query_people: npt.ArrayLike,
    gallery: npt.ArrayLike,
    gallery_people: npt.ArrayLike,
) -> ReIdentification:
    """Rank a gallery of clips by their likeness to each query, by the cosine of their features.

    An anonymizer may hide every listed attribute and still leave a person's clips recognisable as one person's. For
    features see :func:`privacy_mllm.reviewing.embed`: of anonymized queries against a raw gallery (pictures that an
    attacker has from elsewhere), or against an anonymized one (linking what was sent). Equally near clips count as in a
    random order, on average, so that an attacker who sees nothing is at chance. Costs no query.

    Args:
        queries: Features of the clips that are looked for, ``[q, d]``.
        query_people: Who each shows, ``[q]``.
        gallery: Features of other clips, ``[g, d]``.
        gallery_people: Who each shows, ``[g]``; everyone looked for is among them.

    Raises:
        ValueError: If shapes do not fit, a feature is not finite, or someone is not in the gallery.

    Reference:
        Zheng et al. (2015), "Scalable Person Re-identification: A Benchmark", ICCV.

    Example:
        >>> gallery = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
        >>> found = reidentify([[1.0, 0.1]], [7], gallery, [7, 8, 7])  # order: 7, 7, 8
        >>> found.rank1, found.mean_average_precision, round(found.chance_rank1, 1)
        (100.0, 100.0, 66.7)
    """
    wanted, pool = _unit_rows("queries", queries), _unit_rows("gallery", gallery)
    who, others = _check_people(wanted, query_people, pool, gallery_people)
    likeness = np.round(wanted @ pool.T, 12)  # the same clip twice is a tie, whatever the order of additions
    same = who[:, None] == others
    nearest = likeness == likeness.max(axis=1, keepdims=True)
    precisions = [_average_precision(row, hits) for row, hits in zip(likeness, same, strict=True)]
    expected = [expected_average_precision(int(count), len(pool)) for count in same.sum(axis=1)]
    return ReIdentification(
        rank1=100 * float(np.mean((nearest & same).sum(axis=1) / nearest.sum(axis=1))),
        mean_average_precision=100 * float(np.mean(precisions)),
        chance_rank1=100 * float(same.mean()),
        chance_mean_average_precision=100 * float(np.mean(expected)),
    )


def expected_average_precision(positives: int, count: int) -> float:
    r"""Mean average precision of all orders of `count` items, of which `positives` are right.

    .. math:: \frac{1}{n} \sum_{k=1}^{n} \frac{1}{k} \left(1 + (k - 1) \frac{r - 1}{n - 1}\right)

    Args:
        positives: r, between 1 and `count`.
        count: n.

    Returns:
        Between 0 and 1; above the prevalence r / n, by much where there are few items.

    Raises:
        ValueError: If `positives` is out of range.

    Example:
        >>> expected_average_precision(1, 2)  # first or second place: (1 + 1/2) / 2
        0.75
    """
    if not 1 <= positives <= count:
        raise ValueError(f"`positives` must be between 1 and {count}, got {positives}.")
    return _summed_precision(0, 0, count, positives) / positives


def _average_precision(likeness: FloatArray, hits: npt.NDArray[np.bool_]) -> float:
    """Mean average precision of all orders that the likeness allows: equally near clips may stand in any."""
    order = np.argsort(-likeness, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(likeness[order])) + 1, len(order))
    starts = np.concatenate([[0], ends[:-1]])
    found = np.concatenate([[0], np.cumsum(hits[order])])
    groups = zip(starts.tolist(), ends.tolist(), strict=True)
    summed = sum(_summed_precision(a, int(found[a]), b - a, int(found[b] - found[a])) for a, b in groups)
    return summed / int(found[-1])


def _summed_precision(before: int, right_before: int, count: int, right: int) -> float:
    """Expected sum of the precisions at the right ones of `count` items in random order, after others."""
    if right == 0:
        return 0.0
    place = np.arange(count)
    expected = right_before + 1 + place * (right - 1) / max(count - 1, 1)
    return float(right / count * (expected / (before + 1 + place)).sum())


def _unit_rows(name: str, features: npt.ArrayLike) -> FloatArray:
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(f"`{name}` must have a non-empty shape [n, d], got {list(rows.shape)}.")
    if not np.isfinite(rows).all():
        raise ValueError(f"`{name}` must be finite, got {rows[~np.isfinite(rows)][0]}.")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _check_people(
    queries: FloatArray, query_people: npt.ArrayLike, gallery: FloatArray, gallery_people: npt.ArrayLike
) -> tuple[Identities, Identities]:
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"`gallery` must have features of the size of the queries' ({queries.shape[1]}), got {gallery.shape[1]}."
        )
    who, others = np.asarray(query_people, dtype=np.int64), np.asarray(gallery_people, dtype=np.int64)
    for name, people, rows in (("query_people", who, queries), ("gallery_people", others, gallery)):
        if people.shape != (len(rows),):
            raise ValueError(f"`{name}` must have shape [{len(rows)}], got {list(people.shape)}.")
    strangers = np.setdiff1d(who, others)
    if len(strangers):
        raise ValueError(f"`gallery_people` must hold everyone looked for, but person {strangers[0]} is not in it.")
    return who, others
