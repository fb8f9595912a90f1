"""A run that can be killed at any moment: a small network between a paid black box and a white box.

Every step asks sixteen questions, eight at a time. The answers depend on the last bit of what is asked, so a run that
differs anywhere ends elsewhere.
"""

from __future__ import annotations

import functools
import mmap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import nn

import zoopt_mo as zo
from benchmarks.durability.client import ask

CONCURRENCY = 8
BATCH = 8
CHECKPOINT_EVERY = 2
PHASES = ("start-up", "asking", "stepping", "writing the checkpoint")


class Phase:
    """What the run is doing, in a byte that outlives it.

    Args:
        path: The file of the byte.
    """

    def __init__(self, path: Path) -> None:
        path.write_bytes(b"\0")
        with path.open("r+b") as file:
            self._byte = mmap.mmap(file.fileno(), 1)

    def set(self, name: str) -> None:
        """Say what begins now."""
        self._byte[0] = PHASES.index(name)


class Training:
    """The run: 75 parameters, a batch of payloads a probe, a ledger and a checkpoint.

    Args:
        url: Address of the service.
        ledger: Where answers are kept; None keeps none.
        pool: Where questions are asked.
        phase: Where the phase is noted.
    """

    def __init__(self, url: str, ledger: zo.Ledger | None, pool: ThreadPoolExecutor, phase: Phase | None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(BATCH, 4, generator=generator)
        self.network = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3))
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
        self.phase = phase
        black = zo.BlackBox(
            render=self._render,
            judge=zo.parallel(functools.partial(ask, url), pool, concurrency=CONCURRENCY),
            score=lambda _text, reply: float(reply["loss"]),
            estimator=zo.CriticalHistory(zo.SPSA(radius=0.01, seed=1), capacity=4),
            queries=zo.QueryPolicy(ledger=ledger),
            name="answers",
        )
        white = zo.WhiteBox(lambda: self.network(self.inputs).square().mean(), name="size")
        self.boxes = [black, white]
        self.scalarize = zo.AugmentedTchebycheff(weights=[0.5, 0.5], ideal=[0.0, 0.0], augmentation=0.05)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=1e-3, momentum=0.5)
        self.black, self.num_taken = black, 0

    def step(self) -> None:
        """One step of descent."""
        zo.backward(self.boxes, self.scalarize, self.network)
        self._enter("stepping")
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.num_taken += 1

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        self._enter("writing the checkpoint")
        parts = {name: getattr(self, name).state_dict() for name in ("network", "optimizer", "black", "scalarize")}
        zo.save_checkpoint(path, {"num_taken": self.num_taken, **parts})

    def load(self, path: Path) -> None:
        """Go on from the checkpoint, if there is one."""
        if path.exists():
            state = zo.load_checkpoint(path)
            self.num_taken = state["num_taken"]
            for name in ("network", "optimizer", "black", "scalarize"):
                getattr(self, name).load_state_dict(state[name])

    def parameters(self) -> bytes:
        """The bits of all parameters."""
        return torch.cat([p.detach().reshape(-1) for p in self.network.parameters()]).numpy().tobytes()

    def _render(self) -> zo.Batch:
        self._enter("asking")
        return zo.Batch(row.numpy().tobytes().hex() for row in self.network(self.inputs))

    def _enter(self, phase: str) -> None:
        if self.phase is not None:
            self.phase.set(phase)


def train(folder: str, url: str, steps: int) -> None:
    """Begin the run in ``folder``, or go on with it, and leave its parameters there. What a child process does."""
    torch.set_num_threads(1)
    place = Path(folder)
    phase = Phase(place / "phase")
    about: dict[str, Any] = {"steps": steps, "batch": BATCH}
    with (
        zo.Ledger(place / "ledger.sqlite", run="run", about=about) as ledger,
        ThreadPoolExecutor(CONCURRENCY) as pool,
    ):
        training = Training(url, ledger, pool, phase)
        training.load(place / "state.ckpt")
        while training.num_taken < steps:
            training.step()
            if training.num_taken % CHECKPOINT_EVERY == 0:
                training.save(place / "state.ckpt")
        (place / "parameters").write_bytes(training.parameters())
