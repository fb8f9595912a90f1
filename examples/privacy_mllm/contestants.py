"""The methods of a comparison: how each is made for a seed, and which make no sense in its experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import all_questions
from privacy_mllm.experiment import Experiment
from privacy_mllm.guiding import answers_to_learn
from privacy_mllm.methods import Anonymizer, Black, Blur, Detector, NetworkAnonymizer, baselines
from privacy_mllm.methods.surrogates import Surrogate, label_clips, surrogates
from privacy_mllm.models.attribute_network import AttributeNetwork

HISTORY, GATED, ALONE = "ours, critical history", "guide, black box as gate", "guide alone"
"""Beside an estimator that has a guide: the paper's, and the guide without probes and lessons."""
OURS, SPSA, BOUND, CONTROL, START = "ours", "ours, SPSA", "bound: gradient known", "no query", "start"
MOVES, MOVES_GUIDED = "ours, what moves", "ours, what moves, guided"
"""The anonymizer of few parameters, by the critical history, and by the recommended estimator with a guide."""

LEAST_ASKED = 0.5
"""Share of the training clips to which the main question must be put, for an action model to learn its answers."""


@dataclass(frozen=True)
class Trained:
    """A method that is ready to be judged.

    Args:
        method: The method.
        insider: A reviewer that was trained along with it, from which it is attacked too.
        calls_per_sample: Black-box calls that its training took, for each clip asked about.
    """

    method: Anonymizer
    insider: AttributeNetwork | None = None
    calls_per_sample: float = 0.0


Maker = Callable[[int], Trained]
"""From a seed to a method."""


class Contestants:
    """The methods that are compared.

    Args:
        experiment: What they have in common.
        surrogate_steps: Most steps of each part of a surrogate's training; None for its own.
        detector: What finds people where the clips do not say where they are.
    """

    def __init__(
        self, experiment: Experiment, surrogate_steps: int | None = None, detector: Detector | None = None
    ) -> None:
        self.experiment, self.surrogate_steps, self.detector = experiment, surrogate_steps, detector

    @cached_property
    def makers(self) -> Mapping[str, Maker]:
        """How each method is made, in the order of the table."""
        plain: dict[str, Maker] = {method.name: _constantly(method) for method in self._plain()}
        trained = {method.name: self._surrogate(method.name) for method in self._surrogates(0)}
        ours: dict[str, Maker] = {
            START: self._start,
            CONTROL: lambda seed: self._ours(CONTROL, seed, ask=False),
            SPSA: lambda seed: self._ours(SPSA, seed, estimator="spsa"),
            OURS: lambda seed: self._ours(OURS, seed),
        }
        if not self._is_still:
            ours[MOVES] = lambda seed: self._ours(MOVES, seed, anonymizer="motion", estimator="critical-history")
        if not self._is_still and self._may_guide:
            how = {"anonymizer": "motion", "estimator": "guide-corrected"}
            ours[MOVES_GUIDED] = lambda seed: self._ours(MOVES_GUIDED, seed, **how)
        if self.experiment.config.estimator in ("prior-guided", "guide-corrected", "guide-taught"):
            ours |= {
                HISTORY: lambda seed: self._ours(HISTORY, seed, estimator="critical-history"),
                GATED: lambda seed: self._ours(GATED, seed, estimator="guide-gated"),
                ALONE: lambda seed: self._ours(ALONE, seed, estimator="guide-alone"),
            }
        if self.experiment.known_loss is not None:
            ours[BOUND] = lambda seed: self._ours(BOUND, seed, known=self.experiment.known_loss)
        return {**plain, **trained, **ours}

    @cached_property
    def left_out(self) -> list[str]:
        """Which methods of the tables are missing, and why, a sentence each."""
        sentences = []
        if not self.experiment.knows_people:
            without = {method.name for method in baselines(people=False)}
            names = [method.name for method in baselines(people=True) if method.name not in without]
            instead = "" if self.detector is not None else " (--detector opencv finds some)"
            sentences.append(f"left out: {', '.join(names)}; the clips do not say where people are{instead}")
        if self._no_surrogates:
            sentences.append(f"left out: all surrogates; {self._no_surrogates}")
        elif self._is_still:
            names = sorted({one.name for one in surrogates()} - {one.name for one in surrogates(still=True)})
            sentences.append(f"left out: {', '.join(names)}; actions are told from single pictures")
        if self._is_still:
            sentences.append(f"left out: {MOVES} and {MOVES_GUIDED}; there are single pictures")
        elif not self._may_guide:
            sentences.append(f"left out: {MOVES_GUIDED}; no guide can learn the answers to the main question")
        if self.experiment.known_loss is None:
            sentences.append(f"left out: {BOUND}; this black box gives no gradient")
        return sentences

    @property
    def _is_still(self) -> bool:
        """Whether single pictures are asked about."""
        return self.experiment.clips.frames.shape[1] < 2

    @property
    def _question(self) -> str:
        """The main question of the training clips."""
        return self.experiment.config.question or all_questions(self.experiment.clips)[0]

    @property
    def _may_guide(self) -> bool:
        """Whether a guide can learn the answers to the main question."""
        try:
            answers_to_learn(self.experiment.clips, self._question)
        except ValueError:
            return False
        return True

    @cached_property
    def _no_surrogates(self) -> str:
        """Why no action model can stand for the black box; empty if one can."""
        clips, question = self.experiment.clips, self._question
        asked = sum(question in answers for answers in clips.answers)
        if asked < LEAST_ASKED * len(clips):
            return f"the main question, {question!r}, is put to {asked} of {len(clips)} clips"
        try:
            label_clips(clips, question)
        except ValueError as error:
            return str(error)
        return ""

    def _plain(self) -> tuple[Anonymizer, ...]:
        knows = self.experiment.knows_people
        methods = baselines(people=knows)
        if knows or self.detector is None:
            return methods
        region = self.detector
        return (*methods, Blur("weak", region), Blur("strong", region), Black(region))

    def _surrogates(self, seed: int) -> list[Surrogate]:
        if self._no_surrogates:
            return []
        return surrogates(seed, still=self._is_still, question=self.experiment.config.question)

    def _surrogate(self, name: str) -> Maker:
        def make(seed: int) -> Trained:
            experiment = self.experiment
            method = next(method for method in self._surrogates(seed) if method.name == name)
            method = _adapted(method, experiment.config, self.surrogate_steps)
            method.fit(experiment.clips, private=experiment.private_source)
            return Trained(method, method.insider)

        return make

    def _start(self, seed: int) -> Trained:
        start = self.experiment.start(seed)
        return Trained(NetworkAnonymizer(start.anonymizer, START), start.reviewer)

    def _ours(self, name: str, seed: int, **how: Any) -> Trained:  # noqa: ANN401
        with self.experiment.ledger(f"training {name}, seed {seed}") as ledger:
            training = self.experiment.training(seed, ledger=ledger, **how)
            with training.desk:
                for _ in training.steps():
                    pass
        if training.ended_by:
            self.experiment.say(f"{name}, seed {seed}: ended early, {training.ended_by}")
        calls = training.num_calls / len(training.pool)
        return Trained(NetworkAnonymizer(training.anonymizer, name), training.reviewer, calls)


def _adapted(method: Surrogate, config: TrainConfig, most: int | None) -> Surrogate:
    """The same method on our device, with our U-Net if its own is one of single frames, and with few steps."""
    recipe: Any = method.recipe
    names = [entry.name for entry in fields(recipe)]
    shares = "anonymizer" in names and not config.hides_as_it_is
    changes: dict[str, Any] = {"anonymizer": config.anonymizer} if shares else {}
    utility_steps = method.utility_steps
    if most is not None:
        changes |= {name: min(most, getattr(recipe, name)) for name in names if "steps" in name}
        utility_steps = min(most, utility_steps)
    recipe = replace(recipe, **changes)
    return replace(method, recipe=recipe, utility_steps=utility_steps, device=config.network_device)


def _constantly(method: Anonymizer) -> Maker:
    return lambda _seed: Trained(method)
