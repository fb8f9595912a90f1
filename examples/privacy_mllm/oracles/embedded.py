"""The embedded black box: a tiny multimodal model that answers questions about the embedded world."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from privacy_mllm.data.world import CANDIDATES
from privacy_mllm.metrics import same_words
from privacy_mllm.models.tiny_mllm import FRAMES, SIZE, TinyMLLM, load_tiny_mllm
from privacy_mllm.oracles._remembering import Remembered
from privacy_mllm.oracles.protocol import Answer
from privacy_mllm.utility import UTILITY_BOUND

CLIPS_AT_ONCE = 64
"""Clips that are asked about in one forward pass; bounds the memory."""

CLIPS_SEEN_AT_ONCE = 16
"""Clips looked at in one forward pass: few enough that their features stay in a core's cache."""

CLIPS_REMEMBERED = 1024
"""Clips whose features are kept, 6 KiB each: a judge asks all its questions about the same clips."""


class EmbeddedOracle:
    """Answers questions about clips with a model that runs here, and counts what a cloud would bill.

    It looks at four frames of 64x64, spread evenly over the clip; a picture counts as a clip that stands still.
    No gradient ever leaves it. An answer's text is the candidate with the highest log-probability.

    Args:
        model: The model; None for the shipped one.
    """

    name = "embedded"
    concurrency: int | None = None
    deterministic = True

    def __init__(self, model: TinyMLLM | None = None) -> None:
        self._model = (load_tiny_mllm() if model is None else model).eval()
        self._look = Remembered(self._see, CLIPS_REMEMBERED)
        self.num_calls = 0

    def ask(self, clips: Tensor, questions: Sequence[str]) -> list[Answer]:
        """Answer ``questions[i]`` about ``clips[i]``, with the log-probabilities of all candidate answers.

        Args:
            clips: ``uint8 [b, t, 3, h, w]``.
            questions: One question a clip, of those in ``CANDIDATES``.

        Returns:
            One answer a clip. Each is one call.

        Raises:
            TypeError: If `clips` are not ``uint8``.
            ValueError: If `clips` have another shape or a question is unknown.
        """
        _check(clips, questions)
        self.num_calls += len(questions)
        answers: dict[int, Answer] = {}
        with torch.inference_mode():
            for question in dict.fromkeys(questions):
                rows = [row for row, asked in enumerate(questions) if asked == question]
                for start in range(0, len(rows), CLIPS_AT_ONCE):
                    part = rows[start : start + CLIPS_AT_ONCE]
                    answers.update(zip(part, self._answer(clips[part], question), strict=True))
        return [answers[row] for row in range(len(questions))]

    def known_loss(self, clips: Tensor, questions: Sequence[str], targets: Sequence[tuple[str, ...]]) -> Tensor:
        """The mean "logprob" loss of utility as autograd can follow it: for a bound, never for a method.

        Costs no call.

        Args:
            clips: ``float [b, t, 3, h, w]`` in [0, 1].
            questions: One question a clip.
            targets: Its right answers.
        """
        times = torch.linspace(0, clips.shape[1] - 1, FRAMES).round().long()
        vision = self._model.see(_to_size(clips[:, times].flatten(0, 1)).reshape(len(clips), FRAMES, 3, SIZE, SIZE))
        losses = []
        for row, (question, right) in enumerate(zip(questions, targets, strict=True)):
            candidates = CANDIDATES[question]
            scores = self._model.score(vision[row : row + 1], question, candidates)[0].log_softmax(-1)
            accepted = [any(same_words(word, answer) for answer in right) for word in candidates]
            losses.append(-scores[torch.tensor(accepted)].max())
        return torch.stack(losses).clamp(max=UTILITY_BOUND).mean()

    def can_answer(self, question: str, answer: str) -> bool:
        """Whether `answer` is a candidate answer to `question`; costs no call."""
        return any(same_words(answer, candidate) for candidate in CANDIDATES.get(question, ()))

    def _answer(self, clips: Tensor, question: str) -> list[Answer]:
        candidates = CANDIDATES[question]
        scores = self._model.score(self._look(clips), question, candidates)
        return [
            Answer(candidates[int(row.argmax())], dict(zip(candidates, row.tolist(), strict=True))) for row in scores
        ]

    def _see(self, clips: Tensor) -> Tensor:
        """Vision tokens of clips ``uint8 [b, t, 3, h, w]``."""
        return torch.cat([self._model.see(_as_seen(part)) for part in clips.split(CLIPS_SEEN_AT_ONCE)])


def _as_seen(clips: Tensor) -> Tensor:
    """Four frames of 64x64 in [0, 1]."""
    times = torch.linspace(0, clips.shape[1] - 1, FRAMES).round().long()
    frames = _to_size(clips[:, times].flatten(0, 1).float() / 255)
    return frames.reshape(len(clips), FRAMES, 3, SIZE, SIZE)


def _to_size(frames: Tensor) -> Tensor:
    if frames.shape[-2:] == (SIZE, SIZE):
        return frames
    return F.interpolate(frames, size=(SIZE, SIZE), mode="bilinear", antialias=True)


def _check(clips: Tensor, questions: Sequence[str]) -> None:
    if clips.dtype != torch.uint8:
        raise TypeError(f"`clips` must be uint8, as a file holds them, got {clips.dtype}.")
    if clips.ndim != 5 or clips.shape[2] != 3 or 0 in clips.shape[1:]:
        raise ValueError(f"`clips` must have shape [b, t, 3, h, w], got {list(clips.shape)}.")
    if len(questions) != len(clips):
        raise ValueError(f"`questions` must have one entry a clip, got {len(questions)} for {len(clips)} clips.")
    for question in questions:
        if question not in CANDIDATES:
            raise ValueError(f"`questions` must be among {list(CANDIDATES)}, got {question!r}.")
