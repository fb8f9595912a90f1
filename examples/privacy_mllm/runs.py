"""What a training run leaves behind: one folder with everything that tells what was done and what came of it.

``config.json`` the settings, the command and the versions; ``metrics.jsonl`` a line a step; ``anonymizer.safetensors``
the network, with what it was trained on in its header; ``reviewer.safetensors`` the reviewer that learned along;
``results.json`` the table; ``figures/`` the pictures. ``queries.sqlite`` the ledger of all paid calls, ``state.ckpt``
what a stopped training goes on from.
"""

from __future__ import annotations

import contextlib
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.devices import device_name
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.factory import restore_anonymizer
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.records import StepRecord
from privacy_mllm.results import Results
from privacy_mllm.starting import Start, load_or_make_start
from privacy_mllm.train import Training

CHECKPOINT = "anonymizer.safetensors"
REVIEWER = "reviewer.safetensors"
LEDGER = "queries.sqlite"
STATE = "state.ckpt"
START = "start.ckpt"


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

    def write_config(self, config: TrainConfig, oracle: OracleConfig) -> None:
        """Write the settings, the command and the versions that the run depends on."""
        about = {
            "config": asdict(config),
            "oracle": asdict(oracle),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "versions": {
                "zoopt-mo": metadata.version("zoopt-mo"),
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
            "device": device_name(config.network_device),
        }
        self._write("config.json", json.dumps(about, indent=2).encode())

    def open_ledger(self) -> zo.Ledger:
        """The ledger of the run's calls; one process at a time holds it."""
        return zo.Ledger(self.path / LEDGER, run=self.path.name)

    def load_state(self, training: Training) -> None:
        """Take a training to where the run was last saved; a run that was never saved begins anew."""
        if (self.path / STATE).is_file():
            training.load_state_dict(zo.load_checkpoint(self.path / STATE))
        training.expect_replay()

    @contextlib.contextmanager
    def metrics(self, num_kept: int = 0) -> Iterator[IO[str]]:
        """The open file of step records; every line is on the disk once written.

        Args:
            num_kept: Records of earlier steps that stay; those after them are dropped.
        """
        file = self.path / "metrics.jsonl"
        kept = file.read_text(encoding="utf-8").splitlines()[:num_kept] if num_kept else []
        self._write(file.name, "".join(f"{line}\n" for line in kept).encode())
        with file.open("a", encoding="utf-8", buffering=1) as records:
            yield records

    def save(self, training: Training) -> None:
        """Write the networks, and all that the training can go on from; a crash while writing leaves those before.

        Args:
            training: A training between two steps, or in one that was broken off.
        """
        state = training.state_dict()
        calls = state["utility"]["num_queries"]
        about = {"trained_on": training.config.data, "steps": str(state["num_taken"]), "calls": str(calls)}
        if training.pool.apart is not None:
            about["apart"] = str(training.pool.apart)
        self._write(REVIEWER, save(training.reviewer.state_dict(), metadata=about))
        self._write(CHECKPOINT, save(state["anonymizer"], metadata=about))
        zo.save_checkpoint(self.path / STATE, state)

    def load_reviewer(self, network: AttributeNetwork) -> AttributeNetwork:
        """The reviewer that learned along with the anonymizer, in evaluation mode.

        Args:
            network: One of its kind, which takes its weights.
        """
        network.load_state_dict(load_file(self.path / REVIEWER))
        return network.eval()

    def load_start(
        self, config: TrainConfig, private: Clips, say: Callable[[str], None], untrained: Start | None = None
    ) -> Start:
        """The networks at the start of the training: kept ones, else made now and kept.

        Args:
            config: The settings.
            private: The labelled clips.
            say: Told what is being made.
            untrained: The networks that :func:`privacy_mllm.starting.build_start` made of these settings, if they are
                at hand; they are used up.
        """
        return load_or_make_start(self.path / START, config, private, say, untrained)

    def write_results(self, results: Results) -> None:
        """Write the table."""
        self._write("results.json", json.dumps(results.to_json(), indent=2).encode())

    def read_config(self) -> tuple[TrainConfig, OracleConfig]:
        """The settings of the run.

        Raises:
            FileNotFoundError: If there are none.
        """
        file = self.path / "config.json"
        if not file.is_file():
            raise FileNotFoundError(f"{self.path} is not a run: it has no config.json.")
        about = json.loads(file.read_text(encoding="utf-8"))
        return TrainConfig(**about["config"]), OracleConfig(**about.get("oracle", {}))

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
        apart: Seconds between the pictures of its training clips, where that is known.
    """

    network: nn.Module
    trained_on: str
    calls: int
    apart: float | None


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
        network = restore_anonymizer(state)
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{file} is not a checkpoint of an anonymizer: {error}") from error
    apart = float(about["apart"]) if "apart" in about else None
    return Trained(network.eval(), about["trained_on"], int(about["calls"]), apart)
