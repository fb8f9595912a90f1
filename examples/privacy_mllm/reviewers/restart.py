"""A reviewer that begins again every so many steps, so that no anonymizer gets used to one opponent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.reviewers.alternate import Alternate

Show = Callable[[], tuple[Tensor, Tensor]]
"""Gives a batch of what the anonymizer shows now: pictures ``[b, 3, h, w]`` and labels ``[b, k]``."""


class Restart:
    """An alternating reviewer that is set back every `every` refreshes.

    A network that has learned along with an anonymizer may sit where that anonymizer put it; one that begins again
    finds what is still to be read. From the first weights (a reviewer of raw pictures) it is a fair judge at once; from
    random ones it knows nothing at first, so let it catch up.

    Args:
        scheme: The reviewer and how it learns.
        every: Refreshes between two restarts, positive.
        fresh: From the number of the restart, 1 and up, to a network whose weights are taken: from scratch, with its
            own seed. None goes back to the weights that the reviewer has now.
        catch_up: Steps that a restarted reviewer takes at once, on batches of `show`.
        show: Needed to catch up.

    Raises:
        ValueError: If `every` is not positive, `catch_up` is negative, or there is nothing to catch up on.

    Reference:
        Wu et al. (2022), "Privacy-Preserving Deep Action Recognition: An Adversarial Learning Framework and A New
        Dataset", IEEE TPAMI, which restarts every 200 steps.
    """

    def __init__(
        self,
        scheme: Alternate,
        *,
        every: int = 200,
        fresh: Callable[[int], AttributeNetwork] | None = None,
        catch_up: int = 0,
        show: Show | None = None,
    ) -> None:
        _check(every, catch_up, show)
        self.scheme, self.every, self.catch_up = scheme, every, catch_up
        self.num_refreshes = 0
        self._fresh, self._show = fresh, show
        self._first = copy.deepcopy(scheme.reviewer.state_dict())

    @property
    def reviewers(self) -> tuple[AttributeNetwork, ...]:
        """The one reviewer."""
        return self.scheme.reviewers

    @property
    def num_restarts(self) -> int:
        """How often it began again so far."""
        return self.num_refreshes // self.every

    def loss(self, pictures: Tensor) -> Tensor:
        """The anonymizer's loss of privacy.

        Args:
            pictures: Anonymized pictures, ``[b, 3, h, w]`` in [0, 1].
        """
        return self.scheme.loss(pictures)

    def refresh(self, pictures: Tensor, labels: Tensor) -> float:
        """Learn from labelled anonymized pictures; after every so many times, begin again.

        Args:
            pictures: What the anonymizer showed, ``[b, 3, h, w]``.
            labels: Their attributes, ``[b, k]``.

        Returns:
            The reviewer's loss before it learned.
        """
        loss = self.scheme.refresh(pictures, labels)
        self.num_refreshes += 1
        if self.num_refreshes % self.every == 0:
            self._restart()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The scheme's state, how far it is, and the first weights."""
        return {"scheme": self.scheme.state_dict(), "num_refreshes": self.num_refreshes, "first": self._first}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self.scheme.load_state_dict(state["scheme"])
        self.num_refreshes, self._first = state["num_refreshes"], copy.deepcopy(state["first"])

    def _restart(self) -> None:
        fresh = self._first if self._fresh is None else self._fresh(self.num_restarts).state_dict()
        self.scheme.forget(fresh)
        for _ in range(self.catch_up):
            if self._show is not None:
                self.scheme.refresh(*self._show())


def _check(every: int, catch_up: int, show: Show | None) -> None:
    if every < 1:
        raise ValueError(f"`every` must be positive, got {every}.")
    if catch_up < 0:
        raise ValueError(f"`catch_up` must not be negative, got {catch_up}.")
    if catch_up and show is None:
        raise ValueError(f"`show` must be given for a reviewer to catch up {catch_up} steps, got None.")
