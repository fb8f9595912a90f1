"""Several reviewers, of which the strongest counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.reviewers.protocol import ReviewerScheme

REDUCTIONS = ("max", "mean")


class Ensemble:
    """The loss of privacy is that of the reviewer who still knows most; all of them learn.

    Use members that differ: in their first weights, in their architecture, or in when they begin again.

    Args:
        members: Schemes, at least one.
        reduce: "max" takes the strongest member of each step, "mean" all alike.

    Raises:
        ValueError: If there is no member, or `reduce` is unknown.

    Reference:
        Wu et al. (2022), "Privacy-Preserving Deep Action Recognition: An Adversarial Learning Framework and A New
        Dataset", IEEE TPAMI, with up to four members.
    """

    def __init__(self, members: Sequence[ReviewerScheme], *, reduce: str = "max") -> None:
        if not members:
            raise ValueError("`members` must not be empty.")
        if reduce not in REDUCTIONS:
            raise ValueError(f"`reduce` must be one of {', '.join(REDUCTIONS)}, got {reduce!r}.")
        self.members, self.reduce = tuple(members), reduce

    @property
    def reviewers(self) -> tuple[AttributeNetwork, ...]:
        """All reviewers of all members."""
        return tuple(reviewer for member in self.members for reviewer in member.reviewers)

    def loss(self, pictures: Tensor) -> Tensor:
        """The largest loss of privacy among the members; the gradient is that member's alone.

        Args:
            pictures: Anonymized pictures, ``[b, 3, h, w]`` in [0, 1].
        """
        losses = torch.stack([member.loss(pictures) for member in self.members])
        return losses.max(dim=0).values if self.reduce == "max" else losses.mean()

    def refresh(self, pictures: Tensor, labels: Tensor) -> float:
        """Let every member learn.

        Args:
            pictures: What the anonymizer showed, ``[b, 3, h, w]``.
            labels: Their attributes, ``[b, k]``.

        Returns:
            The smallest of the reviewers' own losses before they learned: the strongest reader's.
        """
        return min([member.refresh(pictures, labels) for member in self.members])

    def state_dict(self) -> dict[str, Any]:
        """The members' states."""
        return {"members": [member.state_dict() for member in self.members]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave, of as many members.

        Raises:
            ValueError: If it has another number of members.
        """
        if len(state["members"]) != len(self.members):
            raise ValueError(f"`state` must be of {len(self.members)} members, got {len(state['members'])}.")
        for member, saved in zip(self.members, state["members"], strict=True):
            member.load_state_dict(saved)
