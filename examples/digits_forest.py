"""Hide odd and even in handwritten digits from a network, while a random forest goes on reading the digits.

The forest has no gradient: it is the black box, and every batch of digits that it reads is a query. The network is
ours: it is the white box, and it keeps learning on what it is shown. A linear map of the picture learns to please both.
Whether odd and even are hidden is judged by a new network of the same kind, trained on mapped digits and tested on
held-out ones. What a deeper network can still read stands beside it: nobody trained against that one.

    python examples/digits_forest.py [--steps N] [--picture FILE]        (extra "dev": scikit-learn and its digits)
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

import zoopt_mo as zo

BATCH = 128
PIXELS = 64
DEEPER = 32  # hidden units of the network that nobody trained against

Mapping = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Digits:
    """Pictures ``[n, 64]`` in [0, 1], the digits ``[n]``, and 1 where the digit is odd ``[n]``."""

    pictures: Tensor
    labels: np.ndarray
    odd: Tensor

    def batch(self, generator: torch.Generator) -> Digits:
        """A random batch."""
        rows = torch.randint(len(self.pictures), (BATCH,), generator=generator)
        return Digits(self.pictures[rows], self.labels[rows.numpy()], self.odd[rows])


class LinearMap(nn.Module):
    """A linear map from picture to picture that starts as the identity; 4,160 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(PIXELS, PIXELS)
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """Mapped pictures, kept in [0, 1]."""
        mapped: Tensor = self.linear(pictures)
        return mapped.clamp(0, 1)


class HideParity:
    """The training: the forest's loss by queries, the network's by autograd, the augmented Tchebycheff over both."""

    def __init__(self, train: Digits, forest: RandomForestClassifier, *, steps: int) -> None:
        self.train, self.forest, self.steps = train, forest, steps
        self.map = LinearMap()
        self.network = train_network(train.pictures, train.odd, seed=1)
        self.learner = torch.optim.Adam(self.network.parameters(), 1e-2)
        gains = zo.SpallGains(lr=1.0, radius=0.02, stability=steps / 10)
        self.reading = zo.BlackBox(
            render=lambda: self.map(self.asked.pictures).numpy(),
            judge=self.forest_losses,
            estimator=zo.CriticalHistory(zo.SPSA(radius=gains.radius_at)),
            name="forest",
            step_factor=3e-3,
        )
        self.hiding = zo.WhiteBox(self.network_loss, name="network", step_factor=0.3, max_norm=1.0)
        self.optimizer = torch.optim.SGD(self.map.parameters(), 1.0)
        self.schedule = gains.scheduler(self.optimizer)

    def run(self) -> None:
        """All steps."""
        scalarize = zo.AugmentedTchebycheff(weights=[0.3, 0.7], ideal=[0.0, 0.0])
        generator = torch.Generator().manual_seed(0)
        for _ in range(self.steps):
            self.asked, self.shown = self.train.batch(generator), self.train.batch(generator)
            zo.backward([self.reading, self.hiding], scalarize, self.map)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.schedule.step()
            self.let_the_network_learn()

    def forest_losses(self, payloads: list[np.ndarray]) -> np.ndarray:
        """Mean log-loss of the digits for each payload; one query each."""
        votes = self.forest.predict_proba(np.concatenate(payloads)).reshape(len(payloads), BATCH, -1)
        right = votes[:, np.arange(BATCH), self.asked.labels]
        losses: np.ndarray = -np.log(right.clip(0.01)).mean(axis=1)
        return losses

    def network_loss(self) -> Tensor:
        """How far the network is from not knowing: cross-entropy against one half, less its least value."""
        self.mapped = self.map(self.shown.pictures)
        logits: Tensor = self.network(self.mapped)[:, 0]
        return (F.softplus(logits) - logits / 2).mean() - float(np.log(2))

    def let_the_network_learn(self) -> None:
        """Six steps of the network on what it was shown."""
        for _ in range(6):
            loss = F.binary_cross_entropy_with_logits(self.network(self.mapped.detach())[:, 0], self.shown.odd)
            self.learner.zero_grad()
            loss.backward()
            self.learner.step()


def load() -> tuple[Digits, Digits]:
    """Training and held-out digits, real ones from scikit-learn."""
    pictures, labels = load_digits(return_X_y=True)
    parts = train_test_split(pictures.astype(np.float32) / 16, labels, test_size=0.3, random_state=0, stratify=labels)
    seen, held_out = ((parts[0], parts[2]), (parts[1], parts[3]))
    return tuple(Digits(torch.from_numpy(x), y, torch.from_numpy(y % 2).float()) for x, y in (seen, held_out))  # type: ignore[return-value]


def train_network(pictures: Tensor, odd: Tensor, *, seed: int, hidden: int = 0, steps: int = 1500) -> nn.Module:
    """A small network that reads odd or even: one layer, or two with ``hidden`` units between them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        deep = [nn.Linear(PIXELS, hidden), nn.ReLU(), nn.Linear(hidden, 1)] if hidden else [nn.Linear(PIXELS, 1)]
        network = nn.Sequential(*deep)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2, weight_decay=1e-4)
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(network(pictures)[:, 0], odd)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


@torch.no_grad()
def forest_accuracy(forest: RandomForestClassifier, held_out: Digits, mapping: Mapping) -> float:
    """Percentage of held-out digits that the forest reads."""
    return 100 * float(forest.score(mapping(held_out.pictures).numpy(), held_out.labels))


def attacker_accuracy(train: Digits, held_out: Digits, mapping: Mapping, *, hidden: int = 0) -> float:
    """Percentage of held-out digits of which a network trained on mapped digits reads whether they are odd."""
    with torch.no_grad():
        seen, tested = mapping(train.pictures), mapping(held_out.pictures)
    attacker = train_network(seen, train.odd, seed=7, hidden=hidden)
    return 100 * float(((attacker(tested)[:, 0] > 0) == (held_out.odd > 0)).float().mean())


def draw(file: Path, held_out: Digits, mapping: Mapping) -> None:
    """The first eight held-out digits, before and after."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.3), layout="constrained")
    FigureCanvasAgg(figure)
    with torch.no_grad():
        rows = (held_out.pictures[:8], mapping(held_out.pictures[:8]))
    for axes, pictures, name in zip(figure.subplots(2, 8), rows, ("before", "after"), strict=True):
        for axis, picture in zip(axes, pictures, strict=True):
            axis.imshow(picture.view(8, 8), cmap="gray_r", vmin=0, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
        axes[0].set_ylabel(name)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Train the map, print what both sides read before and after, and draw eight digits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="steps; two queries each")
    parser.add_argument("--picture", type=Path, default=Path("digits_forest.png"), help="where the picture goes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    train, held_out = load()
    forest = RandomForestClassifier(60, min_samples_leaf=2, random_state=0).fit(train.pictures.numpy(), train.labels)
    training = HideParity(train, forest, steps=options.steps)
    training.run()
    blind = 100 * max(float(held_out.odd.mean()), 1 - float(held_out.odd.mean()))
    print("held-out digits           before    after    blind")
    before, after = (forest_accuracy(forest, held_out, mapping) for mapping in (nn.Identity(), training.map))
    print(f"forest reads the digit   {before:5.1f} %  {after:5.1f} %   10.0 %")
    for name, hidden in (("network reads odd/even", 0), ("deeper network", DEEPER)):
        before, after = (
            attacker_accuracy(train, held_out, mapping, hidden=hidden) for mapping in (nn.Identity(), training.map)
        )
        print(f"{name:22}   {before:5.1f} %  {after:5.1f} %  {blind:5.1f} %")
    took = time.perf_counter() - started
    print(f"queries paid: {training.reading.num_queries}, of {BATCH} digits each; {took:.0f} s")
    draw(options.picture, held_out, training.map)
    print(f"eight digits before and after: {options.picture}")


if __name__ == "__main__":
    main()
