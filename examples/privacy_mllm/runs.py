"""What a training run leaves behind: one folder with everything that tells what was done and what came of it.

``config.json`` the settings, the command and the versions; ``metrics.jsonl`` a line a step; ``anonymizer.safetensors``
the network, with what it was trained on in its header; ``reviewer.safetensors`` the reviewer that learned along;
``results.json`` the table; ``figures/`` the pictures.
"""

from __future__ import annotations

import contextlib
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from privacy_mllm.config import TrainConfig
from privacy_mllm.evaluate import Results
from privacy_mllm.models.reviewer import Reviewer
from privacy_mllm.models.unet import UNet
from privacy_mllm.train import StepRecord

CHECKPOINT = "anonymizer.safetensors"
REVIEWER = "reviewer.safetensors"


@dataclass(frozen=True)
class Run:
    """The folder of one run.

    Args:
        path: The folder.
    """

    path: Path

    @classmethod
    def create(cls, root: Path, name: str) -> Run:
        """A new folder ``root/name``, or ``root/name-2`` and so on: an earlier run is never written over.

        Args:
            root: Where runs lie.
            name: Its name.
        """
        count = 1
        while True:
            path = root / (name if count == 1 else f"{name}-{count}")
            with contextlib.suppress(FileExistsError):
                path.mkdir(parents=True)
                (path / "figures").mkdir()
                return cls(path)
            count += 1

    def write_config(self, config: TrainConfig) -> None:
        """Write the settings, the command and the versions that the run depends on."""
        about = {
            "config": asdict(config),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "versions": {
                "zoopt-mo": metadata.version("zoopt-mo"),
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }
        self._write("config.json", json.dumps(about, indent=2).encode())

    @contextlib.contextmanager
    def metrics(self) -> Iterator[IO[str]]:
        """The open file of step records; every line is on the disk once written."""
        with (self.path / "metrics.jsonl").open("w", encoding="utf-8", buffering=1) as file:
            yield file

    def save(self, network: UNet, reviewer: Reviewer, *, trained_on: str, steps: int, calls: int) -> None:
        """Write the networks; a crash while writing leaves those before.

        Args:
            network: The anonymizer.
            reviewer: The reviewer that learned along with it.
            trained_on: Its training data, as the user named it.
            steps: Steps taken.
            calls: Black-box calls spent.
        """
        about = {"trained_on": trained_on, "steps": str(steps), "calls": str(calls)}
        self._write(REVIEWER, save(reviewer.state_dict(), metadata=about))
        self._write(CHECKPOINT, save(network.state_dict(), metadata=about))

    def load_reviewer(self) -> Reviewer:
        """The reviewer that learned along with the anonymizer, in evaluation mode."""
        reviewer = Reviewer()
        reviewer.load_state_dict(load_file(self.path / REVIEWER))
        return reviewer.eval()

    def write_results(self, results: Results) -> None:
        """Write the table."""
        self._write("results.json", json.dumps(results.to_json(), indent=2).encode())

    def read_config(self) -> TrainConfig:
        """The settings of the run.

        Raises:
            FileNotFoundError: If there are none.
        """
        file = self.path / "config.json"
        if not file.is_file():
            raise FileNotFoundError(f"{self.path} is not a run: it has no config.json.")
        return TrainConfig(**json.loads(file.read_text(encoding="utf-8"))["config"])

    def read_metrics(self) -> list[StepRecord]:
        """The records of the steps taken."""
        lines = (self.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [StepRecord(**json.loads(line)) for line in lines]

    def _write(self, name: str, content: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self.path, delete=False) as file:
            file.write(content)
        Path(file.name).replace(self.path / name)


@dataclass(frozen=True)
class Trained:
    """A trained anonymizer and where it comes from.

    Args:
        network: The network, in evaluation mode.
        trained_on: Its training data.
        calls: Black-box calls that its training spent.
    """

    network: UNet
    trained_on: str
    calls: int


def load_anonymizer(run: Path) -> Trained:
    """The network of a run.

    Args:
        run: The run's folder, or its checkpoint.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If the file is not a checkpoint of this program.
    """
    file = run / CHECKPOINT if run.is_dir() else run
    if not file.is_file():
        raise FileNotFoundError(f"{run} holds no trained anonymizer: {file} is missing.")
    try:
        with safe_open(file, framework="pt") as tensors:
            about: dict[str, Any] = tensors.metadata() or {}
            state = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a dict
        network = UNet(width=len(state["outer.0.weight"]))
        network.load_state_dict(state)
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{file} is not a checkpoint of an anonymizer: {error}") from error
    return Trained(network.eval(), about["trained_on"], int(about["calls"]))
