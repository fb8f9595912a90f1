"""A scheme by its name, as settings and the command line give it."""

from __future__ import annotations

from collections.abc import Callable

from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.reviewers.alternate import Alternate
from privacy_mllm.reviewers.ensemble import Ensemble
from privacy_mllm.reviewers.protocol import PrivacyLoss, ReviewerScheme
from privacy_mllm.reviewers.restart import Restart

SCHEMES = ("alternate", "restart", "ensemble")


def build_scheme(
    name: str,
    reviewer: AttributeNetwork,
    privacy: PrivacyLoss,
    *,
    lr: float = 1e-3,
    every: int = 200,
    members: int = 3,
    fresh: Callable[[int], AttributeNetwork] | None = None,
) -> ReviewerScheme:
    """A scheme around a reviewer.

    Args:
        name: "alternate": the reviewer learns along. "restart": it goes back to its first weights (or, with `fresh`, to
            random ones) every `every` steps. "ensemble": the reviewer and others beside it, the strongest counts.
        reviewer: The first reviewer, changed in place.
        privacy: The anonymizer's loss of a reviewer's logits.
        lr: Step size of every reviewer.
        every: Steps between two restarts.
        members: Reviewers of an ensemble, two or more.
        fresh: From a number, 1 and up, to a network with its own random weights. An ensemble needs it: members that
            begin alike would stay alike.

    Raises:
        ValueError: If the name is unknown, a number is out of range, or an ensemble has no `fresh`.
    """
    if name not in SCHEMES:
        raise ValueError(f"`name` must be one of {', '.join(SCHEMES)}, got {name!r}.")
    first = Alternate(reviewer, privacy, lr=lr)
    if name == "alternate":
        return first
    if name == "restart":
        return Restart(first, every=every, fresh=fresh)
    if members < 2:
        raise ValueError(f"`members` must be 2 or more, got {members}.")
    if fresh is None:
        raise ValueError("`fresh` must be given for an ensemble, got None.")
    others = [Alternate(fresh(number), privacy, lr=lr) for number in range(1, members)]
    return Ensemble([first, *others])
