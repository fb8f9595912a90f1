"""Every method of the paper's tables beside ours: trained, judged and drawn, over several seeds.

Each row of each seed is kept in a file of its own as soon as it is known, so a comparison that is stopped goes on where
it was. Nothing is chosen by these numbers: settings are those of the methods, which were found on other clips.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from privacy_mllm.asking import Desk
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.people import PeopleClips, render_people
from privacy_mllm.data.world import render_clips
from privacy_mllm.evaluate import Evaluator
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Anonymizer, NetworkAnonymizer, baselines
from privacy_mllm.methods.surrogates import Surrogate, surrogates
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.results import Row
from privacy_mllm.reviewers.attack import FINE_TUNING_STEPS, SCRATCH_STEPS
from privacy_mllm.starting import make_start
from privacy_mllm.train import Training

OURS, SPSA, BOUND, CONTROL, START = "ours", "ours, SPSA", "bound: gradient known", "no query", "start"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Scale:
    """How large a comparison is.

    Args:
        seeds: Seeds, from 0; each trains every method and its attackers anew.
        clips: Labelled training clips.
        test_clips: Clips that are judged.
        attacker_steps: Steps of fine-tuning of each attacker.
        attackers: Fresh attackers from random weights, beside those that are fine-tuned.
        scratch_steps: Steps of each of these.
        workers: Rows made at the same time.
        surrogate_steps: Most steps of each part of a surrogate's training; None for its own.
    """

    seeds: int = 3
    clips: int = 1500
    test_clips: int = 500
    attacker_steps: int = FINE_TUNING_STEPS
    attackers: int = 0
    scratch_steps: int = SCRATCH_STEPS
    workers: int = 2
    surrogate_steps: int | None = None


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


class Comparison:
    """The rows of all methods for all seeds.

    Args:
        config: Settings of our method; its seed is replaced.
        scale: How large.
        folder: Where rows are kept.
    """

    def __init__(self, config: TrainConfig, scale: Scale, folder: Path) -> None:
        self.config, self.scale, self.folder = config, scale, folder
        (folder / "rows").mkdir(parents=True, exist_ok=True)
        self._check_same_settings()

    def rows(self, progress: Progress) -> dict[str, list[Row]]:
        """All rows by method, those missing made now.

        Args:
            progress: Called with the name of the row that is done, how many are done and how many there are.
        """
        names = list(self.makers)
        tasks = [(name, seed) for seed in range(self.scale.seeds) for name in names]
        missing = [task for task in tasks if not self._file(*task).is_file()]
        done = len(tasks) - len(missing)
        with ThreadPoolExecutor(self.scale.workers) as pool:
            for name in pool.map(lambda task: self._make(*task), missing):
                done += 1
                progress(name, done, len(tasks))
        return {name: [self._read(name, seed) for seed in range(self.scale.seeds)] for name in names}

    @cached_property
    def makers(self) -> Mapping[str, Callable[[int], Trained]]:
        """How each method is made for a seed, in the order of the table."""
        plain: dict[str, Callable[[int], Trained]] = {
            method.name: _constantly(method) for method in baselines(people=True)
        }
        trained = {method.name: self._surrogate(method.name) for method in surrogates()}
        ours = {
            START: self._start,
            CONTROL: lambda seed: self._ours(CONTROL, seed, ask=False),
            SPSA: lambda seed: self._ours(SPSA, seed, estimator="spsa"),
            OURS: lambda seed: self._ours(OURS, seed),
            BOUND: lambda seed: self._ours(BOUND, seed, known=True),
        }
        return {**plain, **trained, **ours}

    @cached_property
    def clips(self) -> Clips:
        """The labelled training clips."""
        return render_clips("train", self.scale.clips)

    @cached_property
    def test(self) -> Clips:
        """The clips that are judged."""
        return render_clips("test", self.scale.test_clips)

    @cached_property
    def people(self) -> PeopleClips:
        """The same people again and again, for re-identification."""
        return render_people("test", max(2, self.scale.test_clips // 5))

    def _make(self, name: str, seed: int) -> str:
        made = self.makers[name](seed)
        raw_reviewer = make_start(self.config, self.clips).raw_reviewer
        desk = Desk(EmbeddedOracle())
        evaluator = Evaluator(
            self.clips, self.test, desk, raw_reviewer, attackers=self._attackers(seed), people=self.people
        )
        row = replace(evaluator.judge(made.method, made.insider), method=name, calls_per_sample=made.calls_per_sample)
        file = self._file(name, seed)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(row)), encoding="utf-8")
        part.replace(file)
        return f"{name}, seed {seed}"

    def _attackers(self, seed: int) -> Attackers:
        scale = self.scale
        return Attackers(
            steps=scale.attacker_steps, num_scratch=scale.attackers, scratch_steps=scale.scratch_steps, seed=seed
        )

    def _surrogate(self, name: str) -> Callable[[int], Trained]:
        def make(seed: int) -> Trained:
            method: Surrogate = next(method for method in surrogates(seed) if method.name == name)
            if self.scale.surrogate_steps is not None:
                method = _shortened(method, self.scale.surrogate_steps)
            method.fit(self.clips)
            return Trained(method, method.insider)

        return make

    def _start(self, seed: int) -> Trained:
        start = make_start(replace(self.config, seed=seed), self.clips)
        return Trained(NetworkAnonymizer(start.anonymizer, START), start.reviewer)

    def _ours(
        self, name: str, seed: int, *, ask: bool = True, known: bool = False, estimator: str | None = None
    ) -> Trained:
        config = replace(self.config, seed=seed, estimator=estimator or self.config.estimator)
        oracle = EmbeddedOracle()
        training = Training(config, self.clips, oracle, ask=ask, known=oracle.known_loss if known else None)
        with training.desk:
            for _ in training.steps():
                pass
        network: nn.Module = training.anonymizer
        return Trained(NetworkAnonymizer(network, name), training.reviewer, training.num_calls / len(training.pool))

    def _file(self, name: str, seed: int) -> Path:
        return self.folder / "rows" / f"{''.join(c if c.isalnum() else '-' for c in name)}.{seed}.json"

    def _read(self, name: str, seed: int) -> Row:
        """A kept row; one of an earlier version lacks some figures."""
        return Row(**json.loads(self._file(name, seed).read_text(encoding="utf-8")))

    def _check_same_settings(self) -> None:
        """Rows of other settings must not stand beside each other."""
        about = {"config": asdict(self.config), "scale": {**asdict(self.scale), "seeds": None, "workers": None}}
        file = self.folder / "about.json"
        if not file.is_file():
            file.write_text(json.dumps(about, indent=2), encoding="utf-8")
            return
        kept = json.loads(file.read_text(encoding="utf-8"))
        # A setting that came with a later version stood at its default.
        defaults = {"config": asdict(TrainConfig()), "scale": asdict(Scale())}
        if {part: {**defaults[part], **kept[part]} for part in about} != about:
            raise ValueError(f"`output` {self.folder} holds rows of other settings; take another folder.")


def _shortened(method: Surrogate, most: int) -> Surrogate:
    """The same method with fewer steps of everything."""
    recipe: Any = method.recipe
    steps = {entry.name: min(most, getattr(recipe, entry.name)) for entry in fields(recipe) if "steps" in entry.name}
    return Surrogate(replace(recipe, **steps), method.seed, method.question, utility_steps=most)


def _constantly(method: Anonymizer) -> Callable[[int], Trained]:
    return lambda _seed: Trained(method)
