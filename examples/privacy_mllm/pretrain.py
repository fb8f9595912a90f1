"""Make all shipped weights again from seeds: ``privacy-mllm pretrain``.

Two chains that do not need each other run in two processes of one thread each: the tiny multimodal model, and the
reviewer with the two starting points of the anonymizer. On the same kind of processor and the same torch version the
files come out bit for bit; elsewhere the networks differ in their weights and agree in what they do.
"""

from __future__ import annotations

import copy
import hashlib
import json
import platform
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from privacy_mllm._mllm_training import train_tiny_mllm
from privacy_mllm._unet_training import train_identity, train_warm
from privacy_mllm._weights_quality import measure
from privacy_mllm.data.world import render_clips
from privacy_mllm.reviewing import train_reviewer
from privacy_mllm.weights import NAMES

Progress = Callable[[str, int, int], None]
"""Called with the stage, the steps done and the steps in all."""

SEED = 0
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Recipe:
    """How much of everything.

    Args:
        mllm_clips: Clips of the split "mllm" that the tiny multimodal model learns from.
        mllm_steps: Its steps.
        train_clips: Clips of the split "train" that reviewer and U-Nets learn from.
        reviewer_steps: Steps of the reviewer on raw clips.
        identity_steps: Steps of the identity U-Net.
        warm_steps: Steps of the U-Net against the reviewer.
        test_clips: Clips of the split "test" for the measurements.
        attacker_clips: Clips of the split "train" that the attackers of the measurements learn from.
        attacker_steps: Their steps.
    """

    mllm_clips: int
    mllm_steps: int
    train_clips: int
    reviewer_steps: int
    identity_steps: int
    warm_steps: int
    test_clips: int
    attacker_clips: int
    attacker_steps: int


FULL = Recipe(10_000, 3_600, 6_000, 1_200, 1_000, 800, 500, 1_500, 200)
QUICK = Recipe(32, 2, 32, 2, 2, 2, 32, 32, 2)


def pretrain(out: Path, *, quick: bool = False, progress: Progress | None = None) -> dict[str, Any]:
    """Train all shipped networks and write them with a manifest of what was measured.

    About ten minutes on two free cores.

    Args:
        out: Folder to write to; made if missing.
        quick: Only a few steps of everything, in this process: useless weights in seconds, for tests.
        progress: Called with the stage, the steps done and the steps in all.

    Returns:
        The manifest: size and SHA-256 of each file, measured accuracies, seconds, versions.
    """
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    recipe = QUICK if quick else FULL
    report = progress or _ignore
    if quick:
        for chain in (make_tiny_mllm, make_reviewer_and_unets):
            chain(out, recipe, report)
    else:
        _run_side_by_side(out, recipe, report)
    trained = time.monotonic()
    measured = measure(out, recipe.test_clips, recipe.attacker_clips, recipe.attacker_steps, report)
    manifest = {
        "files": {f"{name}.safetensors": _describe(out / f"{name}.safetensors") for name in NAMES},
        "measured": measured,
        "recipe": vars(recipe),
        "seconds": {"training": round(trained - started), "measuring": round(time.monotonic() - trained)},
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def make_tiny_mllm(out: Path, recipe: Recipe, report: Progress) -> None:
    """The black box, from its own split."""
    clips = render_clips("mllm", recipe.mllm_clips)
    model = train_tiny_mllm(clips, steps=recipe.mllm_steps, seed=SEED, progress=partial(report, "tiny_mllm"))
    _save(model, out, "tiny_mllm")


def make_reviewer_and_unets(out: Path, recipe: Recipe, report: Progress) -> None:
    """The reviewer, then the identity U-Net, then the U-Net and the reviewer that were trained against each other."""
    clips = render_clips("train", recipe.train_clips)
    frames, attributes = clips.frames, clips.attributes
    reviewer = train_reviewer(
        frames, attributes, steps=recipe.reviewer_steps, seed=SEED, init=None, progress=partial(report, "reviewer")
    )
    _save(reviewer, out, "reviewer")
    network = train_identity(frames, steps=recipe.identity_steps, seed=SEED, progress=partial(report, "unet_identity"))
    _save(network, out, "unet_identity")
    adversary = copy.deepcopy(reviewer)
    train_warm(
        network,
        adversary,
        frames,
        attributes,
        steps=recipe.warm_steps,
        seed=SEED,
        progress=partial(report, "unet_warm"),
    )
    _save(network, out, "unet_warm")
    _save(adversary, out, "reviewer_warm")


def _run_side_by_side(out: Path, recipe: Recipe, report: Progress) -> None:
    context = get_context("spawn")
    with context.Manager() as manager:
        channel = manager.Queue()
        with ProcessPoolExecutor(2, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            chains = [
                pool.submit(chain, out, recipe, partial(_send, channel))
                for chain in (make_tiny_mllm, make_reviewer_and_unets)
            ]
            _relay(channel, chains, report)
            for chain in chains:
                chain.result()


def _relay(channel: queue.Queue[tuple[str, int, int]], chains: list[Future[None]], report: Progress) -> None:
    """Pass on what the processes say, until both are done."""
    while True:
        done = all(chain.done() for chain in chains)
        try:
            while True:
                report(*channel.get(timeout=0.5))
        except queue.Empty:
            if done:
                return


def _send(channel: queue.Queue[tuple[str, int, int]], stage: str, step: int, steps: int) -> None:
    # A message a step would cost more than some steps.
    if step % 20 == 0 or step == steps:
        channel.put((stage, step, steps))


def _ignore(stage: str, step: int, steps: int) -> None:
    """Progress that nobody watches."""


def _save(network: nn.Module, out: Path, name: str) -> None:
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    # Not `save_file`, whose files only their owner may read.
    (out / f"{name}.safetensors").write_bytes(save(state))


def _describe(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
