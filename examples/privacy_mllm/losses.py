"""The loss of privacy, which has an exact gradient; that of utility is in :mod:`privacy_mllm.utility`."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

PRIVACY_IDEAL = {"reverse_kl": 0.0, "uniform_bce": math.log(2)}
"""The lower bound of each privacy loss, reached when the reviewer knows nothing: the scalarizer's ideal point."""

LOGIT_LIMIT = 6.0
"""Beyond this logit a reviewer counts as certain: ``sigmoid(6) = .9975``."""


def privacy_loss(logits: Tensor, base_rates: Tensor, kind: str = "reverse_kl") -> Tensor:
    r"""How much a reviewer still knows about the private attributes, averaged over pictures and attributes.

    ``"reverse_kl"``: :math:`KL(p \| \pi)` of the reviewer's probability p against the base rate
    :math:`\pi`, between 0 (the reviewer is left with the base rates) and :math:`-\log\min(\pi, 1 - \pi)`.
    The forward divergence :math:`KL(\pi \| p)` has no upper bound and makes a training run away.
    ``"uniform_bce"``: cross-entropy against one half, :math:`\log 2` at best. The lower bounds are in
    ``PRIVACY_IDEAL``. The paper states its own choice in a supplement that is not available, so both are ours.

    Logits are read as if they lay within ``LOGIT_LIMIT``; the gradient passes through unchanged, so that a
    reviewer that is all too certain is still pushed back. Costs no query.

    Args:
        logits: What the reviewer thinks, ``[b, k]``.
        base_rates: How often each attribute occurs, between 0 and 1, ``[k]``.
        kind: "reverse_kl" or "uniform_bce" (which does not use the base rates).

    Returns:
        The loss, ``[]``.

    Raises:
        ValueError: If the kind is unknown, or a base rate is not strictly between 0 and 1.
    """
    if kind not in PRIVACY_IDEAL:
        raise ValueError(f'`kind` must be "reverse_kl" or "uniform_bce", got {kind!r}.')
    logits = _limit(logits)
    if kind == "uniform_bce":
        return (F.softplus(logits) - logits / 2).mean()
    if not bool(((base_rates > 0) & (base_rates < 1)).all()):
        raise ValueError(f"`base_rates` must lie strictly between 0 and 1, got {base_rates.tolist()}.")
    seen = logits.sigmoid()
    yes = seen * (F.logsigmoid(logits) - base_rates.log())
    no = (1 - seen) * (F.logsigmoid(-logits) - (1 - base_rates).log())
    return (yes + no).mean()


def _limit(logits: Tensor) -> Tensor:
    clamped = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    return clamped.detach() + (logits - logits.detach())
