"""A probe that is judged on a batch of payloads, each a query of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zoopt_mo.directions import Combination, opposite_pairs

Values = npt.NDArray[np.float64]


class Batch:
    """Several payloads of one probe, such as the pictures of a minibatch: each is a query, their mean loss the probe's.

    What ``render`` returns where every sample is judged, paid and recorded by itself. A sample whose query failed is
    left out of both probes of its pair, so that the two are compared on the same samples. All probes of a step must
    have the same samples in the same order.

    Args:
        items: The payloads ``[b]``.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = list(items)
        if not self.items:
            raise ValueError("`items` must hold at least one payload, got none.")

    def __len__(self) -> int:
        """Number of payloads ``b``."""
        return len(self.items)


def mean_of_items(losses: Values, displacements: Sequence[Combination]) -> Values:
    """The loss of each probe: the mean over the samples that were answered at all probes that are compared with it.

    Args:
        losses: Losses ``[q, b]``, NaN where a query failed.
        displacements: The probes ``[q]``; opposite ones are compared with each other, all others together.

    Returns:
        Losses ``[q]``, NaN where no sample is left.
    """
    pairs = [list(pair) for pair in opposite_pairs(displacements)]
    paired = {index for pair in pairs for index in pair}
    single = [index for index in range(len(displacements)) if index not in paired]
    means = np.full(len(displacements), np.nan)
    for group in [*pairs, *([single] if single else [])]:
        answered = np.isfinite(losses[group]).all(axis=0)
        if answered.any():
            means[group] = losses[group][:, answered].mean(axis=1)
    return means
