"""The flagship on a GPU: the same training as on the CPU, nothing moved to and fro but what must, one checkpoint."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import zoopt_mo as zo
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.methods import NetworkAnonymizer, Surrogate
from privacy_mllm.methods.surrogates import Recipe
from privacy_mllm.models.factory import build_anonymizer
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.reviewing import review, train_reviewer
from privacy_mllm.starting import build_start, make_start
from privacy_mllm.train import Training
from tests.app.small_recipes import SMALL, named

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    # Torch warns of the first product in a thread of autograd, and then does what it should.
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning"),
]

DEVICE = "cuda"
CPU = TrainConfig(clips=16, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0)
GPU = replace(CPU, network_device=DEVICE)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", CPU.clips)


@pytest.fixture(autouse=True)
def _full_float32():
    """Without TF32, which rounds to ten bits and would hide a difference."""
    convolution: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before, convolution.fp32_precision = convolution.fp32_precision, "ieee"
    yield
    convolution.fp32_precision = before


def theta_of(training: Training) -> Tensor:
    return zo.Parameters(training.anonymizer).flat().cpu()


def take(training: Training, count: int) -> list[Any]:
    steps = training.steps()
    return [next(steps) for _ in range(count)]


def test_a_step_on_the_gpu_is_that_on_the_cpu_within_rounding(clips):
    """Bytes round at halves, so a few pixels of a probe differ by one level; what is learned must not."""
    ours, theirs = Training(GPU, clips, EmbeddedOracle()), Training(CPU, clips, EmbeddedOracle())
    before = theta_of(theirs)
    (mine,), (reference,) = take(ours, 1), take(theirs, 1)
    assert mine.privacy == pytest.approx(reference.privacy, rel=1e-4)
    assert mine.utility == pytest.approx(reference.utility, abs=2e-3)
    assert mine.reviewer == pytest.approx(reference.reviewer, rel=1e-3)
    moved, difference = theta_of(theirs) - before, theta_of(ours) - theta_of(theirs)
    assert float(difference.norm()) < 0.1 * float(moved.norm())
    rest, others = take(ours, 5), take(theirs, 5)
    assert [record.calls for record in rest] == [record.calls for record in others]
    for one, other in zip(rest, others, strict=True):
        assert one.privacy == pytest.approx(other.privacy, rel=0.1)


@pytest.mark.parametrize("name", ["SPSA", "RGE", "recommended"])
def test_the_same_seed_probes_the_same_places_on_both_devices(name):
    makers: dict[str, Callable[..., zo.Estimator]] = {"SPSA": zo.SPSA, "RGE": zo.RGE, "recommended": zo.recommended}
    make = makers[name]
    places = []
    for device in ("cpu", DEVICE):
        theta = torch.linspace(-1, 1, 100_003, device=device)
        parameters = zo.Parameters(theta)
        estimator = make(radius=0.01, seed=5)
        for _ in range(2):
            displacements = estimator.ask(parameters.size)
            estimator.tell([float(number % 3) for number in range(len(displacements))])
        seen = []
        with parameters.probing() as move:
            for displacement in estimator.ask(parameters.size):
                move(displacement)
                seen.append(theta.cpu().clone())
        assert torch.equal(theta.cpu(), torch.linspace(-1, 1, 100_003, device=device).cpu())
        places.append(torch.stack(seen))
    on_cpu, on_gpu = places
    start = torch.linspace(-1, 1, 100_003)
    assert torch.equal((on_cpu - start).sign(), (on_gpu - start).sign())
    torch.testing.assert_close(on_cpu, on_gpu, rtol=1e-6, atol=1e-7)


class Copies(TorchDispatchMode):
    """Bytes of every copy between devices, of the thread that runs the block."""

    def __init__(self) -> None:
        super().__init__()
        self.up: list[int] = []
        self.down: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.name()
        if name.startswith("aten::copy_"):
            self._count(args[1], args[0])
        elif name.startswith("aten::_to_copy"):
            self._count(args[0], result)
        elif name.startswith("aten::_local_scalar_dense") and args[0].device.type != "cpu":
            self.down.append(args[0].element_size())
        return result

    def _count(self, source: Tensor, target: Tensor) -> None:
        if source.device.type != target.device.type:
            (self.down if target.device.type == "cpu" else self.up).append(target.numel() * target.element_size())


def test_the_count_of_copies_sees_those_that_are_there():
    with Copies() as copies:
        there = torch.ones(1000).to(DEVICE)
        there[:10].copy_(torch.zeros(10))
        there.sum().item()
        there.half().cpu()
    assert copies.up == [4000, 40]
    assert copies.down == [4, 2000]


def test_a_step_sends_bytes_up_once_and_brings_only_payloads_down(clips):
    training = Training(GPU, clips, EmbeddedOracle())
    take(training, 2)
    frames, (height, width) = clips.frames.shape[1], clips.frames.shape[-2:]
    shown = CPU.batch * frames * 3 * height * width
    pictures = CPU.privacy_batch * 3 * height * width
    labels = 4 * CPU.privacy_batch * len(clips.attribute_names)
    p = zo.Parameters(training.anonymizer).size
    with Copies() as copies:
        take(training, 1)
    large = sorted(size for size in copies.up if size > p)
    assert large == sorted([shown, pictures])
    assert labels in copies.up
    assert all(size <= p for size in copies.up if size not in (shown, pictures))  # packed signs, never a vector
    assert [size for size in copies.down if size > 1024] == [shown, shown]


def test_a_step_leaves_no_memory_behind(clips):
    gc.collect()  # what earlier tests left in cycles would be freed on the way
    training = Training(replace(GPU, calls_per_sample=20.0), clips, EmbeddedOracle())
    steps = training.steps()
    held = []
    for _ in range(10):  # the critical history is full by then
        next(steps)
    for _ in range(4):
        next(steps)
        held.append(torch.cuda.memory_allocated())
    assert max(held) - min(held) <= 64 * 1024
    assert held[-1] <= held[0] + 16 * 1024


@pytest.mark.parametrize("scheme", ["alternate", "restart", "ensemble"])
@pytest.mark.parametrize(("first", "second"), [(GPU, CPU), (CPU, GPU)], ids=["to the CPU", "to the GPU"])
def test_a_checkpoint_moves_between_devices(tmp_path, clips, first, second, scheme):
    first, second = (replace(one, reviewer_scheme=scheme) for one in (first, second))
    saved = Training(first, clips, EmbeddedOracle())
    take(saved, 4)
    zo.save_checkpoint(tmp_path / "state", saved.state_dict())
    resumed = Training(second, clips, EmbeddedOracle())
    resumed.load_state_dict(zo.load_checkpoint(tmp_path / "state"))
    assert torch.equal(theta_of(resumed), theta_of(saved))
    (mine,), (reference,) = take(resumed, 1), take(saved, 1)
    assert (mine.step, mine.calls) == (reference.step, reference.calls)
    assert mine.privacy == pytest.approx(reference.privacy, rel=1e-3)
    assert mine.utility == pytest.approx(reference.utility, abs=5e-3)
    list(resumed.steps())
    assert resumed.num_taken == resumed.num_steps


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("estimator", "calls"), [("prior-guided", 8), ("guide-corrected", 8), ("guide-taught", 4)])
def test_a_guide_learns_there_and_its_checkpoint_moves_to_the_cpu(tmp_path, clips, estimator, calls, precision):
    config = replace(GPU, estimator=estimator, guide_steps=3, precision=precision)
    saved = Training(config, clips, EmbeddedOracle())
    assert [record.calls for record in take(saved, 2)] == [calls, 2 * calls]
    assert saved.guide is not None
    assert {parameter.device.type for parameter in saved.guide.network.parameters()} == {DEVICE}
    zo.save_checkpoint(tmp_path / "state", saved.state_dict())
    resumed = Training(replace(config, network_device="cpu"), clips, EmbeddedOracle())
    resumed.load_state_dict(zo.load_checkpoint(tmp_path / "state"))
    assert resumed.guide is not None
    guides = [zo.Parameters(guide.network).flat().cpu() for guide in (saved.guide, resumed.guide)]
    assert torch.equal(*guides)
    (third,) = take(resumed, 1)
    assert (third.step, third.calls) == (2, 3 * calls)


@pytest.mark.parametrize("estimator", ["spsa", "critical-history", "guide-corrected", "guide-taught"])
def test_what_moves_is_learned_there_and_its_checkpoint_moves_to_the_cpu(tmp_path, clips, estimator):
    small = replace(CPU, anonymizer="motion", estimator=estimator, guide_steps=3, start_steps=2)
    config = replace(small, **settings_of("motion"), network_device=DEVICE)
    saved = Training(config, clips, EmbeddedOracle(), start=make_start(config, clips))
    before = theta_of(saved)
    records = take(saved, 2)
    assert {parameter.device.type for parameter in saved.anonymizer.parameters()} == {DEVICE}
    assert not torch.equal(theta_of(saved), before)
    zo.save_checkpoint(tmp_path / "state", saved.state_dict())
    here = replace(config, network_device="cpu")
    resumed = Training(here, clips, EmbeddedOracle(), start=make_start(here, clips))
    resumed.load_state_dict(zo.load_checkpoint(tmp_path / "state"))
    assert torch.equal(theta_of(resumed), theta_of(saved))
    (mine,), (reference,) = take(resumed, 1), take(saved, 1)
    assert (mine.step, mine.calls) == (reference.step, reference.calls) == (2, records[-1].calls * 3 // 2)
    assert mine.privacy == pytest.approx(reference.privacy, rel=1e-2)


def test_what_moves_is_shown_there_as_on_the_cpu(clips):
    network = build_anonymizer("motion")
    here = NetworkAnonymizer(network, "network").anonymize(clips)
    there = NetworkAnonymizer(network.to(DEVICE), "network").anonymize(clips)
    assert (here != there).float().mean() < 1e-3  # rounding puts a few pixels on the other side of a step


def test_bfloat16_on_the_gpu_points_where_float32_points(clips):
    gradients = []
    for config in (GPU, replace(GPU, precision="bfloat16")):
        training = Training(config, clips, EmbeddedOracle())
        training._draw()
        gradients.append(training.privacy.evaluate(zo.Parameters(training.anonymizer)).gradient.dense())
    exact, rounded = gradients
    assert not torch.equal(exact, rounded)
    assert float(torch.cosine_similarity(exact, rounded, dim=0)) > 0.99


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_probes_repeat_bit_for_bit_on_the_gpu(clips, precision):
    training = Training(replace(GPU, precision=precision), clips, EmbeddedOracle())
    training._draw()
    theta = zo.Parameters(training.anonymizer)
    assert training.utility.query(theta).tolist() == training.utility.query(theta).tolist()


def test_the_networks_of_the_paper_train_there_in_mixed_precision(clips):
    config = replace(GPU, anonymizer="unet-16", reviewer="resnet50", precision="bfloat16", privacy_batch=8)
    training = Training(config, clips, EmbeddedOracle(), start=build_start(config, clips))
    before = theta_of(training)
    records = take(training, 3)
    for network in (training.anonymizer, training.reviewer):
        assert {parameter.device.type for parameter in network.parameters()} == {DEVICE}
    assert len({record.privacy for record in records}) == 3
    assert bool(theta_of(training).isfinite().all())
    assert not torch.equal(before, theta_of(training))
    assert {value.dtype for value in training.anonymizer.state_dict().values() if value.is_floating_point()} == {
        torch.float32
    }


def test_pictures_are_anonymized_there_as_on_the_cpu(clips):
    network = build_anonymizer("unet-8").to("cpu")
    here = NetworkAnonymizer(network, "network").anonymize(clips.head(4))
    there = NetworkAnonymizer(network.to(DEVICE), "network").anonymize(clips.head(4))
    assert there.device.type == "cpu"
    assert int((here.int() - there.int()).abs().max()) <= 1


def test_an_attacker_is_trained_and_read_there(clips):
    reviewer = build_start(GPU, clips).reviewer
    attacker = train_reviewer(clips.frames, clips.attributes, steps=3, seed=0, init=reviewer)
    logits = review(attacker, clips.frames)
    assert {parameter.device.type for parameter in attacker.parameters()} == {DEVICE}
    assert logits.device.type == "cpu"
    assert bool(logits.isfinite().all())


@pytest.mark.parametrize("recipe", SMALL, ids=named)
def test_a_surrogate_begins_on_the_gpu_as_on_the_cpu(recipe: Recipe, clips):
    stills = render_clips("validation", 12, frames=1)
    ours, theirs = Surrogate(recipe, utility_steps=2, device=DEVICE), Surrogate(recipe, utility_steps=2)
    for method in (ours, theirs):
        method.fit(clips, private=stills)
    assert ours.history[0]["objective"] == pytest.approx(theirs.history[0]["objective"], rel=0.02)
    assert ours.network is not None
    assert next(ours.network.parameters()).device.type == DEVICE
    assert ours.anonymize(stills).device.type == "cpu"
