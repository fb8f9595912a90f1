"""Every method of the paper's tables beside ours: trained, judged and drawn, over several seeds.

Each row of each seed is kept in a file of its own as soon as it is known, so a comparison that is stopped goes on where
it was. Nothing is chosen by these numbers: settings are those of the methods, which were found on other clips.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from privacy_mllm.config import TrainConfig
from privacy_mllm.contestants import BOUND, CONTROL, OURS, SPSA, START, Contestants
from privacy_mllm.experiment import Experiment, Say
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Detector
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.results import Row
from privacy_mllm.reviewers.attack import FINE_TUNING_STEPS, SCRATCH_STEPS

__all__ = ["BOUND", "CONTROL", "OURS", "SPSA", "START", "Comparison", "Scale"]

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


class Comparison:
    """The rows of all methods for all seeds.

    Args:
        config: Settings of our method; its seed is replaced.
        scale: How large.
        folder: Where rows are kept.
        settings: The black box; the embedded one by default.
        detector: What finds people in clips that do not say where they are.
        say: Told what is being made.
    """

    def __init__(
        self,
        config: TrainConfig,
        scale: Scale,
        folder: Path,
        settings: OracleConfig | None = None,
        *,
        detector: Detector | None = None,
        say: Say = lambda _sentence: None,
    ) -> None:
        self.scale, self.folder = scale, folder
        settings = OracleConfig() if settings is None else settings
        about = {
            "config": asdict(config),
            "scale": {**asdict(scale), "seeds": None, "workers": None},
            "oracle": asdict(settings),
        }
        self._check_same_settings(about)
        self.experiment = Experiment.open(config, settings, folder, test_clips=scale.test_clips, say=say)
        self.contestants = Contestants(self.experiment, scale.surrogate_steps, detector)
        (folder / "rows").mkdir(parents=True, exist_ok=True)
        if not self._about.is_file():
            command = [Path(sys.argv[0]).name, *sys.argv[1:]]
            self._about.write_text(json.dumps({**about, "command": command}, indent=2), encoding="utf-8")

    def rows(self, progress: Progress) -> dict[str, list[Row]]:
        """All rows by method, those missing made now.

        Args:
            progress: Called with the name of the row that is done, how many are done and how many there are.

        Raises:
            zoopt_mo.TooManyFailures: If the black box does not answer; what was answered is kept.
        """
        names = list(self.contestants.makers)
        tasks = [(name, seed) for seed in range(self.scale.seeds) for name in names]
        missing = [task for task in tasks if not self._file(*task).is_file()]
        done = len(tasks) - len(missing)
        if missing:
            self.experiment.shared_oracle  # noqa: B018 - opened, and checked against the clips, before work begins
        with ThreadPoolExecutor(self.scale.workers) as pool:
            for name in pool.map(lambda task: self._make(*task), missing):
                done += 1
                progress(name, done, len(tasks))
        return {name: [self._read(name, seed) for seed in range(self.scale.seeds)] for name in names}

    def _make(self, name: str, seed: int) -> str:
        scale, experiment = self.scale, self.experiment
        attackers = Attackers(
            steps=scale.attacker_steps, num_scratch=scale.attackers, scratch_steps=scale.scratch_steps, seed=seed
        )
        made = self.contestants.makers[name](seed)
        with experiment.ledger(f"judging {name}, seed {seed}") as ledger, experiment.desk(ledger) as desk:
            row = experiment.evaluator(desk, attackers).judge(made.method, made.insider)
        file = self._file(name, seed)
        part = file.with_suffix(".part")
        kept = replace(row, method=name, calls_per_sample=made.calls_per_sample)
        part.write_text(json.dumps(asdict(kept)), encoding="utf-8")
        part.replace(file)
        return f"{name}, seed {seed}"

    def _file(self, name: str, seed: int) -> Path:
        return self.folder / "rows" / f"{''.join(c if c.isalnum() else '-' for c in name)}.{seed}.json"

    def _read(self, name: str, seed: int) -> Row:
        """A kept row; one of an earlier version lacks some figures."""
        return Row(**json.loads(self._file(name, seed).read_text(encoding="utf-8")))

    @property
    def _about(self) -> Path:
        return self.folder / "about.json"

    def _check_same_settings(self, about: Mapping[str, Mapping[str, Any]]) -> None:
        """Rows of other settings must not stand beside each other."""
        if not self._about.is_file():
            return
        kept = json.loads(self._about.read_text(encoding="utf-8"))
        # A setting that came with a later version stood at its default.
        defaults = {"config": asdict(TrainConfig()), "scale": asdict(Scale()), "oracle": asdict(OracleConfig())}
        if {part: {**defaults[part], **kept.get(part, {})} for part in about} != about:
            raise ValueError(f"`output` {self.folder} holds rows of other settings; take another folder.")
