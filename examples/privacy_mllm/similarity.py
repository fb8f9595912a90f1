"""How alike two texts are: the cosine of their vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from privacy_mllm.metrics import normalise_answer

Vectors = Tensor | npt.NDArray[np.floating] | Sequence[Sequence[float]]

Embedder = Callable[[Sequence[str]], Vectors]
"""From ``n`` texts to ``n`` vectors ``[n, d]``, such as ``SentenceTransformer(...).encode``."""

NGRAM = 3


def character_ngrams(texts: Sequence[str]) -> Tensor:
    """How often each run of three characters occurs in each text, edges of the text included.

    Texts are first written as answers are compared (:func:`privacy_mllm.metrics.normalise_answer`), so equal answers
    have equal vectors. Likeness is that of spelling: "wave" and "waving" are alike, "couch" and "sofa" are not.

    Args:
        texts: Texts ``[n]``.

    Returns:
        Counts, ``float32 [n, d]`` with ``d`` the number of different runs in these texts.

    Example:
        >>> character_ngrams(["ab", "AB!"]).tolist()  # " ab" and "ab "
        [[1.0, 1.0], [1.0, 1.0]]
    """
    counts = [Counter(_ngrams(normalise_answer(text))) for text in texts]
    columns = {ngram: index for index, ngram in enumerate(dict.fromkeys(ngram for row in counts for ngram in row))}
    vectors = torch.zeros(len(texts), len(columns))
    for row, count in enumerate(counts):
        for ngram, times in count.items():
            vectors[row, columns[ngram]] = times
    return vectors


def cosine(vectors: Vectors, num_texts: int) -> Tensor:
    """The cosine of every pair of vectors; 0 with a vector of zeros.

    Args:
        vectors: What an embedder returned.
        num_texts: Number of texts it was given.

    Returns:
        Cosines, ``float64 [num_texts, num_texts]``.

    Raises:
        ValueError: If there is not one finite vector a text.
    """
    table = torch.as_tensor(np.asarray(vectors), dtype=torch.float64)
    if table.ndim != 2 or len(table) != num_texts or not bool(table.isfinite().all()):
        raise ValueError(f"`embed` must return one finite vector a text, [{num_texts}, d], got {list(table.shape)}.")
    unit = torch.nn.functional.normalize(table, dim=1)
    return unit @ unit.T


def _ngrams(text: str) -> list[str]:
    padded = f" {text} "
    return [padded[start : start + NGRAM] for start in range(len(padded) - NGRAM + 1)]
