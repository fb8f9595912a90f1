"""Surrogate transfer: a white-box method trained against its own action model, then shown to the black box.

A method that needs the gradient of the utility model cannot be trained against a service. So it is trained with an
action model of its own in the service's place (Liu et al., Delving into transferable adversarial examples, ICLR 2017),
frozen, and judged as it is. Training asks the service nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from privacy_mllm.data.clips import Clips
from privacy_mllm.devices import check_device, device_of, to_pictures
from privacy_mllm.methods.pixels import check_pictures, in_parts, to_bytes
from privacy_mllm.methods.surrogates.action_model import train_action_model
from privacy_mllm.methods.surrogates.labelled import Batch, LabelledClips, label_clips
from privacy_mllm.models.reviewer import Reviewer

PIXELS_AT_ONCE = 8 * 4 * 64 * 64
"""Pixels of the clips that pass a network at once, at least one clip; bounds the memory."""

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""


class Game(Protocol):
    """One training under way: an anonymizer, its action model and its adversaries."""

    @property
    def network(self) -> nn.Module:
        """The anonymizer: clips ``[b, t, 3, h, w]`` in [0, 1] to the same shape and range."""
        ...

    @property
    def insider(self) -> Reviewer | None:
        """An adversary that learned along and knows the attributes, if there is one."""
        ...

    def step(self, batch: Batch, progress: float) -> Mapping[str, float]:
        """One round of everybody's updates.

        Args:
            batch: The clips of the round.
            progress: Share of the training that is done, in [0, 1).

        Returns:
            Losses by name; ``objective`` is what the anonymizer lowers.
        """
        ...


class Recipe(Protocol):
    """A white-box method: its settings, and how its training starts."""

    @property
    def name(self) -> str:
        """The method's name."""
        ...

    @property
    def steps(self) -> int:
        """Rounds of the training."""
        ...

    @property
    def batch(self) -> int:
        """Clips a round, of each source."""
        ...

    @property
    def needs_motion(self) -> bool:
        """Whether it cannot learn actions from single pictures."""
        ...

    @property
    def needs_attributes(self) -> bool:
        """Whether it learns from private attributes; without them it sees the clips with actions alone."""
        ...

    def start(self, data: LabelledClips, utility: nn.Module, generator: torch.Generator) -> Game:
        """The players before the first round.

        Args:
            data: The training clips, of one source or two.
            utility: The action model, trained on raw clips; the game's own copy.
            generator: Source of all draws of the game.
        """
        ...


@dataclass
class Surrogate:
    """A white-box method as a row of the table: trained by :meth:`fit`, frozen afterwards.

    Args:
        recipe: The method.
        seed: Seed of weights, batches and everything else that is drawn.
        question: The question whose answers are the actions; empty takes the first of the clips.
        utility_steps: Steps of the action model on raw clips.
        device: Where all networks are trained, such as "cuda"; draws are the same anywhere.
        network: The trained anonymizer; None before :meth:`fit`.
        insider: The adversary that learned along and knows the attributes: a start for an attacker. None before
            :meth:`fit`, and where there is none.
        history: Each round's losses.
    """

    recipe: Recipe
    seed: int = 0
    question: str = ""
    utility_steps: int = 400
    device: str = "cpu"
    network: nn.Module | None = field(default=None, init=False, repr=False)
    insider: Reviewer | None = field(default=None, init=False, repr=False)
    history: list[Mapping[str, float]] = field(default_factory=list, init=False, repr=False)

    @property
    def name(self) -> str:
        """For example ``surrogate VITA``."""
        return f"surrogate {self.recipe.name}"

    def fit(
        self,
        clips: Clips,
        *,
        private: Clips | None = None,
        utility: nn.Module | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Train on labelled clips; the black box is not asked.

        Args:
            clips: Training clips with questions.
            private: Clips or still pictures with private attributes, of which each round draws a batch too; None for
                the clips with questions. A method that needs no attributes does not look at them.
            utility: An action model already trained on raw clips, ``[b, t, 3, h, w]`` to ``[b, classes]`` with the
                classes in sorted order; it is left unchanged. None trains a small one.
            progress: Called after each round.

        Raises:
            ValueError: If there is no such device, fewer than two actions occur, a method that needs private attributes
                is given none, or one of motion is to learn actions from single pictures.
        """
        self._check(clips, clips if private is None else private)
        device = check_device(self.device)
        data = label_clips(clips, self.question, private if self.recipe.needs_attributes else None, device=device)
        generator = torch.Generator().manual_seed(self.seed)
        if utility is None:
            utility = train_action_model(data, steps=self.utility_steps, seed=self.seed)
        game = self.recipe.start(data, copy.deepcopy(utility).to(device), generator)
        history = []
        for step in range(self.recipe.steps):
            history.append(game.step(data.draw(self.recipe.batch, generator), step / self.recipe.steps))
            if progress is not None:
                progress(step + 1, self.recipe.steps)
        self.insider = None if game.insider is None else copy.deepcopy(game.insider).eval()
        self.history, self.network = history, game.network.eval().requires_grad_(requires_grad=False)

    def anonymize(self, clips: Clips) -> Tensor:
        """All clips through the trained network, ``uint8 [n, t, 3, h, w]``; single pictures too.

        Raises:
            RuntimeError: Before :meth:`fit`, or if the network gives pixels that are not finite.
        """
        check_pictures(clips.frames)
        network = self.network
        if network is None:
            raise RuntimeError(f"{self.name} is not trained; call `fit` first.")
        if clips.frames.numel() == 0:
            return clips.frames
        at_once = max(1, PIXELS_AT_ONCE // clips.frames[0, :, 0].numel())
        with torch.no_grad():
            return in_parts(lambda part: self._run(network, part), clips.frames, size=at_once)

    def _run(self, network: nn.Module, frames: Tensor) -> Tensor:
        shown = network(to_pictures(frames, device_of(network)))
        # A NaN would become an arbitrary byte, and a picture of those looks like a success.
        if not bool(shown.isfinite().all()):
            raise RuntimeError(f"{self.name} gave pixels that are not finite; its training broke.")
        return to_bytes(shown * 255).cpu()

    def _check(self, clips: Clips, private: Clips) -> None:
        if self.recipe.needs_motion and clips.frames.shape[1] < 2:
            raise ValueError(f"{self.recipe.name} is not defined on single pictures; leave it out.")
        if self.recipe.needs_attributes and not private.attribute_names:
            raise ValueError(f"{self.recipe.name} needs private attributes; give `private` clips that have them.")


def fit_all(
    methods: Sequence[Surrogate],
    clips: Clips,
    *,
    private: Clips | None = None,
    seed: int = 0,
    utility_steps: int = 400,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Train several methods from copies of one action model, which is the same for all of them then.

    Args:
        methods: The methods, which must put the same question.
        clips: Training clips with questions.
        private: Clips or still pictures with private attributes; None for the clips with questions.
        seed: Seed of the action model.
        utility_steps: Its steps.
        progress: Called with the name of each method that is trained.

    Raises:
        ValueError: If the methods put different questions.
    """
    questions = {method.question for method in methods}
    if len(questions) > 1:
        raise ValueError(f"`methods` must put the same question, got {sorted(questions)}.")
    if not methods:
        return
    data = label_clips(clips, questions.pop(), device=check_device(methods[0].device))
    utility = train_action_model(data, steps=utility_steps, seed=seed)
    for method in methods:
        method.fit(clips, private=private, utility=utility)
        if progress is not None:
            progress(method.name)
