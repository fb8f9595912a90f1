"""What all rows of a comparison share: the clips of the experiment, its black box, and where trainings begin."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock

import zoopt_mo as zo
from privacy_mllm.asking import Desk
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.data.clips import Clips, all_questions
from privacy_mllm.data.people import PeopleClips
from privacy_mllm.data.sources import candidates_of, check_source, load_clips
from privacy_mllm.devices import repeats_exactly
from privacy_mllm.evaluate import Evaluator
from privacy_mllm.judging import people_of
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Raw
from privacy_mllm.models.factory import fresh_reviewer
from privacy_mllm.opening import check_may_be_sent, labelled_clips
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.protocol import Oracle
from privacy_mllm.oracles.settings import OracleConfig, open_oracle
from privacy_mllm.oracles.shared import Shared
from privacy_mllm.runs import LEDGER
from privacy_mllm.session import Watch, with_known_loss
from privacy_mllm.showing import KnownUtility
from privacy_mllm.starting import Start, load_or_make_start
from privacy_mllm.train import Training

Say = Callable[[str], None]


@dataclass(frozen=True)
class Experiment:
    """Clips with questions and labelled ones, for training and test, and the black box.

    Args:
        config: Settings of our method.
        settings: The black box.
        clips: Training clips with questions.
        private: Labelled training clips; often the same.
        test: Clips whose answers are judged.
        private_test: Labelled clips on which leakage is read; often the same.
        people: Clips of the same people, where they can be had.
        folder: Where starts and paid answers are kept.
        say: Told what is being made.
    """

    config: TrainConfig
    settings: OracleConfig
    clips: Clips
    private: Clips
    test: Clips
    private_test: Clips
    people: PeopleClips | None
    folder: Path
    say: Say = lambda _sentence: None
    _starting: Lock = field(default_factory=Lock, init=False, repr=False)

    @classmethod
    def open(
        cls,
        config: TrainConfig,
        settings: OracleConfig,
        folder: Path,
        *,
        test_clips: int,
        say: Say = lambda _sentence: None,
    ) -> Experiment:
        """The experiment that settings name; the black box is opened when it is first asked for.

        Args:
            config: The settings of our method.
            settings: Those of the black box.
            folder: Where starts and paid answers are kept; nothing is written yet.
            test_clips: Clips that are judged, at most.
            say: Told what is being made.

        Raises:
            ValueError: If the settings hold something out, which is no matter of comparing methods, or raw pictures
                would be sent that may not be.
        """
        if config.hold_out:
            raise ValueError("`hold_out` must be empty in a comparison; `privacy-mllm train --hold-out` reports it.")
        check_may_be_sent(config, settings)
        clips, test = load_clips(config.data, "train", config.clips), load_clips(config.data, "test", test_clips)
        private = labelled_clips(config, clips, "train", config.clips)
        private_test = labelled_clips(config, test, "test", test_clips)
        people = people_of(config, "test", test_clips)
        return cls(config, settings, clips, private, test, private_test, people, folder, say)

    @property
    def private_source(self) -> Clips | None:
        """The labelled training clips where they are others than those with questions."""
        return None if self.private is self.clips else self.private

    @property
    def question(self) -> str:
        """The main question."""
        return self.config.question or all_questions(self.test)[0]

    @property
    def knows_people(self) -> bool:
        """Whether all clips say where people are."""
        return all(part.people is not None for part in (self.test, self.private, self.private_test))

    @cached_property
    def shared_oracle(self) -> Shared:
        """The black box, for several threads; checked against the clips before it is asked."""
        oracle = open_oracle(self.settings, candidates_of(self.config.data))
        for clips in (self.clips, self.test):
            check_source(self.config.data, clips, oracle)
        return Shared(oracle)

    @cached_property
    def method(self) -> TrainConfig:
        """The settings of our method, with a loss that the black box's answers allow; may cost a call."""
        if self.settings.kind != "openai":
            return self.config
        return with_known_loss(self.config, self.settings, self.clips, self.shared_oracle, Watch(say=self.say))

    def new_oracle(self, *, for_training: bool = False) -> Oracle:
        """The black box for one row: the embedded model is small, and each row has its own.

        Args:
            for_training: Whether each call counts: what other rows asked is then asked again.
        """
        if self.settings.kind == "embedded":
            return EmbeddedOracle()
        return self.shared_oracle.always_asked() if for_training else self.shared_oracle

    @property
    def known_loss(self) -> KnownUtility | None:
        """The black box's loss as autograd can follow it, where it can."""
        return EmbeddedOracle().known_loss if self.settings.kind == "embedded" else None

    def ledger(self, row: str) -> AbstractContextManager[zo.Ledger | None]:
        """Where the answers to a row are kept, so that none is paid twice; the embedded model's are not.

        Args:
            row: Name of the row.
        """
        return nullcontext() if self.settings.kind == "embedded" else zo.Ledger(self.folder / LEDGER, run=row)

    def start(self, seed: int, anonymizer: str = "") -> Start:
        """The networks at the start of a training; made once for each seed, and kept.

        Args:
            seed: Seed of the training.
            anonymizer: Another kind of anonymizer than that of the settings.
        """
        config = _with_anonymizer(replace(self.config, seed=seed), anonymizer)
        with self._starting:
            return load_or_make_start(
                self.folder / f"start.{anonymizer}{'.' if anonymizer else ''}{seed}.ckpt",
                config,
                self.private,
                lambda name: self.say(f"{name} (seed {seed})"),
            )

    def training(
        self,
        seed: int,
        *,
        ledger: zo.Ledger | None = None,
        anonymizer: str = "",
        estimator: str = "",
        ask: bool = True,
        known: KnownUtility | None = None,
    ) -> Training:
        """One of our own trainings.

        Args:
            seed: Its seed.
            ledger: Where its answers are kept.
            anonymizer: Another kind of anonymizer, with the settings that fit it; empty for that of the settings.
            estimator: Of the black box's gradient; empty for that of the settings.
            ask: As of :class:`Training`.
            known: As of :class:`Training`.
        """
        with self._starting:
            config = _with_anonymizer(self.method, anonymizer)
        training = Training(
            replace(config, seed=seed, estimator=estimator or config.estimator),
            self.clips,
            self.new_oracle(for_training=True),
            private=self.private_source,
            start=self.start(seed, anonymizer),
            ask=ask,
            known=known,
            ledger=ledger,
            limits=self.settings,
        )
        training.expect_replay()
        return training

    def desk(self, ledger: zo.Ledger | None) -> Desk:
        """The way to the black box for the judging of a row.

        Args:
            ledger: Where its answers are kept.
        """
        exact = repeats_exactly(self.config.network_device)
        return Desk(self.new_oracle(), ledger, max_failures=self.settings.max_failures, repeats_exactly=exact)

    def evaluator(self, desk: Desk, attackers: Attackers) -> Evaluator:
        """What judges a row.

        Args:
            desk: The way to the black box.
            attackers: Who attacks.
        """
        config, sends_raw = self.config, self.settings.send_raw or not self.settings.is_remote
        build = partial(fresh_reviewer, config.reviewer, device=config.network_device)
        return Evaluator(
            self.private,
            self.test,
            desk,
            self.start(config.seed).raw_reviewer,
            self.question,
            replace(attackers, build=build),
            withheld=frozenset() if sends_raw else frozenset({Raw().name}),
            private_test=None if self.private_test is self.test else self.private_test,
            people=self.people,
        )


def _with_anonymizer(config: TrainConfig, name: str) -> TrainConfig:
    """Its settings with it, but where the settings are of that kind already."""
    return config if name in ("", config.anonymizer) else replace(config, anonymizer=name, **settings_of(name))
