"""What a training asks of its reviewers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor

from privacy_mllm.models.attribute_network import AttributeNetwork

PrivacyLoss = Callable[[Tensor], Tensor]
"""From logits ``[b, k]`` to a loss ``[]``, such as :func:`privacy_mllm.losses.privacy_loss` with its base rates."""


class ReviewerScheme(Protocol):
    """One or more reviewers that an anonymizer is trained against."""

    @property
    def reviewers(self) -> tuple[AttributeNetwork, ...]:
        """The networks as they are now, the first start of each insider attack."""

    def loss(self, pictures: Tensor) -> Tensor:
        """The anonymizer's loss of privacy ``[]``, with a gradient to the pictures.

        Args:
            pictures: Anonymized pictures, ``[b, 3, h, w]`` in [0, 1].
        """

    def refresh(self, pictures: Tensor, labels: Tensor) -> float:
        """Learn from labelled anonymized pictures.

        Args:
            pictures: What the anonymizer showed, ``[b, 3, h, w]``; no gradient flows back into it.
            labels: Their attributes, 0 or 1, ``[b, k]``.

        Returns:
            The reviewer's own loss before it learned, in nats a label; that of the best of several.
        """

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of a training depends on."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of a scheme that was built in the same way.

        Args:
            state: What :meth:`state_dict` gave.
        """
