"""What an anonymizer is: for clips in an evaluation, and for one picture of a user."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from privacy_mllm.data.clips import Clips


class Anonymizer(Protocol):
    """Changes the pictures of clips; one row of the table of results."""

    @property
    def name(self) -> str:
        """How the table calls it."""
        ...

    def anonymize(self, clips: Clips) -> Tensor:
        """The changed pictures of all clips, ``uint8 [n, t, 3, h, w]``, as large as those that came in."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """An anonymizer that must learn from labelled clips before it can be used."""

    @property
    def name(self) -> str:
        """How the table calls it."""
        ...

    def fit(self, clips: Clips, *, private: Clips | None = None) -> None:
        """Train on labelled clips; the black box is not asked.

        Args:
            clips: Clips with questions.
            private: Clips or still pictures with private attributes; None for those with questions.
        """
        ...

    def anonymize(self, clips: Clips) -> Tensor:
        """As of an :class:`Anonymizer`.

        Raises:
            RuntimeError: Before :meth:`fit`.
        """
        ...


class PictureMethod(Protocol):
    """Changes one picture of any size, everywhere or where a mask says so."""

    @property
    def name(self) -> str:
        """How messages call it."""
        ...

    @property
    def needs_mask(self) -> bool:
        """Whether it must be told what to hide, because hiding the whole picture would leave nothing."""
        ...

    def __call__(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """The changed picture.

        Args:
            picture: ``uint8 [3, h, w]``.
            mask: 1 where the picture is to be hidden, 0 where it stays, ``float [1, h, w]``; None for
                everywhere.

        Returns:
            ``uint8 [3, h, w]``.
        """
        ...


@runtime_checkable
class Comparing(Protocol):
    """A picture method that may need an earlier picture of the same video beside each."""

    @property
    def compares(self) -> bool:
        """Whether it does."""
        ...

    def compare(self, earlier: Tensor, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """The changed picture of a video.

        Args:
            earlier: What was there before, ``uint8 [3, h, w]``.
            picture: ``uint8 [3, h, w]``.
            mask: As for a :class:`PictureMethod`.

        Returns:
            ``uint8 [3, h, w]``.
        """
        ...


@runtime_checkable
class Remarking(Protocol):
    """A picture method that has something to say about pictures of some sizes."""

    def remark(self, height: int, width: int) -> str | None:
        """What the user should know about the result at this size; None if there is nothing to say."""
        ...
