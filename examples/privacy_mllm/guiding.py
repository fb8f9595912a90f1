"""A small network of ours that answers in the black box's place: its gradient is a guess of the black box's.

It learns from the right answers of the training clips, raw and anonymized, and goes on learning as the anonymizer
moves, so it costs no call. Each question that enough clips are asked has answers of its own, a head on one network; the
others have no guess, and a step that puts none but those is one of plain pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import zoopt_mo as zo
from privacy_mllm.asking import Question
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.drawing import Draw, show_ahead
from privacy_mllm.methods.surrogates.action_model import ActionModel
from privacy_mllm.methods.surrogates.initial import fresh
from privacy_mllm.methods.surrogates.steps import descend
from privacy_mllm.models.batch_norm import frozen_batch_norm
from privacy_mllm.models.clip_network import show_clips
from privacy_mllm.oracles.protocol import Answer

LEAST_ASKED = 0.1
"""Share of the clips that must be asked a question for the guide to learn its answers."""

BATCH = 24
"""Clips a step of the guide's training, half of them anonymized."""

_PEAK_LR, _LATER_LR = 3e-3, 3e-4
_UNKNOWN = -100  # what torch's cross-entropy leaves out


class Guide:
    """The network, and its training.

    Args:
        clips: Training clips with questions.
        main: The main question.
        share: Its share of the queries, and of what the network learns; the other questions have the rest.
        steps: Steps of its training before the run's first step.
        refreshes: Steps of its training after each step of the run.
        seed: Seed of weights and batches.
        device: Where it computes.

    Raises:
        ValueError: If the main question is put to too few clips, or has one answer.
    """

    def __init__(
        self, clips: Clips, main: str, share: float, *, steps: int, refreshes: int, seed: int, device: torch.device
    ) -> None:
        self.clips, self.steps, self.refreshes, self.seed, self.device = clips, steps, refreshes, seed, device
        self.answers = answers_to_learn(clips, main)
        self._labels = _labels(clips, self.answers).to(device)
        others = len(self.answers) - (main in self.answers)
        self._weights = [share if question == main else (1 - share) / others for question in self.answers]
        self._reset()

    def _reset(self) -> None:
        """Fresh weights, which know nothing."""
        self._generator = torch.Generator().manual_seed(self.seed)
        count = sum(map(len, self.answers.values()))
        self.network = fresh(lambda: ActionModel(count), self._generator).to(self.device).eval()
        self._optimizer = _optimizer(self.network, _PEAK_LR)
        self.is_prepared = False

    def prepare(self, anonymizer: nn.Module) -> None:
        """Learn from the beginning: AdamW, one cycle. 500 steps take about half a minute of one core.

        Args:
            anonymizer: Makes half of the clips; it is left unchanged.
        """
        self._reset()
        schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimizer, _PEAK_LR, total_steps=max(self.steps, 2))
        self._learn(anonymizer, self.steps, schedule)
        self._optimizer = _optimizer(self.network, _LATER_LR)
        self.is_prepared = True

    def refresh(self, anonymizer: nn.Module) -> None:
        """Learn on, from what the anonymizer has become.

        Args:
            anonymizer: Makes half of the clips; it is left unchanged.
        """
        self._learn(anonymizer, self.refreshes)

    def loss(self, pictures: Tensor, questions: Sequence[str], targets: Sequence[tuple[str, ...]]) -> Tensor:
        """The mean cross-entropy of the best accepted answers, ``[]``; 0 where it knows none of the questions.

        Costs no query.

        Args:
            pictures: Clips in [0, 1], ``[b, t, 3, h, w]``.
            questions: A question for each.
            targets: Its right answers.
        """
        by_question = self.beliefs(pictures)
        losses = []
        for row, (question, right) in enumerate(zip(questions, targets, strict=True)):
            known = self.answers.get(question, ())
            accepted = [place for place, answer in enumerate(known) if answer in right]
            if accepted:
                losses.append(-by_question[question][row, accepted].max())
        return torch.stack(losses).mean() if losses else 0 * pictures.sum()

    def state_dict(self) -> dict[str, Any]:
        """All that its next answers and steps depend on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "is_prepared": self.is_prepared,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Args:
            state: What :meth:`state_dict` gave.
        """
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        self.is_prepared = state["is_prepared"]

    def hear(self, question: Question, answer: Answer) -> None:
        """What the black box said of one of the step's clips; this guide does not listen.

        Args:
            question: The question, and the clip as it was sent.
            answer: The answer.
        """

    def begin_step(self) -> None:
        """What was heard since the last refresh does not count: it was of a step that was broken off."""

    def _learn(
        self, anonymizer: nn.Module, steps: int, schedule: torch.optim.lr_scheduler.OneCycleLR | None = None
    ) -> None:
        frames, half = self.clips.frames, BATCH // 2
        draws = [Draw.of(frames, BATCH, self._generator) for _ in range(steps)]
        self.network.train()
        for draw, shown in zip(draws, show_ahead(frames, draws, self.device), strict=True):
            hidden = _anonymized(anonymizer, shown[:half])
            beliefs = self.beliefs(torch.cat([hidden, shown[half:]]))
            descend(self._optimizer, self._error(beliefs, self._labels[draw.rows.to(self.device)]))
            if schedule is not None:
                schedule.step()
        self.network.eval()

    def _error(self, beliefs: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """The cross-entropy of the questions, each as often as it is asked, of those that one of the clips has."""
        errors = [
            weight * F.nll_loss(beliefs[question], labels[:, place], ignore_index=_UNKNOWN)
            for place, (question, weight) in enumerate(zip(self.answers, self._weights, strict=True))
            if bool((labels[:, place] != _UNKNOWN).any())
        ]
        return torch.stack(errors).sum() if errors else 0 * next(iter(beliefs.values())).sum()

    def beliefs(self, pictures: Tensor) -> dict[str, Tensor]:
        """Log-probabilities of the answers ``[b, a]`` to each question.

        Args:
            pictures: Clips in [0, 1], ``[b, t, 3, h, w]``.
        """
        parts = self.network(pictures).split([len(answers) for answers in self.answers.values()], dim=1)
        return {question: part.log_softmax(dim=1) for question, part in zip(self.answers, parts, strict=True)}


class Unprobed(zo.Estimator):
    """The prior's gradient as it is; the black box is asked at theta alone, for its value.

    It is the control that shows what probing a guess is worth: the black box then says when it matters, never where to
    go. Costs a query a step.
    """

    def _ask(self, _size: int, prior: zo.Combination | None) -> list[zo.Combination]:
        if prior is None:
            raise ValueError("`prior` must be given to `Unprobed`.")
        self._guess = prior
        return [0.0 * prior]

    def _tell(self, losses: np.ndarray[Any, np.dtype[np.float64]], _exact: Sequence[zo.Combination]) -> Any:  # noqa: ANN401
        if np.isnan(losses[0]):
            raise zo.estimators.NothingMeasured("the query failed")
        return zo.estimators.Estimate(self._guess, value=float(losses[0]), num_directions=0)

    def _reset(self, _seed: int | None) -> None:
        """Nothing is held from step to step."""

    def _state(self) -> dict[str, Any]:
        return {}

    def _load_state(self, _state: Mapping[str, Any]) -> None:
        """Nothing is held from step to step."""


def answers_to_learn(clips: Clips, main: str) -> dict[str, tuple[str, ...]]:
    """By question the answers that a guide can learn, sorted; where several count as right, the first of each clip.

    Args:
        clips: Training clips with questions.
        main: The main question, which must be among them.

    Raises:
        ValueError: If it is not.
    """
    found = {}
    for question in all_questions(clips):
        said = [answers[question][0] for answers in clips.answers if answers.get(question)]
        if len(set(said)) > 1 and len(said) >= LEAST_ASKED * len(clips):
            found[question] = tuple(sorted(set(said)))
    if main not in found:
        raise ValueError(
            "`estimator` must be one without a guide here, such as 'critical-history': the main question must be put "
            f"to {LEAST_ASKED:.0%} of the training clips and have two answers, but {main!r} is not."
        )
    return found


def _optimizer(network: nn.Module, lr: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr, weight_decay=0.05)


def _labels(clips: Clips, answers: Mapping[str, Sequence[str]]) -> Tensor:
    """Numbers of the right answers, ``int64 [n, questions]``."""
    rows = [
        [known.index(said[question][0]) if said.get(question) else _UNKNOWN for question, known in answers.items()]
        for said in clips.answers
    ]
    return torch.tensor(rows)


def _anonymized(anonymizer: nn.Module, shown: Tensor) -> Tensor:
    """The clips ``[b, t, 3, h, w]`` as the anonymizer makes them, without a gradient."""
    with torch.no_grad(), frozen_batch_norm(anonymizer):
        return show_clips(anonymizer, shown)
